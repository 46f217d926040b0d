// Package node is the first process of one node of the test cluster. It lives
// in network, mount, process and host name namespaces of its own, so that all
// that it starts ends with it and nothing that it mounts or configures is seen
// outside.
package node

// Config is what one node is made of. The starter writes it as JSON into a
// file; the path of that file is the node's mark in the process table.
type Config struct {
	Hostname string
	// Logs is the folder that takes NAME.log of every program.
	Logs string
	// Keep are folders that stay visible at their own paths even if Hide
	// covers them.
	Keep []string
	// Hide are folders that get an empty file system of their own, because
	// programs write there at paths that cannot be told to them.
	Hide []string
	// Cover are folders whose content stays, but into which nothing is written:
	// what programs and pods put there goes below Covers and with it.
	Cover  []string
	Covers string
	// Binds maps a folder (made if missing) to the place where the node sees it.
	Binds map[string]string
	// Pretend maps settings of the whole machine (a path under /proc/sys) to
	// what the node shall read there. The real setting is never touched.
	Pretend map[string]string
	// Sysctls are settings of the node's own network namespace.
	Sysctls map[string]string
	// Links are lines for `ip -batch`; Await is a link that somebody else
	// puts into the namespace and that must be there first, or empty.
	Await string
	Links []string
	// Programs are started in this order and end with the node.
	Programs []Program
	// Path is the PATH of the programs.
	Path string
}

// Program is one program of a node.
type Program struct {
	Name string // of the log file
	Args []string
	// After is what must answer before the program starts: a unix socket
	// (unix:///run/x.sock) or an address that answers 200 over HTTPS. Empty:
	// at once.
	After string
}
