package agent

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"daypass.dev/doctor"
)

// alone moves the test into a network of its own, which ends with it.
func alone(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("skipped without root: it needs a network of its own")
	}
	runtime.LockOSThread() // and never unlocked: the thread ends with the test
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	ip(t, "link set lo up")
}

// ip runs iproute2 in the network of the test's thread.
func ip(t *testing.T, line string) string {
	t.Helper()
	out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput()
	if err != nil {
		t.Fatalf("ip %s: %v: %s", line, err, out)
	}
	return string(out)
}

func TestTheAddressComesAndGoes(t *testing.T) {
	alone(t)
	ip(t, "link add uplink type bridge")
	ip(t, "address add 10.0.0.5/24 dev uplink")
	l := &Link{NodeAddresses: []netip.Addr{netip.MustParseAddr("10.0.0.5")}}
	for range 3 {
		have, err := l.Up()
		if err != nil {
			t.Fatal(err)
		}
		if len(have) != 2 || have[0] != serviceV4 || have[1] != serviceV6 {
			t.Errorf("%v", have)
		}
	}
	if l.written == nil || len(l.written.names) != 1 || l.written.names[0] != "uplink" {
		t.Errorf("the filter is for %v", l.written)
	}
	if out := ip(t, "-brief address"); strings.Count(out, "169.254.170.23/32") != 1 || strings.Count(out, "fd00:ec2::23/128") != 1 {
		t.Error(out)
	}
	ip(t, "link add second type bridge")
	ip(t, "address add 10.0.1.5/24 dev second")
	l.NodeAddresses = append(l.NodeAddresses, netip.MustParseAddr("10.0.1.5"))
	if _, err := l.Up(); err != nil || len(l.written.names) != 2 {
		t.Errorf("a new link is not in the filter: %v, %v", l.written.names, err)
	}
	if err := removeFilter(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Up(); err != nil { // written anew
		t.Error(err)
	}
	for range 2 { // the second time there is nothing
		if err := l.Remove(); err != nil {
			t.Error(err)
		}
	}
	if out := ip(t, "-brief address"); strings.Contains(out, "169.254.170.23") || strings.Contains(out, "fd00:ec2::23") || strings.Contains(out, device) {
		t.Error(out)
	}
}

func TestWithoutIPv6(t *testing.T) {
	alone(t)
	if err := os.WriteFile("/proc/sys/net/ipv6/conf/all/disable_ipv6", []byte("1"), 0o644); err != nil {
		t.Fatal(err)
	}
	if have, err := (&Link{}).Up(); err != nil || len(have) != 1 || have[0] != serviceV4 {
		t.Errorf("%v, %v", have, err)
	}
}

// A kernel without dummy links has the addresses on lo, of which nothing else is
// taken away.
func TestWithoutDummyLinks(t *testing.T) {
	alone(t)
	ip(t, "address add 10.9.9.9/32 dev lo")
	l := &Link{add: func(netlink.Link) error { return unix.EOPNOTSUPP }}
	for range 2 {
		if have, err := l.Up(); err != nil || len(have) != 2 {
			t.Fatalf("%v, %v", have, err)
		}
	}
	if out := ip(t, "-brief address show dev lo"); !strings.Contains(out, "169.254.170.23/32") || !strings.Contains(out, "fd00:ec2::23/128") {
		t.Error(out)
	}
	if err := l.Remove(); err != nil {
		t.Error(err)
	}
	if out := ip(t, "-brief address show dev lo"); strings.Contains(out, "169.254.170.23") || strings.Contains(out, "fd00:ec2::23") || !strings.Contains(out, "10.9.9.9/32") {
		t.Error(out)
	}
}

// The agent writes no kernel settings, so that it needs no right to.
func TestKernelSettingsMayNotBeWritten(t *testing.T) {
	alone(t)
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		t.Fatal(err)
	}
	for _, m := range []struct {
		from, to string
		flags    uintptr
	}{
		{"", "/", unix.MS_REC | unix.MS_PRIVATE},
		{"/proc/sys", "/proc/sys", unix.MS_BIND},
		{"", "/proc/sys", unix.MS_BIND | unix.MS_REMOUNT | unix.MS_RDONLY},
	} {
		if err := unix.Mount(m.from, m.to, "", m.flags, ""); err != nil {
			t.Fatal(err)
		}
	}
	if os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644) == nil {
		t.Fatal("they can be written, so that nothing is shown")
	}
	if have, err := (&Link{}).Up(); err != nil || len(have) == 0 {
		t.Errorf("%v, %v", have, err)
	}
}

// An address that another program has put somewhere stays there.
func TestAnAddressOfSomebodyElse(t *testing.T) {
	alone(t)
	ip(t, "link add pod-id-link0 type bridge")
	ip(t, "address add 169.254.170.23/32 dev pod-id-link0")
	ip(t, "link set pod-id-link0 up")
	l := &Link{}
	if _, err := l.Up(); err != nil {
		t.Fatal(err)
	}
	if out := ip(t, "-brief address"); strings.Count(out, "169.254.170.23/32") != 1 {
		t.Error(out)
	}
	if err := l.Remove(); err != nil {
		t.Error(err)
	}
	if out := ip(t, "-brief address"); !strings.Contains(out, "169.254.170.23/32") {
		t.Errorf("it was taken away: %s", out)
	}
}

func TestPort80IsTaken(t *testing.T) {
	alone(t)
	taken, err := net.Listen("tcp", ":80")
	if err != nil {
		t.Fatal(err)
	}
	p := &Program{Link: &Link{}, Handler: http.NotFoundHandler()}
	p.keepUp()
	var why *Trouble
	if err := p.Ready(); !errors.As(err, &why) || why.Slug != "agent-port" || !strings.Contains(err.Error(), "(agent-port): let that program") {
		t.Errorf("%v", err)
	}
	_ = taken.Close()
	p.keepUp()
	if err := p.Ready(); err != nil {
		t.Errorf("once it is free: %v", err)
	}
	next := &Program{Link: &Link{}, Handler: http.NotFoundHandler()}
	next.keepUp()
	if err := next.Ready(); err != nil {
		t.Errorf("the agent that comes after this one: %v", err)
	}
	p.end()
	next.end()
	if p.Ready() == nil {
		t.Error("ready after the end")
	}
}

// One pod that holds as many connections as it can get leaves the others theirs.
func TestAPodThatHoldsConnections(t *testing.T) {
	alone(t)
	p := &Program{Link: &Link{}, Handler: http.NotFoundHandler()}
	p.keepUp()
	t.Cleanup(p.end)
	if err := p.Ready(); err != nil {
		t.Fatal(err)
	}
	dial := func(from string) net.Conn {
		t.Helper()
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		c, err := d.Dial("tcp", netip.AddrPortFrom(serviceV4, 80).String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	answered := func(c net.Conn) bool {
		_ = c.SetDeadline(time.Now().Add(30 * time.Second))
		_, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: 169.254.170.23\r\n\r\n")
		n, readErr := c.Read(make([]byte, 1))
		return err == nil && readErr == nil && n == 1
	}
	for i := range mostOfOne {
		dial("127.0.0.2")
		if i == mostOfOne/2 && !answered(dial("127.0.0.3")) {
			t.Error("another pod is not answered")
		}
	}
	if answered(dial("127.0.0.2")) {
		t.Errorf("a pod is given more than %d connections", mostOfOne)
	}
	if !answered(dial("127.0.0.3")) {
		t.Error("another pod is not answered once one has all that it can have")
	}
}

// troubles are what keeps an agent from serving, by slug: each spoils the test's
// own network.
func troubles() map[string]func(*testing.T) {
	return map[string]func(*testing.T){
		"agent-port": func(t *testing.T) {
			taken, err := net.Listen("tcp", ":80")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = taken.Close() })
		},
		"agent-address": func(t *testing.T) { drop(t, unix.CAP_NET_BIND_SERVICE) },
		"agent-filter":  func(t *testing.T) { drop(t, unix.CAP_NET_ADMIN) },
	}
}

// drop takes a right from the thread, which ends with the test.
func drop(t *testing.T, right uint) {
	t.Helper()
	header := &unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var have [2]unix.CapUserData
	if err := unix.Capget(header, &have[0]); err != nil {
		t.Fatal(err)
	}
	have[0].Effective &^= 1 << right
	if err := unix.Capset(header, &have[0]); err != nil {
		t.Fatal(err)
	}
}

// An agent that cannot serve is not ready, and says why, so that doctor knows.
func TestTroubleIsNamed(t *testing.T) {
	for slug, spoil := range troubles() {
		t.Run(slug, func(t *testing.T) {
			alone(t)
			spoil(t)
			p := &Program{Link: &Link{}, Handler: http.NotFoundHandler()}
			t.Cleanup(p.end)
			p.keepUp()
			err := p.Ready()
			if why := (*Trouble)(nil); !errors.As(err, &why) || why.Slug != slug {
				t.Fatal(err)
			}
			if found := doctor.Recognise(err.Error()); !slices.Equal(found, []string{slug}) {
				t.Errorf("doctor reads %v in %q", found, err)
			}
		})
	}
}
