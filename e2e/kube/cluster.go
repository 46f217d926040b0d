// Package kube starts and stops a real Kubernetes: etcd, API server, controller
// manager, scheduler, kubelets, kube-proxies, containerd and CoreDNS, one or two
// nodes, in network, mount, process and host name namespaces of their own. It
// needs root on Linux. Nothing of the machine is changed but control groups
// with names of the cluster's own; all files lie below Dir and Cache.
package kube

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/gofrs/flock"

	"daypass.dev/e2e/build"
)

// Versions of Kubernetes that can be built, the first by default. Each but the
// first has a go.mod of its own beside that of e2e/cluster.
var Versions = []string{"1.36.3", "1.35.4"}

// NodeCommand is the argument that makes the starter's program a node: its main
// calls node.Run with the argument after it.
const NodeCommand = "node"

// A Cluster is one Kubernetes. Several may run beside each other, each with a
// Dir of its own.
type Cluster struct {
	// Dir holds all state, and the cluster is known by it. It is made by Up and
	// removed by Down, so it must be absolute and hold nothing else.
	Dir string
	// Cache keeps what was built; clusters share it.
	Cache string
	// Source is the root of this project's checkout.
	Source string
	// Version is one of Versions; empty means the first.
	Version string
	// Nodes is 1 or 2; 0 means 1.
	Nodes int
	// Issuer is whose tokens the API server makes, an https URL, in the place of
	// the constant Issuer, whose tokens it goes on to take; empty means that one.
	Issuer string
	// Log takes progress lines; nil is silent.
	Log io.Writer
}

// Find returns the cluster of this name: its checkout is the module that the
// working directory is in, its cache the user's.
func Find(name string) (*Cluster, error) {
	source, err := build.Checkout()
	if err != nil {
		return nil, err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, err
	}
	cache = filepath.Join(cache, "daypass", "cluster")
	return &Cluster{
		Dir: filepath.Join(cache, "run", name), Cache: cache, Source: source,
	}, nil
}

func (c *Cluster) file(name string) string { return filepath.Join(c.Dir, name) }
func (c *Cluster) bin() string             { return c.file("bin") }

// Kubeconfig is the administrator's. It works only where the cluster's network
// is: see Enter.
func (c *Cluster) Kubeconfig() string { return c.file("admin.conf") }

func (c *Cluster) nodes() []*Node {
	all := []*Node{c.node(1)}
	if c.Nodes == 2 {
		all = append(all, c.node(2))
	}
	return all
}

func (c *Cluster) version() string {
	if c.Version == "" {
		return Versions[0]
	}
	return c.Version
}

func (c *Cluster) builds() *build.Cache { return &build.Cache{Dir: c.Cache, Log: c.Log} }

func (c *Cluster) say(format string, args ...any) {
	if c.Log != nil {
		fmt.Fprintf(c.Log, format+"\n", args...)
	}
}

// starting is held by the one starter or stopper that is at work. It lies
// beside Dir, because Down removes Dir.
func (c *Cluster) starting() string { return c.Dir + ".lock" }

// lock makes sure that one starter or stopper is at work at a time.
func (c *Cluster) lock(ctx context.Context) (unlock func(), err error) {
	if !filepath.IsAbs(c.Dir) {
		return nil, fmt.Errorf("the cluster's folder %q is not absolute", c.Dir)
	}
	if os.Geteuid() != 0 {
		return nil, errors.New("a cluster needs root: it makes namespaces, mounts and control groups")
	}
	if err := os.MkdirAll(filepath.Dir(c.Dir), 0o755); err != nil {
		return nil, err
	}
	return hold(ctx, c.starting(), func() { c.say("waiting for another starter or stopper of this cluster") })
}

// Hold lets one at a time do what (a word) to a cluster that runs: one who
// installs, say. It waits until ctx ends.
func (c *Cluster) Hold(ctx context.Context, what string) (release func(), err error) {
	return hold(ctx, filepath.Join(c.Dir, what+".lock"), func() {})
}

func hold(ctx context.Context, file string, waiting func()) (release func(), err error) {
	for {
		l := flock.New(file)
		if locked, err := l.TryLock(); err != nil {
			return nil, err
		} else if !locked {
			waiting()
			if _, err := l.TryLockContext(ctx, 100*time.Millisecond); err != nil {
				return nil, fmt.Errorf("waiting for %s: %w", file, err)
			}
		}
		held, err := l.Stat()
		if err != nil {
			return nil, err
		}
		// Who held it before may have removed the file.
		if named, err := os.Stat(file); err == nil && os.SameFile(held, named) {
			return func() { _ = l.Unlock() }, nil
		}
		_ = l.Unlock()
	}
}

// pid is the process id of a node's first process.
func (c *Cluster) pid(n *Node) (int, error) {
	found, err := first(n.mark())
	if err != nil {
		return 0, err
	}
	if len(found) != 1 {
		return 0, fmt.Errorf("%s of the cluster in %s does not run", n.Name, c.Dir)
	}
	return found[0], nil
}

// Command is a command in the network of the cluster's first node, with this
// machine's files: kubectl, curl, anything that talks to the cluster.
func (c *Cluster) Command(ctx context.Context, name string, args ...string) (*exec.Cmd, error) {
	pid, err := c.pid(c.node(1))
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "nsenter", append([]string{
		"--target", strconv.Itoa(pid), "--net", "--", name,
	}, args...)...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+c.Kubeconfig(), "PATH="+c.bin()+":"+systemPath)
	return cmd, nil
}

// Within is a command that runs the command after it in the network of the
// cluster's first node, with the cluster's DNS and this machine's files.
func (c *Cluster) Within(ctx context.Context) ([]string, error) {
	const resolve = `mount --bind "$1" /etc/resolv.conf && shift && exec "$@"`
	cmd, err := c.Command(ctx, "unshare", "--mount", "--", "sh", "-c", resolve, "sh", c.node(1).file("resolv.conf"))
	if err != nil {
		return nil, err
	}
	return cmd.Args, nil
}

// Enter is a line for a shell that opens another one in which kubectl works.
func (c *Cluster) Enter() (string, error) {
	pid, err := c.pid(c.node(1))
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("nsenter --target %d --net env KUBECONFIG=%s PATH=%s:$PATH $SHELL", pid, c.Kubeconfig(), c.bin()), nil
}

// Kubectl runs kubectl as the cluster's administrator and returns what it
// prints. Input may be nil. An error tells what kubectl said.
func (c *Cluster) Kubectl(ctx context.Context, input io.Reader, args ...string) (string, error) {
	cmd, err := c.Command(ctx, filepath.Join(c.bin(), "kubectl"), args...)
	if err != nil {
		return "", err
	}
	cmd.Env = append(cmd.Env, "GOGC=off") // it lives for a moment
	return output(cmd, input, "kubectl", args)
}
