package kube

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"daypass.dev/e2e/kube/node"
)

// follow says what a node's first process reports, until all its programs run.
func (c *Cluster) follow(ctx context.Context, n *Node) error {
	said := 0
	for {
		text, err := os.ReadFile(n.file("progress"))
		if err != nil {
			return err
		}
		lines := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
		for _, line := range lines[min(said, len(lines)):] {
			if line != "" && line != node.Started {
				c.say("%s: %s", n.Name, line)
			}
			if line == node.Started {
				return nil
			}
		}
		if string(text) != "" {
			said = len(lines)
		}
		if ended := n.ended(); ended != "" {
			return fmt.Errorf("%s: %s", n.Name, ended)
		}
		if _, err := c.pid(n); err != nil {
			return fmt.Errorf("%s could not be made: %s", n.Name, strings.TrimSpace(string(text)))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for the programs of %s: %w", n.Name, ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// ended returns what the node has said about a program that ended, with the
// end of the program's log; or nothing.
func (n *Node) ended() string {
	text, err := os.ReadFile(n.file("progress"))
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		name, rest, ok := strings.Cut(line, " ended: ")
		if !ok {
			continue
		}
		log, err := os.ReadFile(n.file(filepath.Join("log", name+".log")))
		if err != nil {
			return strings.TrimSpace(line)
		}
		return fmt.Sprintf("%s ended: %s; the end of its log:\n%s", name, strings.TrimSpace(rest), tail(string(log), 15))
	}
	return ""
}

func tail(text string, lines int) string {
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// Logs are the files that the nodes' programs write.
func (c *Cluster) Logs() []string {
	var all []string
	for _, n := range c.nodes() {
		logs, _ := filepath.Glob(n.file("log/*.log")) // the pattern is well formed
		all = append(all, logs...)
	}
	return all
}
