package sandbox

import (
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"daypass.dev/sandbox/sigv4"
	"daypass.dev/sandbox/world"
)

// before does what a fault does before the call, and says whether that was
// all. An error is the answer.
func before(f world.Fault, p sigv4.Protocol, a *answer, r *http.Request) (done bool, err error) {
	if f.Latency > 0 {
		select {
		case <-time.After(f.Latency):
		case <-r.Context().Done():
			a.gone = true
			return true, nil
		}
	}
	switch {
	case f.Hang:
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	case f.Reset:
		a.gone = true
		return true, reset(a)
	case f.Throttle:
		return true, throttled(p, f.RetryAfter)
	case f.Code != "":
		return true, &world.Refusal{
			Slug: "fault", Code: f.Code, Message: f.Message, Status: f.StatusOrDefault(),
			Detail: "the world asked for this error",
		}
	case f.Body != nil:
		_, err := io.WriteString(a, *f.Body)
		return true, err
	}
	return false, nil
}

// throttled is how each protocol's services say that they are called too often.
func throttled(p sigv4.Protocol, after time.Duration) error {
	e := &world.Refusal{
		Slug: "throttled", Code: "ThrottlingException", Message: "Rate exceeded", Status: http.StatusBadRequest,
		Detail: "the world asked for throttling",
	}
	switch p {
	case sigv4.Query:
		e.Code = "Throttling"
	case sigv4.RESTJSON:
		e.Status = http.StatusTooManyRequests
	case sigv4.S3:
		e.Code, e.Message, e.Status = "SlowDown", "Please reduce your request rate.", http.StatusServiceUnavailable
	}
	if after > 0 {
		e.Header = http.Header{"Retry-After": {strconv.Itoa(int((after + time.Second - 1) / time.Second))}}
	}
	return e
}

// reset breaks the connection so that the client sees it reset, not closed.
func reset(w http.ResponseWriter) error {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	for c := conn; c != nil; {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
			return tcp.Close()
		}
		under, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		c = under.NetConn()
	}
	return conn.Close()
}
