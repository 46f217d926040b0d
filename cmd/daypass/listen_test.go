package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"testing"

	"daypass.dev/internal/cli"
)

func TestAddresses(t *testing.T) {
	for listen, want := range map[string]struct {
		addrs    string
		routable bool
	}{
		"127.0.0.1:9911":              {"[127.0.0.1:9911]", false},
		"127.9.9.9:0":                 {"[127.9.9.9:0]", false},
		"[::1]:9911":                  {"[[::1]:9911]", false},
		"localhost:9911":              {"[127.0.0.1:9911 [::1]:9911]", false},
		"LocalHost:0":                 {"[127.0.0.1:0 [::1]:0]", false},
		"169.254.169.254:80":          {"[169.254.169.254:80]", false},
		"[fe80::1%lo]:80":             {"[[fe80::1%lo]:80]", false},
		"[::ffff:127.0.0.1]:80":       {"[127.0.0.1:80]", false},
		":9911":                       {"[[::]:9911]", true},
		"0.0.0.0:9911":                {"[0.0.0.0:9911]", true},
		"[::]:9911":                   {"[[::]:9911]", true},
		"10.1.2.3:80":                 {"[10.1.2.3:80]", true},
		"192.168.0.1:80":              {"[192.168.0.1:80]", true},
		"[fd00:ec2::254]:80":          {"[[fd00:ec2::254]:80]", true},
		"[2001:db8::1]:80":            {"[[2001:db8::1]:80]", true},
		"[::ffff:10.1.2.3]:80":        {"[10.1.2.3:80]", true},
		"224.0.0.1:80":                {"[224.0.0.1:80]", true},
		"[::ffff:169.254.169.254]:80": {"[169.254.169.254:80]", false},
	} {
		addrs, err := addresses(listen)
		if err != nil {
			t.Errorf("%s: %v", listen, err)
			continue
		}
		if fmt.Sprint(addrs) != want.addrs || routable(addrs) != want.routable {
			t.Errorf("%s: %v, routable %v", listen, addrs, routable(addrs))
		}
	}
	for _, listen := range []string{
		"", "9911", "127.0.0.1", "::1:9911", "localhost", "localhost:", "localhost:http", "127.0.0.1:65536", "127.0.0.1:-1", "127.1:9911",
		"example.com:9911", "localhost.:9911", "127.0.0.1 :9911", "http://127.0.0.1:9911",
	} {
		_, err := addresses(listen)
		var told *cli.Error
		if !errors.As(err, &told) || told.Code != cli.Usage || told.Hint == "" {
			t.Errorf("%q: %v", listen, err)
		}
	}
}

func TestListenGivesAllAddressesOnePort(t *testing.T) {
	addrs, err := addresses("localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	open, err := listen(addrs, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	port := open[0].Addr().(*net.TCPAddr).Port
	for _, l := range open {
		if got := l.Addr().(*net.TCPAddr); got.Port != port || !got.IP.IsLoopback() {
			t.Errorf("listens on %v", got)
		}
		_ = l.Close()
	}
	if has, _ := condition("ipv6"); has && len(open) != 2 {
		t.Errorf("listens on %d addresses", len(open))
	}
}

func TestListenLeavesNothingOpenWhereItFails(t *testing.T) {
	taken, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip("this machine has no IPv6 loopback")
	}
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port
	addrs, err := addresses(fmt.Sprintf("localhost:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := listen(addrs, slog.New(slog.DiscardHandler)); err == nil {
		t.Fatal("a port that is taken is left out in silence")
	}
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatalf("IPv4 is still open: %v", err)
	}
	_ = l.Close()
}

// All servers end with the first that does, and with their context.
func TestServersLiveAndEndTogether(t *testing.T) {
	start := func() (all servers) {
		for range 2 {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, server{&http.Server{Handler: http.NotFoundHandler()}, l})
		}
		return all
	}
	ended := func(all servers) {
		for _, s := range all {
			if c, err := net.Dial("tcp", s.listener.Addr().String()); err == nil {
				_ = c.Close()
				t.Error("a server still listens")
			}
		}
	}
	all := start()
	_ = all[1].listener.Close()
	if err := all.serve(t.Context()); err == nil {
		t.Error("a server that broke ends the others without an error")
	}
	ended(all)

	all = start()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- all.serve(ctx) }()
	answer, err := http.Get("http://" + all[0].listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	ended(all)
}
