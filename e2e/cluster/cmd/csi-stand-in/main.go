// Command csi-stand-in stands in for cert-manager's CSI driver, which cannot be
// had: it is registered under the same name, csi.cert-manager.io, and honours
// the volume attributes and token requests that pods are written with. It is
// for tests, and differs: keys are always made anew, a certificate is renewed
// when the kubelet publishes the volume again after it is due (and so only with
// requiresRepublish), and literal-subject and PKCS#12 are refused.
package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"k8s.io/client-go/rest"
)

func main() {
	socket := flag.String("endpoint", "/csi/csi.sock", "where to serve")
	node := flag.String("node-id", "", "the node's name")
	tokens := flag.Bool("use-token-request", false, "ask for certificates as the pod's ServiceAccount")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	config, err := rest.InClusterConfig()
	if err != nil {
		log.Fatal(err)
	}
	if err := serve(ctx, *socket, &driver{node: *node, config: config, tokens: *tokens}); err != nil {
		log.Fatal(err)
	}
}

func serve(ctx context.Context, socket string, d *driver) error {
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	csi.RegisterIdentityServer(server, d)
	csi.RegisterNodeServer(server, d)
	go func() {
		<-ctx.Done()
		server.Stop()
	}()
	return server.Serve(listener)
}
