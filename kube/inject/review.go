package inject

import (
	"bytes"
	stdjson "encoding/json"
	"errors"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/json"
)

// readReview reads an AdmissionReview of version v1. What is wrong with it is
// told in words of our own, since it may hold anything.
func readReview(body []byte) (*admissionv1.AdmissionRequest, error) {
	var review admissionv1.AdmissionReview
	if err := json.UnmarshalCaseSensitivePreserveInts(body, &review); err != nil {
		return nil, errors.New("the body is not an AdmissionReview in JSON")
	}
	if review.APIVersion != admissionv1.SchemeGroupVersion.String() || review.Kind != "AdmissionReview" {
		return nil, errors.New("the body is not an AdmissionReview of admission.k8s.io/v1")
	}
	if review.Request == nil || review.Request.UID == "" {
		return nil, errors.New("the AdmissionReview holds no request")
	}
	return review.Request, nil
}

// aboutNewPod: a configuration that sends anything else is not ours, and
// nothing is done to what it sends.
func aboutNewPod(r *admissionv1.AdmissionRequest) bool {
	return r.Operation == admissionv1.Create && r.SubResource == "" &&
		r.Resource.Group == "" && r.Resource.Version == "v1" && r.Resource.Resource == "pods"
}

// reviewUID finds request.uid in the start of a review. The API server writes
// it before the object.
func reviewUID(start []byte) (types.UID, bool) {
	d := stdjson.NewDecoder(bytes.NewReader(start))
	for _, name := range []string{"request", "uid"} {
		if t, err := d.Token(); err != nil || t != stdjson.Delim('{') {
			return "", false
		}
		for {
			key, err := d.Token()
			if err != nil {
				return "", false
			}
			if key == name {
				break
			}
			if _, ok := key.(string); !ok || skipValue(d) != nil {
				return "", false
			}
		}
	}
	uid, err := d.Token()
	text, ok := uid.(string)
	return types.UID(text), err == nil && ok && text != ""
}

func skipValue(d *stdjson.Decoder) error {
	var skipped stdjson.RawMessage
	return d.Decode(&skipped)
}
