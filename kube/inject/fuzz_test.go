package inject

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	admissionv1 "k8s.io/api/admission/v1"
)

// FuzzReview sends anything at all to the webhook, also as a pod in a review: it answers, its patches fit
// what was sent, and what was patched needs no more.
func FuzzReview(f *testing.F) {
	all := goldens(f)
	for i, g := range all {
		f.Add(review(g.pod), i)
		f.Add(g.pod, i)
	}
	f.Fuzz(func(t *testing.T, body []byte, which int) {
		if json.Valid(body) && !bytes.Contains(body, []byte("AdmissionReview")) {
			body = review(body)
		}
		w := all[(which%len(all)+len(all))%len(all)].webhook()
		answer := post(w, body)
		switch answer.Code {
		case http.StatusBadRequest, http.StatusRequestEntityTooLarge:
			return
		case http.StatusOK:
		default:
			t.Fatalf("status %d: %s", answer.Code, answer.Body)
		}
		var r admissionv1.AdmissionReview
		if err := json.Unmarshal(answer.Body.Bytes(), &r); err != nil || r.Response == nil {
			t.Fatalf("%v: %s", err, answer.Body)
		}
		if r.Response.Patch == nil {
			return
		}
		request, err := readReview(body)
		if err != nil {
			t.Fatalf("a patch for what is no review: %v", err)
		}
		pod := once(t, request.Object.Raw)
		var whole bytes.Buffer
		if err := json.Compact(&whole, request.Object.Raw); err != nil || whole.Len() != len(pod) {
			return // with repeated members, as the API server sends none
		}
		patch, err := jsonpatch.DecodePatch(r.Response.Patch)
		if err != nil {
			t.Fatal(err)
		}
		patched, err := patch.Apply(pod)
		if err != nil {
			t.Fatalf("%v: %s to %s", err, r.Response.Patch, pod)
		}
		request.Object.Raw = patched
		second, err := json.Marshal(admissionv1.AdmissionReview{TypeMeta: r.TypeMeta, Request: request})
		if err != nil {
			t.Fatal(err)
		}
		answer = post(w, second)
		var twice admissionv1.AdmissionReview
		if err := json.Unmarshal(answer.Body.Bytes(), &twice); err != nil || twice.Response == nil || !twice.Response.Allowed || twice.Response.Patch != nil {
			t.Fatalf("a second pass: %d %s", answer.Code, answer.Body)
		}
	})
}

func post(w *Webhook, body []byte) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	w.ServeHTTP(answer, httptest.NewRequest(http.MethodPost, "/mutate", bytes.NewReader(body)))
	return answer
}

// once is JSON without repeated members.
func once(t *testing.T, text []byte) []byte {
	t.Helper()
	var v any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
