// Package sandbox is a strict local AWS: it verifies every signature, holds
// every call to the policies of its world, and says in a decision record why
// it refused. New is the whole of it as an http.Handler; Listen serves that
// over HTTPS, HTTP and as a forward proxy. It is for development and tests,
// never for production.
package sandbox

import (
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"time"

	"daypass.dev/reason"
	"daypass.dev/sandbox/page"
	"daypass.dev/sandbox/sigv4"
	"daypass.dev/sandbox/world"
)

// New is the sandbox around a world: every AWS service that is built, on one
// handler. A request is routed by its host name where that is one of AWS's,
// and by its credential scope otherwise; what is not built answers
// NotImplemented. Each request leaves one decision in the world.
//
// At page.Path it shows these decisions in a browser.
func New(w *world.World) http.Handler {
	return &handler{world: w, rooms: rooms(), page: page.Handler(w)}
}

type handler struct {
	world *world.World
	rooms map[string]room // :: service as in the credential scope
	page  http.Handler
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if page.Asked(r) {
		h.page.ServeHTTP(w, r)
		return
	}
	now := h.world.Now()
	to := routeOf(r)
	rm, known := h.rooms[to.service]
	if !known {
		rm = strangeRoom(r)
	}
	c := &world.Call{
		World: h.world, Service: to.service, Region: to.region, RequestID: world.NewUUID(), Time: now,
		Context: requestContext(r, now, to.region),
		Decision: &world.Decision{
			Time: now, Service: to.service, Region: to.region, Method: r.Method, Path: r.URL.Path,
		},
	}
	c.Decision.RequestID = c.RequestID
	a := &answer{ResponseWriter: w}
	defer func() {
		c.Decision.Status = a.status
		if s := c.Session; s != nil && c.Decision.SessionName == "" {
			c.Decision.SessionName, c.Decision.SourceIdentity, c.Decision.Tags = s.Name, s.SourceIdentity, s.Tags
		}
		c.Decision.Allowed = c.Decision.Code == "" && a.status < 400 && a.status != 0
		h.world.Record(*c.Decision)
		a.send(r.Method)
	}()
	w.Header().Set("Date", now.Format(http.TimeFormat))
	setRequestID(w.Header(), rm.protocol, c.RequestID)
	if d := h.world.ClockOffset(); d.Abs() >= time.Second {
		c.Decision.NotAWS = append(c.Decision.NotAWS, "clock set by "+d.Round(time.Second).String())
	}
	err := h.serveSafely(c, rm, to, a, r)
	// A refused call can have changed something too: who called is remembered.
	if kept := c.Keep(); kept != nil {
		err = fmt.Errorf("keeping what the call changed: %w", kept)
	}
	if err != nil {
		refuse(c, rm, a, r, err)
	} else if !a.gone {
		a.WriteHeader(http.StatusOK) // what a service means that writes nothing
	}
}

// serveSafely turns a panic into an error, so that it is answered and recorded
// where the author of a service looks. Connections that a fault breaks off are
// left to net/http.
func (h *handler) serveSafely(c *world.Call, rm room, to target, a *answer, r *http.Request) (err error) {
	defer func() {
		if p := recover(); p == http.ErrAbortHandler {
			panic(p)
		} else if p != nil {
			err = fmt.Errorf("panic: %v at %s", p, debug.Stack())
		}
	}()
	return h.serve(c, rm, to, a, r)
}

func (h *handler) serve(c *world.Call, rm room, to target, a *answer, r *http.Request) error {
	body, err := sigv4.ReadBody(r)
	if err != nil {
		return err
	}
	c.Decision.Operation = operationOf(rm, r, body)
	fault, any := h.world.NextFault(c.Service, c.Decision.Operation)
	if any {
		c.Decision.NotAWS = append(c.Decision.NotAWS, "fault: "+fault.String())
		a.half = fault.HalfBody
		if done, err := before(fault, rm.protocol, a, r); done || err != nil {
			return err
		}
	}
	if rm.service == nil {
		return c.NotBuilt()
	}
	if body, err = authenticate(c, rm, to, r, body); err != nil {
		return err
	}
	return rm.service.Serve(c, a, r, body)
}

// refuse answers an error, in place of what has been written, and keeps it in
// the decision.
func refuse(c *world.Call, rm room, a *answer, r *http.Request, err error) {
	a.status = 0
	a.body.Reset()
	e := phrase(err, rm.protocol)
	d := c.Decision
	d.Code, d.Message, d.Reason, d.Detail, d.Mend = e.Code, e.Message, e.Slug, e.Detail, e.Mend
	if row, ok := reason.Lookup(e.Slug); ok {
		if d.Detail == "" {
			d.Detail = row.Cause
		}
		if d.Mend == "" {
			d.Mend = row.Mend
		}
	}
	rm.writeError(a, r, c.RequestID, e)
}

// phrase turns any error into a refusal in the protocol's words.
func phrase(err error, p sigv4.Protocol) *world.Refusal {
	var e *world.Refusal
	var signature *sigv4.Error
	switch {
	case errors.As(err, &signature):
		return signature.Refusal(p)
	case !errors.As(err, &e):
		return &world.Refusal{
			Slug: "internal-failure", Code: "InternalFailure", Status: http.StatusInternalServerError,
			Message: "The request processing has failed because of an unknown error, exception or failure.",
			Detail:  err.Error(),
		}
	case e.Code == "AccessDenied" && (p == sigv4.JSON || p == sigv4.RESTJSON):
		said := *e
		said.Code = "AccessDeniedException"
		if p == sigv4.JSON {
			said.Status = http.StatusBadRequest
		}
		return &said
	}
	return e
}

func setRequestID(h http.Header, p sigv4.Protocol, id string) {
	if p == sigv4.S3 {
		h.Set("X-Amz-Request-Id", id)
		h.Set("X-Amz-Id-2", id)
		return
	}
	h.Set("X-Amzn-Requestid", id)
}
