package faults

import (
	"errors"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"daypass.dev/e2e/stage"
)

// DNS that goes and comes back: the last good credentials are served, then an
// error that names the host, then new ones. The name is in a file of hosts that
// serve alone sees, in a mount namespace of its own.
func TestServeWithoutDNS(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes more than a life of a credential")
	}
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		t.Skip("skipped: a mount namespace needs root on Linux")
	}
	s := stage.Start(t, life, "ec-p256")
	at, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	const name = "rolesanywhere.us-east-1.amazonaws.com"
	dir := t.TempDir()
	hosts, resolver := filepath.Join(dir, "hosts"), filepath.Join(dir, "resolv.conf")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(hosts, "127.0.0.1 "+name+"\n")
	write(resolver, "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n") // where nobody answers
	alone := filepath.Join(dir, "daypass")
	write(alone, `#!/bin/sh
exec unshare --mount sh -c 'mount --bind `+hosts+` /etc/hosts && mount --bind `+resolver+` /etc/resolv.conf && exec "$@"' sh `+program(t, "daypass")+` "$@"
`)
	if err := errors.Join(os.Chmod(alone, 0o755), exec.Command("unshare", "--mount", "true").Run()); err != nil {
		t.Skipf("skipped: no mount namespace: %v", err)
	}
	env := append(append(s.Reach(), s.Settings()...), "AWS_ENDPOINT_URL=https://"+name+":"+at.Port())
	p := &play{stage: s}
	p.caller = newCaller(t, stage.Serve(t, alone, env))
	first := p.untilGood(t, "")

	write(hosts, "") // in place: the mount stays
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(between) {
		all := p.both()
		refused := 0
		for _, a := range all {
			switch {
			case a.refused() && a.document.Code == unavailable && strings.Contains(a.document.Message, name):
				refused++
			case a.good() && a.sent.Before(a.document.Expiration.Add(late)):
			case a.refused() && a.document.Code == pending:
			default:
				t.Fatalf("neither credentials that live nor an error that names the host: %v", a)
			}
		}
		if refused == len(all) {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("credentials do not end: %v", all)
		}
	}
	if log := p.served.Log(); !strings.Contains(log, "lookup "+name) || !strings.Contains(log, "hint=\"check /etc/resolv.conf") {
		t.Error("serve's log does not tell what to look at")
	}
	write(hosts, "127.0.0.1 "+name+"\n")
	p.untilGood(t, first.document.AccessKeyId)
	p.told(t)
}
