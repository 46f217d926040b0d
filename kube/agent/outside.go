package agent

import (
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
)

// A wire is a network link as far as it matters who sends by it.
type wire struct {
	name, kind string
	addresses  []netip.Addr
	// gateway: machines behind others are reached by it.
	gateway bool
}

// inner are the kinds of links by which a node's own pods send: pairs of which
// the pod has the other end, and bridges of such.
var inner = []string{"veth", "bridge", "dummy"}

// outside names the links by which other machines can send to this one: those
// of a kind that pods' links are not of (cables, tunnels, bonds), and of the
// others those that have an address of the node, or lead to a gateway.
func outside(wires []wire, node []netip.Addr) []string {
	var names []string
	for _, w := range wires {
		ofNode := slices.ContainsFunc(w.addresses, func(a netip.Addr) bool { return slices.Contains(node, a) })
		if w.name != "lo" && (!slices.Contains(inner, w.kind) || ofNode || w.gateway) {
			names = append(names, w.name)
		}
	}
	slices.Sort(names)
	return names
}

// wires are this machine's.
func wires() ([]wire, error) {
	links, err := netlink.LinkList()
	if err != nil {
		return nil, fmt.Errorf("listing links: %w", err)
	}
	byIndex := map[int]*wire{}
	all := make([]wire, len(links))
	for i, l := range links {
		all[i] = wire{name: l.Attrs().Name, kind: l.Type()}
		byIndex[l.Attrs().Index] = &all[i]
	}
	addresses, err := netlink.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return nil, fmt.Errorf("listing addresses: %w", err)
	}
	for _, a := range addresses {
		if ip, ok := netip.AddrFromSlice(a.IP); ok && byIndex[a.LinkIndex] != nil {
			w := byIndex[a.LinkIndex]
			w.addresses = append(w.addresses, ip.Unmap())
		}
	}
	for _, f := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		routes, err := netlink.RouteList(nil, f)
		if err != nil {
			return nil, fmt.Errorf("listing routes: %w", err)
		}
		for _, r := range routes {
			if w := byIndex[r.LinkIndex]; w != nil && (r.Gw != nil || isDefault(r.Dst)) {
				w.gateway = true
			}
			for _, hop := range r.MultiPath {
				if w := byIndex[hop.LinkIndex]; w != nil {
					w.gateway = true
				}
			}
		}
	}
	return all, nil
}

func isDefault(to *net.IPNet) bool {
	if to == nil {
		return true
	}
	ones, _ := to.Mask.Size()
	return ones == 0
}
