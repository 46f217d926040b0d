package secrets

import (
	"encoding/json"
	"fmt"
	"io/fs"

	"k8s.io/apimachinery/pkg/types"
	driver "sigs.k8s.io/secrets-store-csi-driver/provider/v1alpha1"

	"daypass.dev"
	"daypass.dev/kube/vend"
	"daypass.dev/secrets"
)

// What the driver and the kubelet add to a class's parameters.
const (
	podName        = "csi.storage.k8s.io/pod.name"
	podNamespace   = "csi.storage.k8s.io/pod.namespace"
	podUID         = "csi.storage.k8s.io/pod.uid"
	podAccount     = "csi.storage.k8s.io/serviceAccount.name"
	podTokens      = "csi.storage.k8s.io/serviceAccount.tokens"
	forSTS         = "sts.amazonaws.com"
	defaultMode    = 0o644
	mostAttributes = 2 << 20
)

// A request is what the driver asks, read.
type request struct {
	class  *secrets.Class
	pod    vend.Caller
	tokens map[string]token // :: audience
	target string
	mode   fs.FileMode
}

// A token is as the kubelet hands it to CSI drivers.
type token struct{ Text daypass.Secret }

// UnmarshalJSON implements json.Unmarshaler: the text goes nowhere else.
func (t *token) UnmarshalJSON(data []byte) error {
	var raw struct {
		Token string `json:"token"`
	}
	err := json.Unmarshal(data, &raw)
	t.Text = daypass.Secret(raw.Token)
	return err
}

// parseRequest reads what the driver sends. Errors are *secrets.Error and quote
// no token; with them comes what is known of the pod.
func parseRequest(in *driver.MountRequest) (*request, error) {
	r := &request{target: in.GetTargetPath(), mode: defaultMode}
	attributes, err := texts(in.GetAttributes())
	if err != nil {
		return r, wrongRequest("attributes are %v", err)
	}
	r.pod = vend.Caller{
		Namespace: attributes[podNamespace], Pod: attributes[podName], UID: types.UID(attributes[podUID]), ServiceAccount: attributes[podAccount],
	}
	if r.target == "" {
		return r, wrongRequest("the target path is missing")
	}
	for _, name := range []string{podName, podNamespace, podUID, podAccount} {
		if attributes[name] == "" {
			return r, wrongRequest("the attribute %s is missing: the CSIDriver needs podInfoOnMount", name)
		}
	}
	if text := in.GetPermission(); text != "" {
		var mode uint32
		if json.Unmarshal([]byte(text), &mode) != nil || mode > 0o777 {
			return r, wrongRequest("the permission %.20q is none", text)
		}
		r.mode = fs.FileMode(mode)
	}
	if r.tokens, err = readTokens(attributes[podTokens], in.GetSecrets()); err != nil {
		return r, wrongRequest("the tokens cannot be read") // err may quote them
	}
	delete(attributes, podTokens)
	for _, name := range []string{"secretProviderClass", "providerName"} { // the driver's own
		delete(attributes, name)
	}
	r.class, err = secrets.ParseClass(attributes)
	return r, err
}

func wrongRequest(format string, args ...any) error {
	return &secrets.Error{Slug: "secrets-request", Detail: fmt.Sprintf(format, args...)}
}

// texts reads a JSON object of texts.
func texts(text string) (map[string]string, error) {
	if len(text) > mostAttributes {
		return nil, fmt.Errorf("larger than %d bytes", mostAttributes)
	}
	var all map[string]string
	if err := json.Unmarshal([]byte(text), &all); err != nil || all == nil {
		return nil, fmt.Errorf("no JSON object of texts") // err may quote a token
	}
	return all, nil
}

// readTokens finds the pod's tokens in the attributes, or in the secrets, where
// a CSIDriver with serviceAccountTokenInSecrets has them.
func readTokens(attribute, inSecrets string) (map[string]token, error) {
	if attribute == "" && inSecrets != "" {
		all, err := texts(inSecrets)
		if err != nil && inSecrets != "null" {
			return nil, err
		}
		attribute = all[podTokens]
	}
	if attribute == "" {
		return nil, nil
	}
	var tokens map[string]token
	err := json.Unmarshal([]byte(attribute), &tokens)
	return tokens, err
}

// token returns the pod's token for an audience.
func (r *request) token(audience string) (string, error) {
	t := r.tokens[audience].Text
	switch {
	case len(r.tokens) == 0:
		return "", &secrets.Error{Slug: "secrets-no-token", Detail: "the driver sends no tokens of the pod's ServiceAccount"}
	case t == "":
		return "", &secrets.Error{Slug: "secrets-no-token", Detail: "the driver sends no token for " + audience}
	}
	return t.Reveal(), nil
}
