package deliver

import (
	"net/netip"
	"strings"
	"testing"
)

// The kernel writes addresses in words of the machine's order; an IPv4 caller
// with a socket for both protocols stands in the table of IPv6.
func TestSocketsAreFound(t *testing.T) {
	const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:A2B4 0100007F:26B7 01 00000000:00000000 00:00000000 00000000  1000        0 81001 1 0000 20 4 30 10 -1
   1: 0000000000000000FFFF00000100007F:A2B5 0000000000000000FFFF00000100007F:26B7 01 00000000:00000000 00:00000000 00000000  1001        0 81002 1
   2: 00000000000000000000000001000000:A2B6 00000000000000000000000001000000:26B7 01 00000000:00000000 00:00000000 00000000  1002        0 81003 1
   3: 0100007F:A2B7 0100007F:26B7 04 00000000:00000000 00:00000000 00000000     0        0 0 1
   4: broken
   5: zz:zz 0100007F:26B7 01 00000000:00000000 00:00000000 00000000  1003        0 81004 1
`
	for _, c := range []struct {
		from, to, inode string
		uid             int
	}{
		{"127.0.0.1:41652", "127.0.0.1:9911", "81001", 1000},
		{"127.0.0.1:41653", "127.0.0.1:9911", "81002", 1001},
		{"[::1]:41654", "[::1]:9911", "81003", 1002},
		{"127.0.0.1:41655", "127.0.0.1:9911", "", 0}, // whose caller did not wait: not root's
		{"127.0.0.1:41652", "127.0.0.1:9912", "", 0}, // to another server
		{"127.0.0.2:41652", "127.0.0.1:9911", "", 0},
		{"127.0.0.1:9911", "127.0.0.1:41652", "", 0}, // the server's own end
	} {
		uid, inode, ok := findSocket(strings.NewReader(table), netip.MustParseAddrPort(c.from), netip.MustParseAddrPort(c.to))
		if inode != c.inode || uid != c.uid || ok != (c.inode != "") {
			t.Errorf("%s to %s: uid %d, inode %q, %t", c.from, c.to, uid, inode, ok)
		}
	}
}
