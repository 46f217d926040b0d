package kube

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// started is written when the cluster is whole: what it was started from.
type started struct {
	Key     string
	Version string
	Nodes   int
	Issuer  string
}

// Up builds what is missing and starts the cluster, and returns when its nodes
// are Ready and its DNS answers. A cluster that was started from the same
// programs is used as it is; any other, whole or half, is ended first.
func (c *Cluster) Up(ctx context.Context) error {
	unlock, err := c.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	programs, err := c.Build(ctx)
	if err != nil {
		return err
	}
	want, err := c.wanted(programs)
	if err != nil {
		return err
	}
	have, why := c.running()
	if have == want && why == nil {
		c.say("the cluster runs already")
		return nil
	}
	if _, err := os.Stat(c.Dir); err == nil {
		if why == nil {
			why = fmt.Errorf("it was started from other programs or with other settings")
		}
		c.say("ending what is left in %s: %v", c.Dir, why)
	}
	if err := c.clean(); err != nil {
		return err
	}
	begin := time.Now()
	if err := c.start(ctx, programs); err != nil {
		return fmt.Errorf("starting the cluster (its files stay in %s until the next start): %w", c.Dir, err)
	}
	c.say("cluster ready after %.1f s", time.Since(begin).Seconds())
	text, err := json.Marshal(want)
	if err != nil {
		return err
	}
	return os.WriteFile(c.file("started.json"), text, 0o644)
}

// wanted says what a cluster would be started from.
func (c *Cluster) wanted(programs map[string]string) (started, error) {
	h := sha256.New()
	self, err := os.Executable()
	if err != nil {
		return started{}, err
	}
	f, err := os.Open(self)
	if err != nil {
		return started{}, err
	}
	defer f.Close()
	if _, err := io.Copy(h, f); err != nil {
		return started{}, err
	}
	fmt.Fprintln(h, programs) // map keys are printed in order
	return started{Key: fmt.Sprintf("%x", h.Sum(nil)), Version: c.version(), Nodes: len(c.nodes()), Issuer: c.Issuer}, nil
}

// running says what the cluster was started from, or why it is not whole.
func (c *Cluster) running() (started, error) {
	var s started
	text, err := os.ReadFile(c.file("started.json"))
	if err != nil {
		return s, fmt.Errorf("it was not started to the end")
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return s, err
	}
	for i := range s.Nodes {
		n := c.node(i + 1)
		if _, err := c.pid(n); err != nil {
			return s, err
		}
		if ended := n.ended(); ended != "" {
			return s, fmt.Errorf("%s: %s", n.Name, ended)
		}
	}
	return s, nil
}

// start brings up the nodes side by side and then what runs in them.
func (c *Cluster) start(ctx context.Context, programs map[string]string) error {
	ctx, cancel := context.WithTimeout(ctx, 4*time.Minute)
	defer cancel()
	if err := canWatch(watches); err != nil {
		return err
	}
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return err
	}
	if err := c.link(programs); err != nil {
		return err
	}
	authority, err := c.secure()
	if err != nil {
		return fmt.Errorf("making certificates: %w", err)
	}
	for _, n := range c.nodes() {
		if err := n.configure(authority, gates); err != nil {
			return err
		}
		if err := n.makeCgroups(); err != nil {
			return err
		}
		if err := c.launch(n); err != nil {
			return fmt.Errorf("launching %s: %w", n.Name, err)
		}
	}
	if err := c.join(ctx); err != nil {
		return err
	}
	tars, err := c.baseImages(programs)
	if err != nil {
		return err
	}
	for _, n := range c.nodes() {
		if err := c.follow(ctx, n); err != nil {
			return err
		}
	}
	if err := c.Import(ctx, tars...); err != nil {
		return err
	}
	return c.furnish(ctx)
}

// launch starts a node's first process, which outlives this one.
func (c *Cluster) launch(n *Node) error {
	text, err := json.MarshalIndent(c.config(n), "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(n.mark(), text, 0o600); err != nil {
		return err
	}
	progress, err := os.Create(n.file("progress"))
	if err != nil {
		return err
	}
	defer progress.Close()
	cmd := exec.Command("/proc/self/exe", NodeCommand, n.mark())
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = progress, progress
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setsid:     true,
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWUTS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET,
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	go cmd.Wait() // only so that it is no zombie while this process lives
	// The kernel tells Start that the program is there a moment before it shows
	// its arguments to those who look for the mark.
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if _, err := c.pid(n); err == nil || time.Now().After(end) {
			return err
		}
	}
}

// join lays the link between the two nodes, from one namespace into the other,
// so that this machine never sees it.
func (c *Cluster) join(ctx context.Context) error {
	if len(c.nodes()) < 2 {
		return nil
	}
	second := c.node(2)
	pid, err := c.pid(second)
	if err != nil {
		return err
	}
	for _, line := range [][]string{
		{"link", "add", uplink, "type", "veth", "peer", "name", "eth0", "netns", strconv.Itoa(pid)},
		{"link", "set", uplink, "master", "node0", "up"},
		{"route", "add", second.pods(), "via", second.address()},
	} {
		if err := c.ip(ctx, line...); err != nil {
			return fmt.Errorf("joining the nodes: %w", err)
		}
	}
	return nil
}

// Whole returns nil if the cluster was started to the end and all its programs
// still run, and otherwise what is missing.
func (c *Cluster) Whole() error {
	_, err := c.running()
	return err
}
