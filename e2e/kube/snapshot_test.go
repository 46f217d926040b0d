package kube_test

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"daypass.dev/e2e/kube"
)

// A snapshot is what a cluster could leave on a machine, by kind.
type snapshot map[string][]string

// others are at work on the machine while a test runs: a container engine, a
// package installer.
var others = []string{"/run/systemd/", "containers/", "libpod", "debootstrap", "/var/lib/dpkg", "/var/lib/apt", "/etc/ld.so.cache"}

// grouping is what the control groups of a cluster's programs are named by; those
// of others on this machine come and go.
var grouping = []string{"daypass", "kube", "containerd", "k8s", "cri"}

// restless are settings that count or change by themselves.
var restless = []string{
	"/fs/", "/kernel/random/", "/kernel/ns_last_pid", "/kernel/pty/", "/nf_conntrack_count", "/vm/stat_refresh",
	"/kernel/cap_last_cap", "/net/ipv4/route/", "/net/ipv6/route/", "/vm/compact_memory", "/vm/drop_caches",
	"/kernel/perf_event_max_sample_rate", "/net/netfilter/nf_log", "/kernel/sched_domain",
}

func take(t *testing.T, c *kube.Cluster) snapshot {
	t.Helper()
	s := snapshot{
		"links":      command(t, "ip", "-o", "link"),
		"addresses":  command(t, "ip", "-o", "address"),
		"routes":     command(t, "ip", "route", "show", "table", "all"),
		"rules":      command(t, "ip", "rule"),
		"netfilter":  command(t, "iptables-save"),
		"namespaces": command(t, "ip", "netns", "list"),
		"mounts":     lines(t, "/proc/self/mountinfo"),
		"settings":   settings(t),
		"groups":     tree(t, "/sys/fs/cgroup", true),
		"processes":  processes(t, c),
		"state":      nil,
	}
	for _, root := range []string{"/etc", "/opt", "/run", "/srv", "/mnt", "/usr/lib/cni", "/usr/libexec", "/var/lib", "/var/log", "/var/run"} {
		s["files"] = append(s["files"], tree(t, root, false)...)
	}
	if _, err := os.Stat(c.Dir); err == nil {
		s["state"] = tree(t, c.Dir, false)
	}
	beside, err := filepath.Glob(c.Dir + ".*")
	if err != nil {
		t.Fatal(err)
	}
	s["state"] = append(s["state"], beside...)
	for kind, entries := range s {
		slices.Sort(entries)
		s[kind] = slices.DeleteFunc(slices.Compact(entries), func(e string) bool {
			otherCluster := strings.Contains(e, "/daypass-") && !strings.Contains(e, c.CgroupPrefix())
			foreign := kind == "groups" && (otherCluster || !containsAny(e, grouping))
			return foreign || containsAny(e, others)
		})
	}
	return s
}

// same fails the test for everything that is in one snapshot only.
func (before snapshot) same(t *testing.T, after snapshot) {
	t.Helper()
	for kind := range before {
		for _, e := range after[kind] {
			if _, ok := slices.BinarySearch(before[kind], e); !ok {
				t.Errorf("left behind in %s: %s", kind, e)
			}
		}
		for _, e := range before[kind] {
			if _, ok := slices.BinarySearch(after[kind], e); !ok {
				t.Errorf("gone from %s: %s", kind, e)
			}
		}
	}
}

// processes are those with a connection to the cluster: named after its
// folder, in one of its control groups, or in one of its nodes' namespaces.
func processes(t *testing.T, c *kube.Cluster) []string {
	t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no processes: %v", err)
	}
	var found []string
	for _, dir := range dirs {
		line, err := os.ReadFile(filepath.Join(dir, "cmdline"))
		if err != nil {
			continue
		}
		groups, _ := os.ReadFile(filepath.Join(dir, "cgroup"))
		root, _ := os.Readlink(filepath.Join(dir, "exe"))
		about := string(line) + "\n" + string(groups) + "\n" + root
		if strings.Contains(about, c.Dir) || strings.Contains(about, c.CgroupPrefix()) {
			found = append(found, dir+" "+string(bytes.ReplaceAll(line, []byte{0}, []byte{' '})))
		}
	}
	return found
}

func settings(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, file := range tree(t, "/proc/sys", false) {
		if containsAny(file, restless) {
			continue
		}
		if text, err := os.ReadFile(file); err == nil {
			all = append(all, file+" = "+strings.TrimSpace(string(text)))
		}
	}
	if len(all) < 300 {
		t.Fatalf("only %d settings of the kernel can be read", len(all))
	}
	return all
}

func tree(t *testing.T, root string, dirsOnly bool) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil // it went while we looked
		}
		if !dirsOnly || d.IsDir() {
			all = append(all, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func command(t *testing.T, name string, args ...string) []string {
	t.Helper()
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		t.Fatalf("%s %v: %v", name, args, err)
	}
	return split(string(out))
}

func lines(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return split(string(text))
}

func split(text string) []string {
	var all []string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") { // iptables-save begins and ends with the time
			all = append(all, strings.TrimSpace(line))
		}
	}
	return all
}

func containsAny(s string, parts []string) bool {
	return slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(s, p) })
}
