package cadir

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"daypass.dev/internal/atomicfile"
	"daypass.dev/pki"
)

// victim names the folder that this program works in, when it is started to be
// killed.
const victim = "CADIR_VICTIM"

func TestMain(m *testing.M) {
	if dir := os.Getenv(victim); dir != "" {
		work(dir)
	}
	os.Exit(m.Run())
}

// work makes CAs and uses one of them until it is killed. It prints a line
// before each thing that it does.
func work(dir string) {
	d := must(Open(filepath.Join(dir, "ca")))
	ctx := context.Background()
	for i := 0; ; i++ {
		fmt.Println("issue")
		c := must(d.Issue(ctx, leaf(time.Hour), noon))
		name := pki.HexSerial(c)
		if err := atomicfile.Create(filepath.Join(dir, "out", name), pki.EncodeCertificate(c), 0o600); err != nil {
			panic(err)
		}
		fmt.Println("more")
		switch i % 4 {
		case 1:
			must(d.Revoke(ctx, c.SerialNumber, noon))
			if err := atomicfile.Create(filepath.Join(dir, "revoked", name), nil, 0o600); err != nil {
				panic(err)
			}
		case 2:
			must(d.WriteCRL(ctx, time.Hour, noon))
		case 3:
			must(Create(filepath.Join(dir, "made", strconv.Itoa(os.Getpid())+"-"+strconv.Itoa(i)), newCA(noon), noon))
		}
	}
}

func TestKilledAtAnyMomentLosesNothing(t *testing.T) {
	const rounds = 20
	dir := t.TempDir()
	for _, sub := range []string{"out", "revoked", "made"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	d := must(Create(filepath.Join(dir, "ca"), newCA(noon), noon))
	if err := os.WriteFile(d.File("README"), []byte("ours"), 0o640); err != nil {
		t.Fatal(err)
	}
	number := int64(0)
	for range rounds {
		killSoon(t, dir)
		number = survived(t, dir, number)
	}
	foreignUntouched(t, d)
	if made := names(t, filepath.Join(dir, "out")); len(made) < rounds {
		t.Errorf("only %d certificates were issued in %d rounds: the test shows little", len(made), rounds)
	}
}

func killSoon(t *testing.T, dir string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), victim+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// Somewhere in or after the last of up to nine steps; the odd ones issue.
	lines := bufio.NewReader(out)
	for range 1 + rand.IntN(9) {
		if line, err := lines.ReadString('\n'); err != nil {
			t.Fatalf("the process to be killed says %q, %v", line, err)
		}
	}
	time.Sleep(time.Duration(rand.IntN(3_000)) * time.Microsecond)
	_ = cmd.Process.Kill()
	if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != -1 {
		t.Errorf("the process was not killed but ended: %v", err)
	}
}

// survived checks what must hold after a kill, and uses the CA once.
func survived(t *testing.T, dir string, number int64) int64 {
	t.Helper()
	ctx := t.Context()
	d, err := Open(filepath.Join(dir, "ca"))
	if err != nil {
		t.Fatal(err)
	}
	entries := map[string]Entry{}
	for _, e := range must(d.readLedger()).Certificates {
		entries[e.Serial] = e
	}
	for _, name := range names(t, filepath.Join(dir, "out")) {
		if _, ok := entries[name]; !ok {
			t.Errorf("%s was handed out and is not in the ledger", name)
		}
	}
	revoked := names(t, filepath.Join(dir, "revoked"))
	for _, name := range revoked {
		if entries[name].Revoked.IsZero() {
			t.Errorf("%s was revoked and the ledger does not say so", name)
		}
	}
	if _, err := os.Stat(d.File(CRLFile)); err == nil {
		if l := list(t, d); l.Number.Int64() < number {
			t.Errorf("list %s is older than list %d before the kill", l.Number, number)
		}
	}
	for _, name := range names(t, filepath.Join(dir, "made")) {
		if _, err := Open(filepath.Join(dir, "made", name)); err != nil {
			t.Errorf("a CA that was being made: %v", err)
		}
	}
	written := must(d.WriteCRL(ctx, time.Hour, noon))
	if written.Number <= number {
		t.Errorf("list %d follows list %d", written.Number, number)
	}
	listed := revokedSerials(list(t, d))
	for _, name := range revoked {
		serial := must(ParseSerial(name)).Text(16)
		if !slices.Contains(listed, serial) {
			t.Errorf("%s is not on the list", name)
		}
	}
	return written.Number
}

// names lists a folder without what killed processes leave behind.
func names(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	for _, f := range must(os.ReadDir(dir)) {
		if f.Name()[0] != '.' {
			all = append(all, f.Name())
		}
	}
	return all
}
