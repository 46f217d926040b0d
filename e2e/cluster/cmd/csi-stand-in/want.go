package main

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	cmapi "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
)

const prefix = "csi.cert-manager.io/"

// known are the attributes that are honoured. A wrong word in a volume is
// better refused than ignored.
var known = []string{
	"issuer-name", "issuer-kind", "issuer-group", "common-name", "organizations", "organizationalunits",
	"countries", "provinces", "localities", "dns-names", "ip-sans", "uri-sans", "duration", "is-ca",
	"key-usages", "key-encoding", "key-algorithm", "key-size", "ca-file", "certificate-file",
	"privatekey-file", "renew-before", "reuse-private-key", "fs-group",
}

// A want is what a volume asks for.
type want struct {
	namespace, pod                   string
	request                          x509.CertificateRequest
	issuer                           cmmeta.IssuerReference
	duration, renewBefore            time.Duration
	authority                        bool
	usages                           []cmapi.KeyUsage
	algorithm, encoding              string
	bits                             int
	caFile, certificateFile, keyFile string
	group                            int    // -1: none
	token                            string // of the pod's ServiceAccount, for the API server
}

// parse reads a volume's attributes, with the driver's defaults.
func parse(context map[string]string) (*want, error) {
	for name := range context {
		if a, ours := strings.CutPrefix(name, prefix); ours && !slices.Contains(known, a) {
			return nil, fmt.Errorf("volume attribute %s is not known to this stand-in", name)
		}
	}
	pod := func(name string) string { return context["csi.storage.k8s.io/"+name] }
	a := attributes{volume: context, variables: map[string]string{
		"POD_NAME": pod("pod.name"), "POD_NAMESPACE": pod("pod.namespace"), "POD_UID": pod("pod.uid"),
		"SERVICE_ACCOUNT_NAME": pod("serviceAccount.name"),
	}}
	w := &want{
		namespace: pod("pod.namespace"), pod: pod("pod.name"),
		issuer: cmmeta.IssuerReference{
			Name: a.text("issuer-name", ""), Kind: a.text("issuer-kind", "Issuer"), Group: a.text("issuer-group", "cert-manager.io"),
		},
		duration: a.duration("duration", cmapi.DefaultCertificateDuration), renewBefore: a.duration("renew-before", 0),
		authority: a.text("is-ca", "false") == "true",
		algorithm: a.text("key-algorithm", "RSA"), encoding: a.text("key-encoding", "PKCS1"), bits: a.number("key-size", 0),
		caFile: a.file("ca-file", "ca.crt"), certificateFile: a.file("certificate-file", "tls.crt"), keyFile: a.file("privatekey-file", "tls.key"),
		group: a.number("fs-group", -1),
	}
	for _, u := range a.list("key-usages", "digital signature,key encipherment") {
		w.usages = append(w.usages, cmapi.KeyUsage(u))
	}
	s := &w.request.Subject
	s.CommonName = a.expanded("common-name")
	s.Organization, s.OrganizationalUnit = a.list("organizations", ""), a.list("organizationalunits", "")
	s.Country, s.Province, s.Locality = a.list("countries", ""), a.list("provinces", ""), a.list("localities", "")
	w.request.DNSNames = a.list("dns-names", "")
	for _, text := range a.list("ip-sans", "") {
		ip := net.ParseIP(text)
		if ip == nil {
			a.wrong("ip-sans", text)
		}
		w.request.IPAddresses = append(w.request.IPAddresses, ip)
	}
	for _, text := range a.list("uri-sans", "") {
		u, err := url.ParseRequestURI(text)
		if err != nil {
			a.wrong("uri-sans", text)
		}
		w.request.URIs = append(w.request.URIs, u)
	}
	if w.issuer.Name == "" {
		a.wrong("issuer-name", "")
	}
	w.token = a.token(pod("serviceAccount.tokens"))
	return w, a.err
}

// attributes reads values and keeps the first error.
type attributes struct {
	volume, variables map[string]string
	err               error
}

func (a *attributes) wrong(name, value string) {
	if a.err == nil {
		a.err = fmt.Errorf("volume attribute %s%s: %q will not do", prefix, name, value)
	}
}

func (a *attributes) text(name, otherwise string) string {
	if v := a.volume[prefix+name]; v != "" {
		return v
	}
	return otherwise
}

// expanded fills in the pod's names, written as in ${POD_NAME}.
func (a *attributes) expanded(name string) string {
	return os.Expand(a.text(name, ""), func(variable string) string {
		v, ok := a.variables[variable]
		if !ok {
			a.wrong(name, "${"+variable+"}")
		}
		return v
	})
}

func (a *attributes) list(name, otherwise string) []string {
	text := a.expanded(name)
	if text == "" {
		text = otherwise
	}
	var all []string
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			all = append(all, part)
		}
	}
	return all
}

func (a *attributes) duration(name string, otherwise time.Duration) time.Duration {
	text := a.text(name, otherwise.String())
	d, err := time.ParseDuration(text)
	if err != nil {
		a.wrong(name, text)
	}
	return d
}

func (a *attributes) number(name string, otherwise int) int {
	text := a.text(name, strconv.Itoa(otherwise))
	n, err := strconv.Atoi(text)
	if err != nil {
		a.wrong(name, text)
	}
	return n
}

func (a *attributes) file(name, otherwise string) string {
	text := a.text(name, otherwise)
	if strings.Contains(text, "/") || strings.HasPrefix(text, "..") || len(text) > 255 {
		a.wrong(name, text)
	}
	return text
}

// token is the one for the API server, which the kubelet gives under an empty
// audience.
func (a *attributes) token(text string) string {
	if text == "" {
		return ""
	}
	var all map[string]struct {
		Token string `json:"token"`
	}
	if err := json.Unmarshal([]byte(text), &all); err != nil && a.err == nil {
		a.err = fmt.Errorf("reading the pod's tokens: %w", err)
	}
	return all[""].Token
}
