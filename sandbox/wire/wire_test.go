package wire

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"daypass.dev/sandbox/sigv4"
	"daypass.dev/sandbox/world"
)

func TestQueryAnswer(t *testing.T) {
	w := httptest.NewRecorder()
	c := &world.Call{RequestID: "id-1", Decision: &world.Decision{Operation: "ListThings"}}
	type thing struct{ Name string }
	err := Query(w, c, "urn:x", struct {
		Things List[thing]
		None   List[thing]
	}{Things: ListOf(thing{"a"}, thing{"b <"})})
	if err != nil {
		t.Fatal(err)
	}
	want := `<ListThingsResponse xmlns="urn:x"><ListThingsResult><Things><member><Name>a</Name></member>` +
		`<member><Name>b &lt;</Name></member></Things><None></None></ListThingsResult>` +
		`<ResponseMetadata><RequestId>id-1</RequestId></ResponseMetadata></ListThingsResponse>`
	if got := w.Body.String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	w = httptest.NewRecorder()
	if err := Query(w, c, "urn:x", nil); err != nil || strings.Contains(w.Body.String(), "Result") {
		t.Errorf("an answer without a result: %s, %v", w.Body, err)
	}
}

// What AWS's SDKs read of an error, in each protocol.
func TestErrors(t *testing.T) {
	e := &world.Refusal{
		Code: "SomeCode", Message: "a <message>", Status: 418, Detail: "secret detail",
		Fields: [][2]string{{"BucketName", "b"}}, Header: http.Header{"Retry-After": {"3"}},
	}
	send := func(p sigv4.Protocol, method string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		Error(w, httptest.NewRequest(method, "/", nil), p, "urn:x", "id-1", e)
		if w.Code != 418 || w.Header().Get("Retry-After") != "3" || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("protocol %d: %d %v %s", p, w.Code, w.Header(), w.Body)
		}
		return w
	}
	var query struct {
		XMLName xml.Name `xml:"urn:x ErrorResponse"`
		Error   struct{ Type, Code, Message string }
		ID      string `xml:"RequestId"`
	}
	if err := xml.Unmarshal(send(sigv4.Query, "POST").Body.Bytes(), &query); err != nil ||
		query.Error.Type != "Sender" || query.Error.Code != "SomeCode" || query.Error.Message != "a <message>" || query.ID != "id-1" {
		t.Errorf("query: %+v, %v", query, err)
	}
	var body map[string]string
	if err := json.Unmarshal(send(sigv4.JSON, "POST").Body.Bytes(), &body); err != nil || body["__type"] != "SomeCode" || body["message"] != "a <message>" {
		t.Errorf("json: %v, %v", body, err)
	}
	rest := send(sigv4.RESTJSON, "POST")
	body = nil
	if err := json.Unmarshal(rest.Body.Bytes(), &body); err != nil || rest.Header().Get("X-Amzn-ErrorType") != "SomeCode" || body["message"] != "a <message>" {
		t.Errorf("rest-json: %v %v, %v", rest.Header(), body, err)
	}
	var s3 struct {
		XMLName                   xml.Name `xml:"Error"`
		Code, Message, BucketName string
	}
	if err := xml.Unmarshal(send(sigv4.S3, "GET").Body.Bytes(), &s3); err != nil || s3.Code != "SomeCode" || s3.BucketName != "b" {
		t.Errorf("s3: %+v, %v", s3, err)
	}
	if w := send(sigv4.S3, "HEAD"); w.Body.Len() != 0 {
		t.Errorf("the answer to HEAD has a body: %s", w.Body)
	}
	e.Status = 503
	w := httptest.NewRecorder()
	Error(w, httptest.NewRequest("POST", "/", nil), sigv4.Query, "urn:x", "id-1", e)
	if !strings.Contains(w.Body.String(), "<Type>Receiver</Type>") {
		t.Errorf("a failure of the service: %s", w.Body)
	}
}

func TestForm(t *testing.T) {
	body := "Action=A&L.member.2=b&L.member.10=c&L.member.1=a&L.member.x=no&L.member.0=no&S.member.1.Key=k&S.member.1.Value=v&S.member.2.Key=l"
	f, err := ParseForm(httptest.NewRequest("POST", "/?Action=ignored", nil), []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	if got := f.List("L"); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("list %q", got)
	}
	s := f.Members("S")
	if len(s) != 2 || s[0].Get("Key") != "k" || s[0].Get("Value") != "v" || s[1].Get("Key") != "l" {
		t.Errorf("members %v", s)
	}
	if f.Get("Action") != "A" || f.List("None") != nil {
		t.Errorf("form %v", f)
	}
	if _, err := ParseForm(httptest.NewRequest("POST", "/", nil), []byte("a=%zz")); code(err) != "MalformedQueryString" {
		t.Errorf("error %v", err)
	}
	if f, err := ParseForm(httptest.NewRequest("GET", "/?Action=Q", nil), nil); err != nil || f.Get("Action") != "Q" {
		t.Errorf("form %v, %v", f, err)
	}
}

// As observed on AWS.
func TestInt(t *testing.T) {
	for text, want := range map[string]int{"900": 900, "0900": 900, "+900": 900, "0": 0, "-1": -1} {
		if got, given, err := (Form{url.Values{"N": {text}}}).Int("N"); got != want || !given || err != nil {
			t.Errorf("%q: %d, %v, %v", text, got, given, err)
		}
	}
	for _, text := range []string{" 900 ", "900.0", "9e2", "2147483648", "x"} {
		if _, _, err := (Form{url.Values{"N": {text}}}).Int("N"); code(err) != "MalformedInput" {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, given, err := (Form{}).Int("N"); given || err != nil {
		t.Errorf("an absent number: %v, %v", given, err)
	}
}

func code(err error) string {
	var e *world.Refusal
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}
