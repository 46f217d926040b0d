// Command coredns is CoreDNS with the plugins that the test cluster uses and
// no others: the stock list pulls in the SDKs of three clouds.
package main

import (
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/ready"
	_ "github.com/coredns/coredns/plugin/reload"
	_ "github.com/coredns/coredns/plugin/template"
)

func main() {
	// CoreDNS runs its plugins in this order, whatever the order in the Corefile.
	dnsserver.Directives = []string{"reload", "ready", "errors", "cache", "template", "kubernetes"}
	coremain.Run()
}
