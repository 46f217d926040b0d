// Package budgets measures daypass as it is shipped against what it may cost:
// size, the CPU of one credential-process, the memory of serve. Beside each
// figure stands its budget; a person compares, for machines are shared.
package budgets

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"daypass.dev/e2e/build"
	"daypass.dev/e2e/stage"
)

// The size does not depend on the machine, so it is a test.
func TestBinarySize(t *testing.T) {
	const most = 9_000_000
	info, err := os.Stat(stage.Binary(t, "daypass"))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("daypass, stripped and static: %d bytes", info.Size())
	if info.Size() > most {
		t.Errorf("daypass has %d bytes, more than %d", info.Size(), most)
	}
}

// Budget: daypass at most 1.25 x floor.
func BenchmarkCredentialProcess(b *testing.B) {
	s := stage.Start(b, 0, "ec-p256")
	daypass := stage.Binary(b, "daypass")
	floor, err := build.Ours(b.Context(), "", "./floor")
	if err != nil {
		b.Fatal(err)
	}
	// Turn by turn, so that whatever else the machine does strikes both.
	var cpu [2]time.Duration
	var faults [2]int64 // pages that were touched for the first time: most of the CPU, and the same on a busy machine
	for b.Loop() {
		for i, args := range [][]string{
			{floor, s.File("tls.crt"), s.File("tls.key"), s.CAFile, s.URL, "us-east-1", stage.ProfileARN, stage.RoleARN, stage.AnchorARN},
			{daypass, "credential-process", "--no-cache"},
		} {
			cmd := exec.Command(args[0], args[1:]...)
			cmd.Env = append(s.Reach(), s.Settings()...)
			if out, err := cmd.CombinedOutput(); err != nil {
				b.Fatalf("%v\n%s", err, out)
			}
			cpu[i] += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
			faults[i] += cmd.ProcessState.SysUsage().(*syscall.Rusage).Minflt
		}
	}
	milliseconds := func(d time.Duration) float64 { return d.Seconds() * 1000 / float64(b.N) }
	b.ReportMetric(milliseconds(cpu[0]), "floor-cpu-ms")
	b.ReportMetric(milliseconds(cpu[1]), "daypass-cpu-ms")
	b.ReportMetric(cpu[1].Seconds()/cpu[0].Seconds(), "x-floor")
	b.ReportMetric(float64(faults[0])/float64(b.N), "floor-faults")
	b.ReportMetric(float64(faults[1])/float64(b.N), "daypass-faults")
}

// Budget: idle 11 MB, after 10,000 GETs on 16 connections 16 MB, with 1,000
// connections 45 MB.
func BenchmarkServeMemory(b *testing.B) {
	for b.Loop() {
		s := stage.Start(b, 0, "ec-p256")
		base, pid := serve(b, s)
		token := imdsToken(b, base)
		get(b, &http.Client{}, base, token)
		b.ReportMetric(resident(b, pid), "idle-MB")
		load(b, base, token, 16, 10_000)
		b.ReportMetric(resident(b, pid), "after-10000-MB")
		clients := load(b, base, token, 1000, 1000)
		b.ReportMetric(resident(b, pid), "1000-connections-MB")
		for _, c := range clients {
			c.CloseIdleConnections()
		}
	}
}

func serve(b *testing.B, s *stage.Stage) (base string, pid int) {
	b.Helper()
	cmd := exec.Command(stage.Binary(b, "daypass"), "serve", "--listen", "127.0.0.1:0")
	cmd.Env = append(s.Reach(), s.Settings()...)
	cmd.Stderr = io.Discard
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	_, base, ok := strings.Cut(strings.TrimSpace(line), "AWS_EC2_METADATA_SERVICE_ENDPOINT=")
	if !ok {
		b.Fatalf("serve printed %q: %v", line, err)
	}
	return base, cmd.Process.Pid
}

func imdsToken(b *testing.B, base string) string {
	b.Helper()
	req, err := http.NewRequest("PUT", base+"/latest/api/token", nil)
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("X-aws-ec2-metadata-token-ttl-seconds", "21600")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	token, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		b.Fatalf("token: status %d, %v", resp.StatusCode, err)
	}
	return string(token)
}

func get(b testing.TB, c *http.Client, base, token string) {
	for range 100 {
		req, err := http.NewRequest("GET", base+"/latest/meta-data/iam/security-credentials/reader", nil)
		if err != nil {
			b.Error(err)
			return
		}
		req.Header.Set("X-aws-ec2-metadata-token", token)
		resp, err := c.Do(req)
		if err != nil {
			b.Error(err)
			return
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err == nil && resp.StatusCode == 200 && strings.Contains(string(body), `"Success"`) {
			return
		}
		time.Sleep(100 * time.Millisecond) // the first exchange is under way
	}
	b.Error("no credentials after 10 s")
}

// load makes n GETs on that many connections, and leaves these open.
func load(b *testing.B, base, token string, connections, n int) []*http.Client {
	clients := make([]*http.Client, connections)
	var wait sync.WaitGroup
	for i := range clients {
		clients[i] = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1, MaxConnsPerHost: 1}}
		wait.Go(func() {
			for range n / connections {
				get(b, clients[i], base, token)
			}
		})
	}
	wait.Wait()
	return clients
}

func resident(b *testing.B, pid int) float64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Skipf("no resident size: %v", err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				b.Fatal(err)
			}
			return float64(kb) / 1000
		}
	}
	b.Fatal("no VmRSS")
	return 0
}
