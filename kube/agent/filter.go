package agent

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"syscall"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// An address on any link of a machine answers whoever has a route to it, or
// asks by ARP: this rule, in a table of our own, drops what comes in for the
// agent by a link that leads to other machines. It stays while no agent runs.
//
//	table inet daypass {
//	  set outside { type ifname; elements = { "eth0", … } }
//	  chain pre {
//	    type filter hook prerouting priority raw; policy accept;
//	    ip daddr 169.254.170.23 iifname @outside drop
//	    ip6 daddr fd00:ec2::23 iifname @outside drop
//	  }
//	}
const (
	tableName, chainName, setName = "daypass", "pre", "outside"
	interfaceName                 = 16 // bytes, with a zero at the end
)

// filter brings the rule up to date, all of it at once, and reads it back.
func (l *Link) filter() error {
	all, err := wires()
	if err != nil {
		return err
	}
	names := outside(all, l.NodeAddresses)
	c := &nftables.Conn{}
	table := &nftables.Table{Name: tableName, Family: nftables.TableFamilyINet}
	if l.written != nil && slices.Equal(l.written.names, names) && l.written.proved(c) == nil {
		return nil
	}
	c.AddTable(table)
	c.DelTable(table) // with the line before: whether it was there or not
	c.AddTable(table)
	set := &nftables.Set{Table: table, Name: setName, KeyType: nftables.TypeIFName}
	var elements []nftables.SetElement
	for _, name := range names {
		elements = append(elements, nftables.SetElement{Key: padded(name)})
	}
	if err := c.AddSet(set, elements); err != nil {
		return fmt.Errorf("preparing the packet filter: %w", err)
	}
	chain := c.AddChain(&nftables.Chain{
		Name: chainName, Table: table, Type: nftables.ChainTypeFilter,
		Hooknum: nftables.ChainHookPrerouting, Priority: nftables.ChainPriorityRaw,
	})
	rules := [][]expr.Any{dropFrom(set, unix.NFPROTO_IPV4, 16, serviceV4.AsSlice()), dropFrom(set, unix.NFPROTO_IPV6, 24, serviceV6.AsSlice())}
	for _, exprs := range rules {
		c.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: exprs})
	}
	if err := c.Flush(); err != nil {
		return fmt.Errorf("writing the packet filter: %w", err)
	}
	l.written = &written{table, chain, set, names, len(rules)}
	return l.written.proved(c)
}

// written is what the kernel was told.
type written struct {
	table *nftables.Table
	chain *nftables.Chain
	set   *nftables.Set
	names []string
	rules int
}

// dropFrom drops what is for an address, which stands at offset in the header,
// and came by a link of the set.
func dropFrom(set *nftables.Set, protocol byte, offset uint32, address []byte) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{protocol}},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: uint32(len(address))},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: address},
		&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: 1},
		&expr.Lookup{SourceRegister: 1, SetName: set.Name, SetID: set.ID},
		&expr.Verdict{Kind: expr.VerdictDrop},
	}
}

func padded(name string) []byte {
	key := make([]byte, interfaceName)
	copy(key, name)
	return key
}

// proved reads back what the kernel has.
func (w *written) proved(c *nftables.Conn) error {
	have, err := c.GetRules(w.table, w.chain)
	if err != nil {
		return fmt.Errorf("reading the packet filter back: %w", err)
	}
	elements, err := c.GetSetElements(w.set)
	if err != nil {
		return fmt.Errorf("reading the packet filter back: %w", err)
	}
	if len(have) != w.rules || len(elements) != len(w.names) {
		return fmt.Errorf("the kernel has %d of %d rules and %d of %d links in the packet filter", len(have), w.rules, len(elements), len(w.names))
	}
	for _, name := range w.names {
		if !slices.ContainsFunc(elements, func(e nftables.SetElement) bool { return bytes.Equal(e.Key, padded(name)) }) {
			return fmt.Errorf("the kernel lacks link %s in the packet filter", name)
		}
	}
	return nil
}

func removeFilter() error {
	c := &nftables.Conn{}
	c.DelTable(&nftables.Table{Name: tableName, Family: nftables.TableFamilyINet})
	if err := c.Flush(); err != nil && !errors.Is(err, syscall.ENOENT) {
		return fmt.Errorf("removing the packet filter: %w", err)
	}
	return nil
}
