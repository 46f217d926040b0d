package sandbox

import (
	"bytes"
	"net/http"
	"strconv"
)

// An answer is kept until the call has been recorded, so that whoever has read
// it finds the record.
type answer struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
	half   bool // send half of the body and break off
	gone   bool // the connection is not there any more
}

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *answer) send(method string) {
	if a.gone || a.status == 0 {
		return
	}
	bodiless := method == http.MethodHead || a.status == http.StatusNoContent || a.status == http.StatusNotModified
	if !bodiless {
		a.Header().Set("Content-Length", strconv.Itoa(a.body.Len()))
	}
	a.ResponseWriter.WriteHeader(a.status)
	if bodiless {
		return
	}
	if a.half {
		_, _ = a.ResponseWriter.Write(a.body.Bytes()[:a.body.Len()/2])
		_ = http.NewResponseController(a.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = a.ResponseWriter.Write(a.body.Bytes())
}
