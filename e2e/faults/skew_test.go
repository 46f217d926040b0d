package faults

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"
	"time"

	"daypass.dev/e2e/clients"
	"daypass.dev/e2e/stage"
	"daypass.dev/sandbox/world"
)

// A clock that is wrong by 20 minutes is corrected: neither those who ask serve
// nor programs that live longer than their credentials see a fault. These are
// Go and JavaScript, which correct the clock for their own signatures, too;
// botocore does not, so that AWS refuses it whoever gives it credentials.
func TestServeWithAWrongClock(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes more than a life of a credential")
	}
	for name, ahead := range map[string]time.Duration{"aws-ahead": 20 * time.Minute, "aws-behind": -20 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, _ := newPlay(t, func(w *world.World) func() { w.Advance(ahead); return nil })
			p.untilGood(t, "")
			t.Run("programs", func(t *testing.T) {
				t.Run("callers", func(t *testing.T) {
					t.Parallel()
					p.untilRenewed(t)
				})
				for _, r := range clients.Readers() {
					for from, env := range p.served.Ways() {
						if r.Long {
							t.Run(r.Name+"-"+from, func(t *testing.T) {
								t.Parallel()
								readOn(t, func() *exec.Cmd { return r.Command(t, stage.Bucket, stage.Object, false) }, append(p.stage.Reach(), env...))
							})
						}
					}
				}
			})
			p.stage.World.Advance(-ahead) // somebody sets a clock
			p.untilRenewed(t)
			p.told(t)
			refused := 0
			for _, d := range p.stage.Decisions() {
				if d.Operation == "CreateSession" && !d.Allowed {
					refused++
				}
			}
			if refused != 2 {
				t.Errorf("%d calls were refused; one after each change tells how wrong the clock is", refused)
			}
			if log := p.served.Log(); strings.Contains(log, "level=WARN") || strings.Contains(log, "level=ERROR") {
				t.Error("serve's log tells of a fault")
			}
		})
	}
}

// untilRenewed asks until credentials have been renewed twice.
func (p *play) untilRenewed(t *testing.T) {
	t.Helper()
	keys := map[string]bool{}
	for end := time.Now().Add(4 * life); len(keys) < 3; time.Sleep(between) {
		for _, a := range p.both() {
			if !a.good() {
				t.Fatalf("a fault is seen: %v", a)
			}
			keys[a.document.AccessKeyId] = true
		}
		if time.Now().After(end) {
			t.Fatalf("only %d keys in %v", len(keys), 4*life)
		}
	}
}

// readOn has one process read over and over, longer than credentials live. A
// call that is on its way as they end is refused, whoever gave them, and a busy
// machine is long on the way: then, and only then, another process may try.
func readOn(t *testing.T, command func() *exec.Cmd, env []string) {
	t.Helper()
	for range 3 {
		var out bytes.Buffer
		cmd := command()
		cmd.Env, cmd.Stdout, cmd.Stderr = env, &out, &out
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(life*3/2, func() { _ = in.Close() })
		err = cmd.Wait()
		if err == nil && strings.Contains(out.String(), "read "+stage.Text) {
			return
		}
		if !strings.Contains(out.String(), "ExpiredToken") {
			t.Fatalf("%v\n%s", err, &out)
		}
	}
	t.Error("three processes in turn used credentials that had ended")
}
