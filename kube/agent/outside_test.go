package agent

import (
	"net/netip"
	"slices"
	"testing"
)

func TestOutside(t *testing.T) {
	node := netip.MustParseAddr("10.250.0.1")
	pods := netip.MustParseAddr("10.244.0.1")
	for name, row := range map[string]struct {
		wires []wire
		want  []string
	}{
		"a cable and a bridge of pods": {[]wire{
			{name: "lo", kind: "device"}, {name: "eth0", kind: "device", addresses: []netip.Addr{node}, gateway: true},
			{name: "cni0", kind: "bridge", addresses: []netip.Addr{pods}}, {name: "veth1", kind: "veth"}, {name: device, kind: "dummy"},
		}, []string{"eth0"}},
		"a link for each pod, and a tunnel": {[]wire{
			{name: "ens5", kind: "device", gateway: true}, {name: "cali1", kind: "veth"}, {name: "cali2", kind: "veth"},
			{name: "tunl0", kind: "ipip", gateway: true}, {name: "wg0", kind: "wireguard"}, {name: "flannel.1", kind: "vxlan"},
		}, []string{"ens5", "flannel.1", "tunl0", "wg0"}},
		"the node's own address on a bridge": {[]wire{
			{name: "br0", kind: "bridge", addresses: []netip.Addr{node}}, {name: "cni0", kind: "bridge"},
		}, []string{"br0"}},
		"a node that is a container itself": {[]wire{
			{name: "eth0", kind: "veth", gateway: true}, {name: "veth1", kind: "veth"},
		}, []string{"eth0"}},
		"a bond and a VLAN": {[]wire{{name: "bond0", kind: "bond"}, {name: "bond0.5", kind: "vlan"}}, []string{"bond0", "bond0.5"}},
	} {
		if got := outside(row.wires, []netip.Addr{node}); !slices.Equal(got, row.want) {
			t.Errorf("%s: %v, not %v", name, got, row.want)
		}
	}
}
