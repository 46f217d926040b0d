package sandbox

import (
	"net/http"
	"strings"

	"daypass.dev/sandbox/acmpca"
	"daypass.dev/sandbox/eks"
	"daypass.dev/sandbox/eksauth"
	"daypass.dev/sandbox/google"
	"daypass.dev/sandbox/iam"
	"daypass.dev/sandbox/kms"
	"daypass.dev/sandbox/rolesanywhere"
	"daypass.dev/sandbox/s3"
	"daypass.dev/sandbox/secretsmanager"
	"daypass.dev/sandbox/sigv4"
	"daypass.dev/sandbox/sns"
	"daypass.dev/sandbox/ssm"
	"daypass.dev/sandbox/sts"
	"daypass.dev/sandbox/wire"
	"daypass.dev/sandbox/world"
)

// A room is one AWS service and how it speaks.
type room struct {
	service   world.Service // nil: not built
	protocol  sigv4.Protocol
	namespace string // of query answers
}

// rooms are the services that are built, by the name in the credential scope.
func rooms() map[string]room {
	return map[string]room{
		"sts": {&sts.Service{}, sigv4.Query, sts.Namespace},
		"iam": {iam.Service{}, sigv4.Query, iam.Namespace},

		"rolesanywhere":  {rolesanywhere.Service{}, sigv4.RESTJSON, ""},
		"acm-pca":        {acmpca.Service{}, sigv4.JSON, ""},
		"eks":            {eks.Service{}, sigv4.RESTJSON, ""},
		"eks-auth":       {&eksauth.Service{}, sigv4.RESTJSON, ""},
		"kms":            {kms.Service{}, sigv4.JSON, ""},
		"secretsmanager": {secretsmanager.Service{}, sigv4.JSON, ""},
		"ssm":            {ssm.Service{}, sigv4.JSON, ""},
		"s3":             {s3.Service{}, sigv4.S3, ""},
		"sns":            {sns.Service{}, sigv4.Query, sns.Namespace},

		"google": {&google.Service{}, sigv4.RESTJSON, ""}, // a stand-in, and no service of AWS's
	}
}

// strangeRoom answers for a service that is not built, in the protocol that
// the request looks like.
func strangeRoom(r *http.Request) room {
	switch {
	case r.Header.Get("X-Amz-Target") != "":
		return room{protocol: sigv4.JSON}
	case isForm(r):
		return room{protocol: sigv4.Query}
	}
	return room{protocol: sigv4.RESTJSON}
}

func (rm room) writeError(w http.ResponseWriter, r *http.Request, requestID string, e *world.Refusal) {
	if s, ok := rm.service.(*google.Service); ok {
		s.WriteError(w, r, e)
		return
	}
	wire.Error(w, r, rm.protocol, rm.namespace, requestID, e)
}

// operationOf names the operation before anybody is authenticated, for faults
// and for the record.
func operationOf(rm room, r *http.Request, body []byte) string {
	if s, ok := rm.service.(world.Operator); ok {
		return s.Operation(r)
	}
	if rm.protocol == sigv4.Query {
		if f, err := wire.ParseForm(r, body); err == nil && f.Get("Action") != "" {
			return f.Get("Action")
		}
	}
	if t := r.Header.Get("X-Amz-Target"); t != "" {
		return t[strings.LastIndexByte(t, '.')+1:]
	}
	return r.Method + " " + r.URL.Path
}
