package faults

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"testing"
	"time"

	"daypass.dev/e2e/stage"
)

// A caller asks both endpoints of one serve, as SDKs do.
type caller struct {
	served *stage.Served
	client http.Client
	token  string // of IMDS
	proof  string // for the container endpoint
	// slowest is the longest that IMDS took to answer.
	slowest time.Duration
}

func newCaller(t *testing.T, served *stage.Served) *caller {
	t.Helper()
	proof, err := os.ReadFile(served.TokenFile)
	if err != nil {
		t.Fatal(err)
	}
	c := &caller{served: served, proof: string(proof), client: http.Client{Transport: &http.Transport{}, Timeout: time.Minute}}
	t.Cleanup(c.client.CloseIdleConnections)
	a := c.ask(http.MethodPut, served.IMDS+"/latest/api/token", "X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "21600")
	if a.status != http.StatusOK {
		t.Fatalf("IMDS gave no token: %v", a)
	}
	c.token = a.text
	return c
}

// both asks each endpoint for credentials, once.
func (c *caller) both() []answer {
	imds := c.ask(http.MethodGet, c.served.IMDS+"/latest/meta-data/iam/security-credentials/reader", "X-Aws-Ec2-Metadata-Token", c.token)
	imds.from = "imds"
	c.slowest = max(c.slowest, imds.came.Sub(imds.sent))
	container := c.ask(http.MethodGet, c.served.Container, "Authorization", c.proof)
	container.from = "container"
	return []answer{imds, container}
}

// ask returns an answer with status 0 where none came.
func (c *caller) ask(method, url, header, value string) answer {
	a := answer{sent: time.Now()}
	r, err := http.NewRequest(method, url, nil)
	if err != nil {
		a.text = err.Error()
		return a
	}
	r.Header.Set(header, value)
	response, err := c.client.Do(r)
	a.came = time.Now()
	if err != nil {
		a.text = err.Error()
		return a
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		a.text = err.Error()
		return a
	}
	a.came, a.status, a.text = time.Now(), response.StatusCode, string(body)
	_ = json.Unmarshal(body, &a.document) // a text that is none has no fields
	return a
}

// An answer is what an endpoint said, and when.
type answer struct {
	from       string
	sent, came time.Time
	status     int
	text       string
	document   struct {
		Code, Message                                  string
		AccessKeyId, SecretAccessKey, Token, AccountId string
		Expiration                                     time.Time
	}
}

func (a answer) String() string { return fmt.Sprintf("%s: status %d, %s", a.from, a.status, a.text) }

// good: credentials that lack nothing, and no word of an error.
func (a answer) good() bool {
	d := a.document
	return a.status == http.StatusOK && d.AccessKeyId != "" && d.SecretAccessKey != "" && d.Token != "" &&
		!d.Expiration.IsZero() && d.Message == "" && (d.Code == "Success" || a.from == "container" && d.Code == "")
}

// refused: an error that has a code and a message, and nothing of credentials.
// That of IMDS has status 200, because SDKs read no other.
func (a answer) refused() bool {
	d := a.document
	return (a.status == http.StatusOK) == (a.from == "imds") && d.Code != "" && d.Code != "Success" && d.Message != "" &&
		d.AccessKeyId == "" && d.SecretAccessKey == "" && d.Token == "" && d.Expiration.IsZero()
}
