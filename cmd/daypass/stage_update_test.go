package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"daypass.dev/e2e/peers"
)

// awsCLI runs the AWS CLI, or skips the script where there is none.
func (s *stage) awsCLI(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: aws ARG...")
	}
	cli, err := peers.AWSCLI(context.Background())
	peers.Need(s.t, "aws-cli", err)
	ts.Check(ts.Exec(cli, args...))
}

// mode checks a file's permissions, in octal.
func mode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: mode OCTAL FILE")
	}
	info, err := os.Lstat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := strconv.FormatUint(uint64(info.Mode().Perm()), 8); got != args[0] {
		ts.Fatalf("the mode of %s is %s", args[1], got)
	}
}

// socket listens as systemd does for what a service says of itself.
func (s *stage) socket(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: socket")
	}
	path := filepath.Join(ts.MkAbs("."), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	ts.Check(err)
	ts.Defer(func() { _ = l.Close() })
	s.notified = l
	ts.Setenv("NOTIFY_SOCKET", path)
}

// heard waits for a state that the service tells.
func (s *stage) heard(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: notified STATE")
	}
	ts.Check(s.notified.SetReadDeadline(time.Now().Add(30 * time.Second)))
	text := make([]byte, 4096)
	n, err := s.notified.Read(text)
	ts.Check(err)
	if string(text[:n]) != args[0] {
		ts.Fatalf("the service said %q", text[:n])
	}
}

// awaitChange waits until a file is no longer the same as another.
func awaitChange(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: awaitchange FILE FORMER")
	}
	former := ts.ReadFile(args[1])
	err := eventually(func() error {
		text, err := os.ReadFile(ts.MkAbs(args[0]))
		if err == nil && string(text) == former {
			err = errors.New("it does not change")
		}
		return err
	})
	if err != nil {
		ts.Fatalf("%s: %v", args[0], err)
	}
}

func eventually(happens func() error) (err error) {
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if err = happens(); err == nil {
			return nil
		}
	}
	return fmt.Errorf("not within 30 s: %w", err)
}
