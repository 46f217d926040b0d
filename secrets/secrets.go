// Package secrets reads values of Secrets Manager and Parameter Store for
// whoever may read them, and renders them as files. It knows no Kubernetes: who
// asks is a Principal, what is asked for is a Class in the words of AWS's
// provider for the Secrets Store CSI driver.
//
//	ParseClass    parameters          → a Class, checked: every file it makes has a place of its own
//	Reader.Read   Class, Principal    → values, in as few calls as AWS allows
//	Render        Class, values       → files, all or none
//
// Values are remembered for a minute, for one principal only, so that many pods
// of one identity cost as much as one.
package secrets

import (
	"cmp"
	"fmt"
	"io/fs"
	"strings"

	"daypass.dev"
	"daypass.dev/reason"
)

// A Class is what one SecretProviderClass asks for.
type Class struct {
	Objects []Object
	// Region is where values are read; empty: the caller knows. FailoverRegion is
	// asked for what Region could not answer; empty: none is.
	Region, FailoverRegion string
	// PodIdentity says that the pod's own identity is asked for by the cluster's
	// method, and not by a token for sts.amazonaws.com.
	PodIdentity bool
	// AssumeRoleARN is a role that the pod's role goes on to; empty: none.
	AssumeRoleARN string
	// Unknown are names of parameters and fields that mean nothing here; they
	// are ignored, as AWS's provider does.
	Unknown []string
}

// An Object is one secret or parameter, and the files that are made of it.
type Object struct {
	Item
	// Failover is what the second region is asked for; the zero Item: the same.
	Failover Item
	// File is the file of the whole value, its path with slashes.
	File Place
	// Parts are files of single strings out of a value that is JSON.
	Parts []Part
}

// An Item is one thing that AWS can be asked for.
type Item struct {
	Parameter bool   // of Parameter Store; else a secret of Secrets Manager
	Name      string // or ARN
	Version   string // a secret's version id, a parameter's number; empty: any
	Label     string // a secret's staging label, a parameter's label; empty: the current
}

// A Part is a string at a JMESPath of a value.
type Part struct {
	Path string
	File Place
}

// A Place is where a file goes and what its mode is; zero: the mount's.
type Place struct {
	Path string
	Mode fs.FileMode
}

// id names an item towards AWS and people.
func (i Item) id() string {
	switch {
	case !i.Parameter:
		return i.Name
	case i.Version != "":
		return i.Name + ":" + i.Version
	case i.Label != "":
		return i.Name + ":" + i.Label
	}
	return i.Name
}

// account is that of an ARN; empty for a name.
func (i Item) account() string {
	if p := strings.SplitN(i.Name, ":", 6); len(p) == 6 && p[0] == "arn" {
		return p[4]
	}
	return ""
}

// A Value is what AWS answered. Version is a secret's version id or a
// parameter's number.
type Value struct {
	Data    []byte
	Version string
}

// Format keeps the value out of every log.
func (v Value) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "[%d bytes of version %s]", len(v.Data), v.Version)
}

// An Error says why a class cannot be had: what it asks for is wrong, or AWS
// refused. It never holds a value.
type Error struct {
	// Slug is of the catalogue of reasons.
	Slug string
	// Object and Region say where; empty where that plays no part.
	Object, Region string
	// Op, Code, Message, Status and RequestID are AWS's; empty if it was not
	// asked or did not answer.
	Op, Code, Message, RequestID string
	Status                       int
	// Detail is the cause in our words; empty where AWS's are enough.
	Detail string
	// Hint is the mend; empty: the catalogue's.
	Hint string
	// Err is what went wrong underneath; nil: nothing did.
	Err error
}

func (e *Error) Error() string {
	var parts []string
	for _, p := range []string{e.Region, e.Object, e.Op, e.Code, e.Message, e.Detail} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	if e.Err != nil {
		parts = append(parts, e.Err.Error())
	}
	s := strings.Join(parts, ": ")
	if e.RequestID != "" {
		s += " (request " + e.RequestID + ")"
	}
	return s
}

// Unwrap returns what went wrong underneath.
func (e *Error) Unwrap() error { return e.Err }

// Advice is how to mend it, in one line.
func (e *Error) Advice() string {
	row, _ := reason.Lookup(e.Slug)
	return cmp.Or(e.Hint, daypass.Advice(e.Err), row.Mend)
}

func wrong(slug, object, format string, args ...any) *Error {
	return &Error{Slug: slug, Object: object, Detail: fmt.Sprintf(format, args...)}
}
