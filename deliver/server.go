package deliver

import (
	"log/slog"
	"net/http"
	"time"
)

// maxHeader is room for a long authorization token; net/http adds 4 KiB for all
// else.
const maxHeader = maxAuthorization

// Server is an http.Server whose limits fit a credential endpoint: small
// headers, and no caller that holds a connection without using it. Close or
// Shutdown end it.
func Server(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       5 * time.Second,
		WriteTimeout:      5 * time.Second,
		IdleTimeout:       15 * time.Second, // SDKs ask at most thrice in a row
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(quiet(log).Handler(), slog.LevelDebug),
		// OPTIONS * is the guard's to refuse, too.
		DisableGeneralOptionsHandler: true,
	}
}
