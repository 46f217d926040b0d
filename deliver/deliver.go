// Package deliver hands credentials over to a workload in the forms that AWS
// SDKs read: a document on standard output (Process), shell variables (Env),
// profiles of the shared credentials file (File), and two local HTTP services,
// IMDS and Container. The services take any
// daypass.Source, and belong behind Guard, in a Server:
//
//	deliver.Server(deliver.Guard(&deliver.IMDS{Source: src, RoleARN: arn}, log), log)
//
// Nothing here refreshes or retries, that is the Source's part. What is not
// whole is never handed over: a caller gets all that an SDK needs, or an error.
package deliver

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"daypass.dev"
)

// stamp is the one form of time that every SDK parses; botocore takes no
// fractions in what a metadata service says.
const stamp = "2006-01-02T15:04:05Z"

func stamped(t time.Time) string { return t.UTC().Format(stamp) }

// errNotWhole is a source that broke its contract.
var errNotWhole = errors.New("the credentials lack a key, a token or an expiry")

// fetch asks the source, for no longer than patience.
func fetch(ctx context.Context, src daypass.Source, patience time.Duration) (daypass.Credentials, error) {
	waiting := &patient{Context: ctx, patience: patience}
	defer waiting.stop()
	c, err := src.Credentials(waiting)
	if err == nil && !c.Whole() {
		err = errNotWhole
	}
	return c, err
}

// A printed document is kept as long as the credentials that it is of, because
// writing it takes longer than all else that a request needs.
type printed struct {
	last atomic.Pointer[printing]
}

type printing struct {
	of       daypass.Credentials
	document []byte
}

// of returns the document of c, as write makes it.
func (p *printed) of(c daypass.Credentials, write func(daypass.Credentials) any) []byte {
	if last := p.last.Load(); last != nil && last.of == c {
		return last.document
	}
	document, _ := json.Marshal(write(c)) // strings only: it cannot fail
	p.last.Store(&printing{c, document})
	return document
}

// place is a request's path without what some SDKs put in twice or leave
// over: slashes at either end, and runs of them. Dots mean nothing.
func place(path string) string {
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/")
	}
	return strings.Trim(path, "/")
}
