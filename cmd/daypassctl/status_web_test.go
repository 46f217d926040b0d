package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"daypass.dev/kube/survey"
)

// The page is at the address that is printed, and nowhere else, until the command
// is ended.
func TestStatusWeb(t *testing.T) {
	ctx, end := context.WithCancel(t.Context())
	defer end()
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- statusWeb(ctx, in, "127.0.0.1:0", func(context.Context) (*survey.Status, error) {
			return &survey.Status{At: time.Now(), Workloads: []survey.Workload{{Namespace: "shop", Pod: "web-1", ServiceAccount: "web", Reason: "credentials-none"}}}, nil
		})
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	address := strings.TrimSpace(line)
	for path, want := range map[string]int{"": 200, "?state=lacking": 200, "reason/credentials-none": 200, "x": 404, "../": 404} {
		answer, err := http.Get(address + path)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if err != nil || answer.StatusCode != want || want == 200 && !strings.Contains(string(text), "credentials-none") {
			t.Errorf("%s%s: %d %v %.200s", address, path, answer.StatusCode, err, text)
		}
	}
	end()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := http.Get(address); err == nil {
		t.Error("the page outlives its command")
	}
}
