package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"daypass.dev/sandbox/world"
)

// An Epoch is a time as services of the JSON 1.1 protocol write it: seconds
// since 1970, with milliseconds.
type Epoch time.Time

// MarshalJSON implements json.Marshaler.
func (e Epoch) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, "%.3f", float64(time.Time(e).UnixMilli())/1000), nil
}

// Refuse is a refusal as services of the JSON 1.1 protocol answer it: whatever
// the code, its status is 400.
func Refuse(slug, code, message, detail string) *world.Refusal {
	return &world.Refusal{Slug: slug, Code: code, Message: message, Detail: detail, Status: http.StatusBadRequest}
}

// A JSONService is a service of the JSON 1.1 protocol.
type JSONService struct {
	// Target is what X-Amz-Target says before the dot: "secretsmanager".
	Target string
	// Operations are those that are built, by name; see Operation.
	Operations map[string]func(c *world.Call, body []byte) (answer any, err error)
}

// Serve answers one call. What is not built is refused as that; a nil answer
// is one without a body.
func (s JSONService) Serve(c *world.Call, w http.ResponseWriter, r *http.Request, body []byte) error {
	target, _, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	serve, ok := s.Operations[c.Decision.Operation]
	if !ok || target != s.Target {
		return c.NotBuilt()
	}
	answer, err := serve(c, body)
	if err != nil {
		return err
	}
	var text []byte
	if answer != nil {
		if text, err = json.Marshal(answer); err != nil {
			return err
		}
	}
	return send(w, http.StatusOK, "application/x-amz-json-1.1", text)
}

// Operation makes an operation of a function of its parameters, a struct with
// the members that are built. Any other member is refused as not built, so
// that nothing is taken and left undone.
func Operation[P any](serve func(*world.Call, P) (any, error)) func(*world.Call, []byte) (any, error) {
	return func(c *world.Call, body []byte) (any, error) {
		var p P
		d := json.NewDecoder(bytes.NewReader(body))
		d.DisallowUnknownFields()
		err := d.Decode(&p)
		if err == nil {
			if _, more := d.Token(); more != io.EOF {
				err = fmt.Errorf("something follows the document")
			}
		}
		if err == nil {
			return serve(c, p)
		}
		if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
			e := c.NotBuilt()
			e.Message = "The sandbox does not implement the member " + strings.Trim(name, `"`) + " of " + c.Decision.Operation + "."
			return nil, e
		}
		return nil, &world.Refusal{
			Slug: "body-malformed", Code: "SerializationException", Status: http.StatusBadRequest, Detail: err.Error(),
		}
	}
}
