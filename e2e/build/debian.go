package build

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// Debian installs the Debian packages of which a file is missing: files maps a
// file to the package that brings it. Only root on Debian can; for everybody
// else the error says what to install.
func (c *Cache) Debian(ctx context.Context, files map[string]string) error {
	var missing []string
	for file, pkg := range files {
		if _, err := os.Stat(file); err != nil && !slices.Contains(missing, pkg) {
			missing = append(missing, pkg)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	slices.Sort(missing)
	list := strings.Join(missing, " ")
	if _, err := exec.LookPath("apt-get"); err != nil || os.Geteuid() != 0 {
		return fmt.Errorf("missing on this machine: %s; as root on Debian they are installed here, elsewhere install what those Debian packages hold", list)
	}
	c.say("installing %s", list)
	install := append([]string{"install", "-y", "-q", "--no-install-recommends"}, missing...)
	if c.apt(ctx, install...) == nil {
		return nil
	}
	// The lists may be absent or old: a new machine has none.
	if err := c.apt(ctx, "update", "-q"); err != nil {
		return err
	}
	return c.apt(ctx, install...)
}

func (c *Cache) apt(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "apt-get", args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("apt-get %s: %w: %s", args[0], err, out)
	}
	return nil
}
