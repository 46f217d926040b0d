package config

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"strings"
)

// namespaceFile is where a pod finds the namespace that it is in.
const namespaceFile = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// who is a session name that says who asks: namespace.pod in Kubernetes, where
// the host's name is the pod's, else the host. Empty if that is not known.
func who(namespaceFile string) string {
	host, err := os.Hostname()
	if err != nil {
		return ""
	}
	if namespace, err := os.ReadFile(namespaceFile); err == nil {
		host = strings.TrimSpace(string(namespace)) + "." + host
	}
	return sessionName(host)
}

// sessionName makes of a name one that AWS takes for a session, 2 to 64 of a
// few characters; empty where that is too short. Of names that are too long the
// end is told apart by a hash.
func sessionName(name string) string {
	const most, kept, hashed = 64, 51, 12
	name = strings.Map(func(r rune) rune {
		if r > '~' || !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_=,.@-", r) {
			return '-'
		}
		return r
	}, name)
	switch {
	case len(name) < 2:
		return ""
	case len(name) > most:
		sum := sha256.Sum256([]byte(name))
		name = name[:kept] + "-" + hex.EncodeToString(sum[:])[:hashed]
	}
	return name
}
