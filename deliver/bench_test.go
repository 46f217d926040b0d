package deliver

import (
	"io"
	"net"
	"net/http"
	"syscall"
	"testing"
	"time"
)

// The budget of serve is at least 0.8 of what a bare handler does that writes
// the same bytes: compare BenchmarkGet/imds and /container with /bare.
func BenchmarkGet(b *testing.B) {
	src := always(good(), nil)
	imds := &IMDS{Source: src, RoleARN: roleARN, Region: "eu-west-1"}
	path := b.TempDir() + "/token"
	writeFile(b, path, secretProof)
	for _, bench := range []struct {
		name, path, header, value string
		h                         http.Handler
	}{
		{"imds", "/latest/meta-data/iam/security-credentials/reports", headerToken, imds.tokens.make(maxTokenTTL * 1e9), imds},
		{"container", ContainerPath, "Authorization", secretProof, &Container{Source: src, Token: secretProof}},
		{"container-file", ContainerPath, "Authorization", secretProof, &Container{Source: src, TokenFile: path}},
	} {
		document := serve(bench.h, local("GET", bench.path, bench.header, bench.value))
		if document.Code != http.StatusOK {
			b.Fatalf("%s: %d %s", bench.name, document.Code, document.Body)
		}
		b.Run(bench.name, func(b *testing.B) {
			get(b, Server(Guard(bench.h, nil), nil), bench.path, bench.header, bench.value)
		})
		b.Run(bench.name+"/bare", func(b *testing.B) {
			bytes := document.Body.Bytes()
			get(b, &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(bytes) })},
				bench.path, bench.header, bench.value)
		})
	}
}

func get(b *testing.B, server *http.Server, path, header, value string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go func() { _ = server.Serve(l) }()
	defer server.Close()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	defer func(before time.Duration) {
		// Of client and server together; unlike the time, it does not depend on
		// what else the machine does.
		b.ReportMetric(float64(cpu(b)-before)/float64(b.N), "cpu-ns/op")
	}(cpu(b))
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r, err := http.NewRequest("GET", "http://"+l.Addr().String()+path, nil)
			if err != nil {
				b.Error(err)
				return
			}
			r.Header.Set(header, value)
			answer, err := client.Do(r)
			if err != nil {
				b.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, answer.Body)
			_ = answer.Body.Close()
			if answer.StatusCode != http.StatusOK {
				b.Errorf("status %d", answer.StatusCode)
				return
			}
		}
	})
}

func cpu(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// What one read of held credentials costs without the network.
func BenchmarkHandler(b *testing.B) {
	imds := &IMDS{Source: always(good(), nil), RoleARN: roleARN}
	r := local("GET", "/latest/meta-data/iam/security-credentials/reports", headerToken, imds.tokens.make(maxTokenTTL*1e9))
	b.ReportAllocs()
	for b.Loop() {
		serve(imds, r)
	}
}
