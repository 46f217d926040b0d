package deliver

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"daypass.dev"
)

// Process writes the document that SDKs expect of a credential_process, as one
// line:
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html
func Process(w io.Writer, c daypass.Credentials) error {
	if !c.Whole() {
		return errNotWhole
	}
	return json.NewEncoder(w).Encode(struct {
		Version         int
		AccessKeyId     string
		SecretAccessKey string
		SessionToken    string
		Expiration      string
		AccountId       string `json:",omitempty"`
	}{1, c.AccessKeyID, c.SecretAccessKey.Reveal(), c.SessionToken.Reveal(), stamped(c.Expires), c.AccountID})
}

// A Variable is one environment variable.
type Variable struct{ Name, Value string }

// Variables are the credentials as SDKs read them from the environment. A
// process that gets them this way does not see them renewed.
func Variables(c daypass.Credentials) ([]Variable, error) {
	if !c.Whole() {
		return nil, errNotWhole
	}
	return []Variable{
		{"AWS_ACCESS_KEY_ID", c.AccessKeyID},
		{"AWS_SECRET_ACCESS_KEY", c.SecretAccessKey.Reveal()},
		{"AWS_SESSION_TOKEN", c.SessionToken.Reveal()},
		{"AWS_CREDENTIAL_EXPIRATION", stamped(c.Expires)},
	}, nil
}

// Env writes the variables as lines for a POSIX shell, quoted so that no value
// can be anything but text.
func Env(w io.Writer, c daypass.Credentials) error {
	variables, err := Variables(c)
	if err != nil {
		return err
	}
	var b strings.Builder
	for _, v := range variables {
		fmt.Fprintf(&b, "export %s='%s'\n", v.Name, strings.ReplaceAll(v.Value, "'", `'\''`))
	}
	_, err = io.WriteString(w, b.String())
	return err
}
