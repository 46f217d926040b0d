package node

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestAProgramStartsAfterWhatItNeedsAnswers(t *testing.T) {
	status := http.StatusServiceUnavailable
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	defer server.Close()
	if answers(t.Context(), server.Client(), server.URL) {
		t.Error("503 counts as an answer")
	}
	status = http.StatusOK
	if !answers(t.Context(), server.Client(), server.URL) {
		t.Error("200 does not count as an answer")
	}
	socket := filepath.Join(t.TempDir(), "s")
	if answers(t.Context(), nil, "unix://"+socket) {
		t.Error("no socket counts as an answer")
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if !answers(t.Context(), nil, "unix://"+socket) {
		t.Error("a socket does not count as an answer")
	}
	if err := await(""); err != nil {
		t.Errorf("what needs nothing waits: %v", err)
	}
}

func TestProgramsAreFoundInTheNodesPath(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	for file, mode := range map[string]os.FileMode{first + "/tool": 0o600, second + "/tool": 0o700} {
		if err := os.WriteFile(file, nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := find("tool", first+":"+second); err != nil || got != second+"/tool" {
		t.Errorf("found %q, %v; the first of that name is no program", got, err)
	}
	if _, err := find("tool", first); err == nil || !strings.Contains(err.Error(), first) {
		t.Errorf("the error is %v", err)
	}
}

func TestHowAProgramEnded(t *testing.T) {
	for status, want := range map[unix.WaitStatus]string{3 << 8: "exit status 3", 9: "signal killed", 0: "exit status 0"} {
		if got := how(status); got != want {
			t.Errorf("status %d: %s, want %s", status, got, want)
		}
	}
}

func TestOnlyAFirstProcessBecomesANode(t *testing.T) {
	file := filepath.Join(t.TempDir(), "node.json")
	if err := os.WriteFile(file, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Run(file, os.Stderr); err == nil || !strings.Contains(err.Error(), "not the first of its namespace") {
		t.Errorf("the error is %v", err)
	}
}
