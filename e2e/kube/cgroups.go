package kube

import (
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

const cgroups = "/sys/fs/cgroup"

// CgroupPrefix begins the names of the cluster's control groups, and of no
// others.
func (c *Cluster) CgroupPrefix() string { return cgroupPrefix(c.Dir) }

// Control groups have no namespace here, so the name tells clusters apart.
func cgroupPrefix(dir string) string {
	h := fnv.New32a()
	h.Write([]byte(dir))
	return fmt.Sprintf("daypass-%08x-", h.Sum32())
}

// hierarchies are the roots of control groups: one for each controller in
// version 1, one in all in version 2.
func hierarchies() ([]string, error) {
	if _, err := os.Stat(filepath.Join(cgroups, "cgroup.controllers")); err == nil {
		return []string{cgroups}, nil
	}
	all, err := filepath.Glob(cgroups + "/*/cgroup.procs")
	if err != nil {
		return nil, err
	}
	var roots []string
	for _, file := range all {
		roots = append(roots, filepath.Dir(file))
	}
	if len(roots) == 0 {
		return nil, fmt.Errorf("%s holds no control groups: is it mounted?", cgroups)
	}
	return roots, nil
}

// makeCgroups makes the node's own control group in every hierarchy, which the
// kubelet wants to find.
func (n *Node) makeCgroups() error {
	roots, err := hierarchies()
	if err != nil {
		return err
	}
	for _, root := range roots {
		if err := os.MkdirAll(filepath.Join(root, n.cgroup()), 0o755); err != nil {
			return fmt.Errorf("making a control group: %w", err)
		}
		// A new group of cpuset has no processor and no memory until told.
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			value, err := os.ReadFile(filepath.Join(root, file))
			if err != nil {
				continue // not the hierarchy of cpuset
			}
			if err := os.WriteFile(filepath.Join(root, n.cgroup(), file), value, 0o644); err != nil {
				return fmt.Errorf("setting %s: %w", file, err)
			}
		}
	}
	return nil
}

// removeCgroups removes all control groups of the cluster. The kernel lets go
// of a group a moment after its last process has ended.
func (c *Cluster) removeCgroups() error {
	roots, err := hierarchies()
	if err != nil {
		return err
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		var left []string
		for _, root := range roots {
			groups, err := filepath.Glob(filepath.Join(root, cgroupPrefix(c.Dir)+"*"))
			if err != nil {
				return err
			}
			for _, group := range groups {
				removeTree(group)
				if _, err := os.Stat(group); err == nil {
					left = append(left, group)
				}
			}
		}
		if len(left) == 0 {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("control groups are still in use 20 s after their processes ended: %v", left)
		}
	}
}

// removeTree removes control groups, deepest first. What cannot be removed
// stays.
func removeTree(root string) {
	var dirs []string
	filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs = append(dirs, path)
		}
		return nil
	})
	for _, dir := range slices.Backward(dirs) {
		os.Remove(dir)
	}
}
