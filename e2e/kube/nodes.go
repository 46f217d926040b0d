package kube

import (
	"fmt"
	"path/filepath"

	"daypass.dev/e2e/kube/node"
)

// The addresses of a cluster. Each cluster has them to itself: they exist in
// its own network namespaces only.
const (
	apiAddress     = "10.250.0.1" // also that of the first node
	dnsAddress     = "10.96.0.10"
	podNetwork     = "10.244.0.0/16"
	serviceNetwork = "10.96.0.0/16"
)

const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

const socket = "/run/containerd/containerd.sock"

// A Node is one machine of a cluster.
type Node struct {
	Name   string // node1, node2
	number int
	dir    string
	state  string // the cluster's folder
}

func (c *Cluster) node(number int) *Node {
	name := fmt.Sprintf("node%d", number)
	return &Node{Name: name, number: number, dir: filepath.Join(c.Dir, name), state: c.Dir}
}

func (n *Node) file(name string) string { return filepath.Join(n.dir, name) }
func (n *Node) address() string         { return fmt.Sprintf("10.250.0.%d", n.number) }
func (n *Node) pods() string            { return fmt.Sprintf("10.244.%d.0/24", n.number-1) }
func (n *Node) gateway() string         { return fmt.Sprintf("10.244.%d.1", n.number-1) }

// cgroup is unique among clusters: control groups have no namespace.
func (n *Node) cgroup() string { return cgroupPrefix(n.state) + n.Name }

// mark is the file that the node's first process is started with, and by which
// it is found again.
func (n *Node) mark() string { return n.file("node.json") }

// config is what the node's first process does.
func (c *Cluster) config(n *Node) node.Config {
	config := node.Config{
		Hostname: n.Name,
		Logs:     n.file("log"),
		Keep:     []string{c.Dir, c.Cache},
		Hide:     []string{"/run", "/var/lib", "/var/log"},
		Cover:    []string{"/etc", "/opt", "/usr"},
		Covers:   n.file("covers"),
		Binds: map[string]string{
			n.file("kubelet"): "/var/lib/kubelet",
		},
		// What the kubelet wants of the whole machine.
		Pretend: map[string]string{
			"/proc/sys/vm/overcommit_memory":      "1",
			"/proc/sys/vm/panic_on_oom":           "0",
			"/proc/sys/kernel/panic":              "10",
			"/proc/sys/kernel/panic_on_oops":      "1",
			"/proc/sys/kernel/keys/root_maxkeys":  "1000000",
			"/proc/sys/kernel/keys/root_maxbytes": "25000000",
		},
		Sysctls: map[string]string{
			"/proc/sys/net/ipv4/ip_forward":                "1",
			"/proc/sys/net/ipv4/conf/all/route_localnet":   "1",
			"/proc/sys/net/bridge/bridge-nf-call-iptables": "1",
		},
		Path: c.bin() + ":" + systemPath,
	}
	bridge := []string{
		"link set lo up",
		"link add cni0 type bridge",
		"address add " + n.gateway() + "/24 dev cni0",
		"link set cni0 up",
	}
	if n.number == 1 {
		config.Links = append(bridge,
			"link add node0 type bridge",
			"address add "+n.address()+"/24 dev node0",
			"link set node0 up",
			// Nothing is out there; programs of the node need a route to
			// reach the addresses of Services.
			"route add default dev node0 src "+n.address(),
		)
		config.Programs = c.controlPlane()
	} else {
		config.Await = "eth0"
		config.Links = append(bridge,
			"address add "+n.address()+"/24 dev eth0",
			"link set eth0 up",
			"route add default via "+apiAddress,
		)
	}
	config.Programs = append(config.Programs, n.programs()...)
	return config
}

// programs are those of every node.
func (n *Node) programs() []node.Program {
	return []node.Program{
		{Name: "containerd", Args: []string{"containerd", "--config", n.file("containerd.toml")}},
		{Name: "kubelet", After: "unix://" + socket, Args: []string{
			"kubelet", "--kubeconfig=" + n.file("kubelet.conf"), "--config=" + n.file("kubelet.yaml"),
			"--hostname-override=" + n.Name, "--node-ip=" + n.address(), "--v=2",
		}},
		{Name: "kube-proxy", Args: []string{"kube-proxy", "--config=" + n.file("proxy.yaml")}},
	}
}
