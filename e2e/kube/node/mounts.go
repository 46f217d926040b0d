package node

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// mounts gives the node its own view of the file system. Called once, before
// anything else runs.
func (c *Config) mounts() error {
	// Cut off from the machine's mounts first, then shared again among the
	// node's own: volumes that a driver's pod mounts must reach the kubelet.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making mounts private: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		return fmt.Errorf("sharing mounts within the node: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mounting /proc: %w", err)
	}
	if err := c.cover(); err != nil {
		return err
	}
	kept, err := hold(c.Keep)
	if err != nil {
		return err
	}
	for _, dir := range c.Hide {
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=0755"); err != nil {
			return fmt.Errorf("mounting an empty %s: %w", dir, err)
		}
	}
	for dir, f := range kept {
		if err := bind("/proc/self/fd/"+strconv.Itoa(int(f.Fd())), dir); err != nil {
			return err
		}
		f.Close()
	}
	for dir, place := range c.Binds {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := bind(dir, place); err != nil {
			return err
		}
	}
	return c.pretend()
}

// cover lays an overlay over each folder of Cover.
func (c *Config) cover() error {
	for _, dir := range c.Cover {
		upper, work := filepath.Join(c.Covers, dir, "upper"), filepath.Join(c.Covers, dir, "work")
		for _, d := range []string{upper, work} {
			if err := os.MkdirAll(d, 0o755); err != nil {
				return err
			}
		}
		options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", dir, upper, work)
		if err := unix.Mount("overlay", dir, "overlay", 0, options); err != nil {
			return fmt.Errorf("covering %s: %w", dir, err)
		}
	}
	return nil
}

// hold opens folders so that they can be found when their paths are covered.
func hold(dirs []string) (map[string]*os.File, error) {
	held := map[string]*os.File{}
	for _, dir := range dirs {
		f, err := os.Open(dir)
		if err != nil {
			return nil, err
		}
		held[dir] = f
	}
	return held, nil
}

func bind(from, to string) error {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(from, to, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("binding %s to %s: %w", from, to, err)
	}
	return nil
}

// pretend covers settings of the whole machine with files that already hold
// what the kubelet would otherwise write there.
func (c *Config) pretend() error {
	dir := "/run/pretend"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for setting, value := range c.Pretend {
		file := filepath.Join(dir, filepath.Base(setting))
		if err := os.WriteFile(file, []byte(value+"\n"), 0o644); err != nil {
			return err
		}
		if err := unix.Mount(file, setting, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("covering %s: %w", setting, err)
		}
	}
	return nil
}
