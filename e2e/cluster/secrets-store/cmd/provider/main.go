// Command provider runs the Secrets Store CSI driver's own fake provider: it
// answers every mount with the files that its arguments name, NAME=CONTENT.
package main

import (
	"errors"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"sigs.k8s.io/secrets-store-csi-driver/provider/fake"
	"sigs.k8s.io/secrets-store-csi-driver/provider/v1alpha1"
)

func main() {
	if len(os.Args) < 3 {
		log.Fatal("usage: provider SOCKET NAME=CONTENT...")
	}
	socket := os.Args[1]
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		log.Fatal(err)
	}
	server, err := fake.NewMocKCSIProviderServer(socket)
	if err != nil {
		log.Fatal(err)
	}
	versions, files := map[string]string{}, []*v1alpha1.File(nil)
	for _, arg := range os.Args[2:] {
		name, content, _ := strings.Cut(arg, "=")
		versions[name] = "1"
		files = append(files, &v1alpha1.File{Path: name, Mode: 0o444, Contents: []byte(content)})
	}
	server.SetObjects(versions)
	server.SetFiles(files)
	if err := server.Start(); err != nil {
		log.Fatal(err)
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	<-signals
	server.Stop()
}
