package deliver

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// maxSockets bounds how many lines of the kernel's table are read for a caller.
const maxSockets = 1 << 17

// holder finds the process at the other end of a connection between remote and
// local, both on this machine. See proc_pid_net(5) and proc_pid_fd(5).
func holder(remote string, local netip.AddrPort) process {
	from, err := netip.ParseAddrPort(remote)
	if err != nil {
		return process{}
	}
	for _, table := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		f, err := os.Open(table)
		if err != nil {
			continue
		}
		uid, inode, ok := findSocket(f, plain(from), local)
		_ = f.Close()
		if ok {
			p := process{UID: &uid}
			p.PID, p.Executable = holderOf(inode)
			return p
		}
	}
	return process{}
}

// findSocket reads the kernel's table of TCP sockets for the one that is bound
// to from and connected to to.
func findSocket(table io.Reader, from, to netip.AddrPort) (uid int, inode string, ok bool) {
	lines := bufio.NewScanner(table)
	for n := 0; n < maxSockets && lines.Scan(); n++ {
		// sl local rem st queues timer retransmits uid timeout inode …
		f := strings.Fields(lines.Text())
		if len(f) < 10 {
			continue
		}
		if a, ok := kernelAddr(f[1]); !ok || a != from {
			continue
		}
		if a, ok := kernelAddr(f[2]); !ok || a != to {
			continue
		}
		if f[9] == "0" { // its process has closed it: whose it was is forgotten, and told as 0
			break
		}
		uid, err := strconv.Atoi(f[7])
		return uid, f[9], err == nil
	}
	return 0, "", false
}

// kernelAddr reads an address in hexadecimal words of the machine's own order.
// IPv4 in IPv6 is IPv4.
func kernelAddr(text string) (netip.AddrPort, bool) {
	address, port, _ := strings.Cut(text, ":")
	raw, err := hex.DecodeString(address)
	if err != nil || len(raw)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(raw); i += 4 {
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	ip, ok := netip.AddrFromSlice(raw)
	n, err := strconv.ParseUint(port, 16, 16)
	return netip.AddrPortFrom(ip.Unmap(), uint16(n)), ok && err == nil
}

// holderOf finds the first process that has the socket open.
func holderOf(inode string) (pid int, executable string) {
	all, err := os.Open("/proc")
	if err != nil {
		return 0, ""
	}
	defer all.Close()
	names, _ := all.Readdirnames(-1)
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil || !hasOpen("/proc/"+name+"/fd", "socket:["+inode+"]") {
			continue
		}
		executable, _ = os.Readlink("/proc/" + name + "/exe")
		return pid, executable
	}
	return 0, ""
}

func hasOpen(dir, what string) bool {
	fds, err := os.Open(dir)
	if err != nil {
		return false // another user's, or gone
	}
	defer fds.Close()
	names, _ := fds.Readdirnames(-1)
	for _, name := range names {
		if to, err := os.Readlink(dir + "/" + name); err == nil && to == what {
			return true
		}
	}
	return false
}
