// Package wire speaks AWS's protocols from the server's side: what query
// requests hold, and how answers and errors of query, JSON, REST-JSON and
// REST-XML services look.
package wire

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"net/http"
	"time"

	"daypass.dev/sandbox/sigv4"
	"daypass.dev/sandbox/world"
)

// A List is a list of a query answer: one <member> each. An empty one is an
// empty element, as AWS sends it, and never a missing one.
type List[T any] struct {
	Members []T `xml:"member"`
}

// ListOf makes a List.
func ListOf[T any](members ...T) List[T] { return List[T]{members} }

// Timestamp is how query and REST-JSON services write a time.
func Timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// Query writes the answer to a call of the query protocol. namespace is the
// service's xmlns; result becomes <OPERATIONResult>, nil leaves that out.
func Query(w http.ResponseWriter, c *world.Call, namespace string, result any) error {
	op := c.Decision.Operation
	var b bytes.Buffer
	e := xml.NewEncoder(&b)
	outer := element(op+"Response", xml.Attr{Name: xml.Name{Local: "xmlns"}, Value: namespace})
	if err := e.EncodeToken(outer); err != nil {
		return err
	}
	if result != nil {
		if err := e.EncodeElement(result, element(op+"Result")); err != nil {
			return err
		}
	}
	metadata := struct {
		RequestID string `xml:"RequestId"`
	}{c.RequestID}
	if err := e.EncodeElement(metadata, element("ResponseMetadata")); err != nil {
		return err
	}
	if err := e.EncodeToken(outer.End()); err != nil {
		return err
	}
	if err := e.Flush(); err != nil {
		return err
	}
	return send(w, http.StatusOK, "text/xml", b.Bytes())
}

// JSON writes an answer of a REST-JSON service.
func JSON(w http.ResponseWriter, status int, answer any) error {
	b, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	return send(w, status, "application/json", b)
}

// XML writes an answer of a REST-XML service with the XML declaration.
func XML(w http.ResponseWriter, status int, answer any) error {
	b, err := xml.Marshal(answer)
	if err != nil {
		return err
	}
	return send(w, status, "application/xml", append([]byte(xml.Header), b...))
}

// Error writes a refusal in the service's protocol. namespace is for query
// only. The answer to a HEAD request has no body.
func Error(w http.ResponseWriter, r *http.Request, p sigv4.Protocol, namespace, requestID string, e *world.Refusal) {
	for name, values := range e.Header {
		w.Header()[http.CanonicalHeaderKey(name)] = values
	}
	switch p {
	case sigv4.Query:
		queryError(w, namespace, requestID, e)
	case sigv4.JSON:
		b, _ := json.Marshal(map[string]string{"__type": e.Code, "message": e.Message})
		_ = send(w, e.Status, "application/x-amz-json-1.1", b)
	case sigv4.RESTJSON:
		w.Header().Set("X-Amzn-ErrorType", e.Code)
		b, _ := json.Marshal(map[string]string{"message": e.Message})
		_ = send(w, e.Status, "application/json", b)
	case sigv4.S3:
		s3Error(w, r, requestID, e)
	}
}

func queryError(w http.ResponseWriter, namespace, requestID string, e *world.Refusal) {
	type inner struct {
		Type, Code, Message string
	}
	who := "Sender"
	if e.Status >= 500 {
		who = "Receiver"
	}
	b, _ := xml.Marshal(struct {
		XMLName   xml.Name `xml:"ErrorResponse"`
		Namespace string   `xml:"xmlns,attr"`
		Error     inner
		RequestID string `xml:"RequestId"`
	}{Namespace: namespace, Error: inner{who, e.Code, e.Message}, RequestID: requestID})
	_ = send(w, e.Status, "text/xml", b)
}

func s3Error(w http.ResponseWriter, r *http.Request, requestID string, e *world.Refusal) {
	if r.Method == http.MethodHead || e.Status == http.StatusNotModified {
		w.WriteHeader(e.Status)
		return
	}
	var b bytes.Buffer
	b.WriteString(xml.Header)
	enc := xml.NewEncoder(&b)
	outer := element("Error")
	_ = enc.EncodeToken(outer)
	fields := append([][2]string{{"Code", e.Code}, {"Message", e.Message}}, e.Fields...)
	fields = append(fields, [2]string{"RequestId", requestID}, [2]string{"HostId", w.Header().Get("X-Amz-Id-2")})
	for _, f := range fields {
		_ = enc.EncodeElement(f[1], element(f[0]))
	}
	_ = enc.EncodeToken(outer.End())
	_ = enc.Flush()
	_ = send(w, e.Status, "application/xml", b.Bytes())
}

func element(name string, attributes ...xml.Attr) xml.StartElement {
	return xml.StartElement{Name: xml.Name{Local: name}, Attr: attributes}
}

func send(w http.ResponseWriter, status int, contentType string, body []byte) error {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, err := w.Write(body)
	return err
}
