package main

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func volume(attributes map[string]string) map[string]string {
	v := map[string]string{
		"csi.storage.k8s.io/pod.name": "web-0", "csi.storage.k8s.io/pod.namespace": "shop",
		"csi.storage.k8s.io/pod.uid": "u-1", "csi.storage.k8s.io/serviceAccount.name": "seller",
		"csi.storage.k8s.io/serviceAccount.tokens": `{"":{"token":"for-the-api"},"other":{"token":"x"}}`,
		"csi.cert-manager.io/issuer-name":          "ca",
	}
	for name, value := range attributes {
		v["csi.cert-manager.io/"+name] = value
	}
	return v
}

func TestAVolumeIsRead(t *testing.T) {
	w, err := parse(volume(map[string]string{
		"common-name": "${SERVICE_ACCOUNT_NAME}@${POD_NAMESPACE}", "dns-names": "${POD_NAME}.${POD_NAMESPACE}, b",
		"uri-sans": "spiffe://d/ns/${POD_NAMESPACE}/pod/${POD_UID}", "ip-sans": "10.0.0.1", "organizations": "o1,o2",
		"issuer-kind": "AWSPCAIssuer", "issuer-group": "awspca.cert-manager.io", "duration": "1h", "renew-before": "20m",
		"key-usages": "client auth", "fs-group": "65532", "privatekey-file": "key.pem",
	}))
	if err != nil {
		t.Fatal(err)
	}
	r := w.request
	for what, ok := range map[string]bool{
		"common name":  r.Subject.CommonName == "seller@shop",
		"DNS names":    strings.Join(r.DNSNames, "|") == "web-0.shop|b",
		"URI":          len(r.URIs) == 1 && r.URIs[0].String() == "spiffe://d/ns/shop/pod/u-1",
		"address":      len(r.IPAddresses) == 1,
		"organization": strings.Join(r.Subject.Organization, "|") == "o1|o2",
		"issuer":       w.issuer.Name == "ca" && w.issuer.Kind == "AWSPCAIssuer" && w.issuer.Group == "awspca.cert-manager.io",
		"times":        w.duration == time.Hour && w.renewBefore == 20*time.Minute,
		"usages":       len(w.usages) == 1 && w.usages[0] == "client auth",
		"files":        w.keyFile == "key.pem" && w.certificateFile == "tls.crt" && w.caFile == "ca.crt",
		"group":        w.group == 65532,
		"token":        w.token == "for-the-api",
	} {
		if !ok {
			t.Errorf("%s: %+v", what, w)
		}
	}
}

func TestAWrongVolumeIsRefused(t *testing.T) {
	for name, attributes := range map[string]map[string]string{
		"unknown word":     {"pkcs12-enable": "true"},
		"unknown variable": {"common-name": "${NODE_NAME}"},
		"no issuer":        {"issuer-name": ""},
		"address":          {"ip-sans": "10.0.0"},
		"duration":         {"duration": "a day"},
		"file":             {"certificate-file": "../tls.crt"},
		"number":           {"fs-group": "staff"},
	} {
		if _, err := parse(volume(attributes)); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestKeys(t *testing.T) {
	for _, w := range []want{
		{algorithm: "RSA", encoding: "PKCS1"}, {algorithm: "RSA", encoding: "PKCS8"},
		{algorithm: "ECDSA", bits: 384}, {algorithm: "Ed25519"},
	} {
		key, err := w.newKey()
		if err != nil {
			t.Errorf("%+v: %v", w, err)
			continue
		}
		if _, err := x509.MarshalPKIXPublicKey(key.Public()); err != nil {
			t.Error(err)
		}
	}
	if _, err := (&want{algorithm: "ECDSA", bits: 255}).newKey(); err == nil {
		t.Error("made a key of 255 bits")
	}
}

func TestFilesChangeAtOnce(t *testing.T) {
	dir := t.TempDir()
	for _, text := range []string{"first", "second"} {
		if err := write(dir, map[string][]byte{"tls.crt": []byte(text), "tls.key": []byte(text)}, -1); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"tls.crt", "tls.key"} {
			if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != text {
				t.Errorf("%s holds %q, %v; want %q", name, got, err, text)
			}
		}
	}
	if sets, err := filepath.Glob(filepath.Join(dir, "..data-*")); err != nil || len(sets) != 1 {
		t.Errorf("sets of files left: %v, %v", sets, err)
	}
}
