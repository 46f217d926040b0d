package clients

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"daypass.dev/e2e/stage"
)

const lives = 3

// A delivery makes the environment by which a client gets its credentials.
type delivery struct {
	name string
	env  []string
}

func deliveries(t *testing.T, s *stage.Stage, daypass string) []delivery {
	served := stage.Serve(t, daypass, append(s.Reach(), s.Settings()...))
	served.Await(t)
	process := fmt.Sprintf("[default]\ncredential_process = %s credential-process --cache-dir %s\n", daypass, stage.Memory(t))
	if err := os.WriteFile(s.File("aws-config"), []byte(process), 0o600); err != nil {
		t.Fatal(err)
	}
	all := []delivery{{"credential-process", []string{"AWS_CONFIG_FILE=" + s.File("aws-config")}}}
	for name, env := range served.Ways() {
		all = append(all, delivery{name, env})
	}
	return all
}

// Every client, through every delivery, reads an object over three lives of
// its credentials: the sandbox has seen it with three access keys.
func TestEveryClientThroughEveryDelivery(t *testing.T) {
	if testing.Short() {
		t.Skip("takes three lives of a credential")
	}
	s := stage.Start(t, life, "ec-p256")
	for _, d := range deliveries(t, s, stage.Binary(t, "daypass")) {
		for _, c := range Readers() {
			t.Run(d.name+"/"+c.Name, func(t *testing.T) {
				t.Parallel()
				key := d.name + "-" + c.Name
				put(s, key)
				env := append(append(s.Reach(), s.Settings()...), d.env...)
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute+lives*life)
				defer cancel()
				if c.Long {
					readInOneProcess(ctx, t, s, c, key, env)
				} else {
					readOncePerProcess(ctx, t, s, c, key, env)
				}
				if got := len(accessKeys(s, key)); got < lives {
					t.Errorf("the sandbox saw %d access keys, want %d", got, lives)
				}
			})
		}
	}
}

// put places an object of the pair's own, so that the records tell pairs
// apart.
func put(s *stage.Stage, key string) {
	s.World.Lock()
	defer s.World.Unlock()
	_, b := s.World.Bucket(stage.Bucket)
	b.Objects[key] = b.Objects[stage.Object]
}

// accessKeys are those with which an object was read.
func accessKeys(s *stage.Stage, key string) map[string]bool {
	seen := map[string]bool{}
	for _, d := range s.Decisions() {
		for _, c := range d.Checks {
			if d.Operation == "GetObject" && d.Allowed && strings.HasSuffix(c.Resource, "/"+key) {
				seen[d.AccessKey] = true
			}
		}
	}
	return seen
}

func readInOneProcess(ctx context.Context, t *testing.T, s *stage.Stage, c Reader, key string, env []string) {
	cmd := c.Command(t, stage.Bucket, key, false)
	cmd.Env = env
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	for len(accessKeys(s, key)) < lives {
		select {
		case err := <-done:
			t.Fatalf("%s ended: %v\n%s", c.Name, err, &out)
		case <-ctx.Done():
			_ = cmd.Process.Kill()
			<-done
			t.Fatalf("%s: %v\n%s", c.Name, ctx.Err(), &out)
		case <-time.After(200 * time.Millisecond):
		}
	}
	_ = in.Close()
	if err := <-done; err != nil {
		t.Errorf("%s: %v\n%s", c.Name, err, &out)
	}
	if !strings.Contains(out.String(), "read "+stage.Text) {
		t.Errorf("%s did not read the object:\n%s", c.Name, &out)
	}
}

func readOncePerProcess(ctx context.Context, t *testing.T, s *stage.Stage, c Reader, key string, env []string) {
	for len(accessKeys(s, key)) < lives {
		cmd := c.Command(t, stage.Bucket, key, false)
		cmd.Env = env
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), stage.Text) {
			t.Fatalf("%s: %v\n%s", c.Name, err, out)
		}
		select {
		case <-ctx.Done():
			t.Fatal(ctx.Err())
		case <-time.After(life * 11 / 20): // by then they are renewed
		}
	}
}
