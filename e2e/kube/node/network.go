package node

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"time"
)

// network sets up the node's links, addresses and routes.
func (c *Config) network() error {
	for end := time.Now().Add(30 * time.Second); c.Await != ""; time.Sleep(20 * time.Millisecond) {
		if _, err := net.InterfaceByName(c.Await); err == nil {
			break
		}
		if time.Now().After(end) {
			return fmt.Errorf("link %s did not appear within 30 s", c.Await)
		}
	}
	ip := exec.Command("ip", "-batch", "-")
	ip.Env = []string{"PATH=" + c.Path}
	ip.Stdin = strings.NewReader(strings.Join(c.Links, "\n") + "\n")
	if out, err := ip.CombinedOutput(); err != nil {
		return fmt.Errorf("setting up links: %w: %s", err, out)
	}
	for setting, value := range c.Sysctls {
		if err := os.WriteFile(setting, []byte(value), 0o644); err != nil {
			return err
		}
	}
	return nil
}
