package agent

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// The addresses at which AWS's SDKs look for an agent.
var (
	serviceV4 = netip.MustParseAddr("169.254.170.23")
	serviceV6 = netip.MustParseAddr("fd00:ec2::23")
)

// device is the link that holds the addresses, if the kernel has dummy links.
const device = "daypass0"

// A Link gives this machine the agent's addresses, which it keeps until Remove:
// also while no agent runs, so that requests are refused here and travel
// nowhere else. It must be used in the node's network, with CAP_NET_ADMIN.
type Link struct {
	// NodeAddresses are those at which other machines reach this one.
	NodeAddresses []netip.Addr
	Log           *slog.Logger // of what was added; nil: silent

	written *written
	add     func(netlink.Link) error // nil: netlink.LinkAdd
}

// A Trouble says why the agent cannot serve, with a slug of the catalogue.
type Trouble struct {
	Slug string
	Err  error
}

func (t *Trouble) Error() string { return t.Err.Error() + mend(t.Slug) }

// Unwrap returns the cause.
func (t *Trouble) Unwrap() error { return t.Err }

// Up makes sure of the addresses and of the packet filter, and returns those
// that this machine has: the one of IPv6 only where IPv6 is on. An error is a
// *Trouble. It may be called again and again.
func (l *Link) Up() ([]netip.Addr, error) {
	if err := l.filter(); err != nil {
		return nil, &Trouble{"agent-filter", err}
	}
	var have []netip.Addr
	for _, a := range []netip.Addr{serviceV4, serviceV6} {
		if a.Is6() && !hasIPv6() {
			continue
		}
		if err := l.address(a); err != nil {
			return nil, &Trouble{"agent-address", fmt.Errorf("adding %s: %w", a, err)}
		}
		have = append(have, a)
	}
	return have, nil
}

// hasIPv6 tells whether this machine uses IPv6.
func hasIPv6() bool {
	text, err := os.ReadFile("/proc/sys/net/ipv6/conf/all/disable_ipv6")
	return err == nil && strings.TrimSpace(string(text)) == "0"
}

// address adds one, unless some link has it: whoever put it there keeps it.
func (l *Link) address(a netip.Addr) error {
	held, err := holder(a)
	if err != nil || held != "" {
		return err
	}
	link, err := l.link()
	if err != nil {
		return err
	}
	add := &netlink.Addr{IPNet: &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(a.BitLen(), a.BitLen())}}
	if a.Is4() {
		add.Scope = int(netlink.SCOPE_HOST)
	} else {
		add.Flags = unix.IFA_F_NODAD // usable at once
	}
	if err := netlink.AddrAdd(link, add); err != nil && !errors.Is(err, syscall.EEXIST) {
		return err
	}
	if l.Log != nil {
		l.Log.Info("added an address", "address", a.String(), "link", link.Attrs().Name)
	}
	return nil
}

// holder is the name of the link that has an address; empty: none has.
func holder(a netip.Addr) (string, error) {
	all, err := netlink.AddrList(nil, family(a))
	if err != nil {
		return "", fmt.Errorf("listing addresses: %w", err)
	}
	for _, have := range all {
		if ip, ok := netip.AddrFromSlice(have.IP); ok && ip.Unmap() == a {
			link, err := netlink.LinkByIndex(have.LinkIndex)
			if err != nil {
				return "", fmt.Errorf("finding the link of %s: %w", a, err)
			}
			return link.Attrs().Name, nil
		}
	}
	return "", nil
}

func family(a netip.Addr) int {
	if a.Is4() {
		return netlink.FAMILY_V4
	}
	return netlink.FAMILY_V6
}

// link is our dummy, which is made if need be; where the kernel has none, lo.
func (l *Link) link() (netlink.Link, error) {
	dummy := &netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Name: device}}
	add := l.add
	if add == nil {
		add = netlink.LinkAdd
	}
	err := add(dummy)
	name := device
	if err != nil && !errors.Is(err, syscall.EEXIST) {
		if !errors.Is(err, syscall.EOPNOTSUPP) {
			return nil, fmt.Errorf("making link %s: %w", device, err)
		}
		name = "lo"
	}
	link, err := netlink.LinkByName(name)
	if err != nil {
		return nil, fmt.Errorf("finding link %s: %w", name, err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return nil, fmt.Errorf("setting link %s up: %w", name, err)
	}
	return link, nil
}

// Remove takes back what Up has added: our link, our addresses on lo, and the
// packet filter. An address that another link has is another's.
func (l *Link) Remove() error {
	var errs []error
	if link, err := netlink.LinkByName(device); err == nil {
		errs = append(errs, netlink.LinkDel(link))
	}
	lo, err := netlink.LinkByName("lo")
	errs = append(errs, err)
	for _, a := range []netip.Addr{serviceV4, serviceV6} {
		if held, err := holder(a); err != nil || held != "lo" {
			errs = append(errs, err)
			continue
		}
		errs = append(errs, netlink.AddrDel(lo, &netlink.Addr{IPNet: &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(a.BitLen(), a.BitLen())}}))
	}
	return errors.Join(append(errs, removeFilter())...)
}
