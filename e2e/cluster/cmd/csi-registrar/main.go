// Command csi-registrar tells the kubelet of a CSI driver beside it. It stands
// in for node-driver-registrar, which cannot be had, and takes its flags.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	registration "k8s.io/kubelet/pkg/apis/pluginregistration/v1"
)

type registrar struct {
	registration.UnimplementedRegistrationServer
	info *registration.PluginInfo
}

func (r *registrar) GetInfo(context.Context, *registration.InfoRequest) (*registration.PluginInfo, error) {
	return r.info, nil
}

func (r *registrar) NotifyRegistrationStatus(_ context.Context, s *registration.RegistrationStatus) (*registration.RegistrationStatusResponse, error) {
	if !s.PluginRegistered {
		log.Fatalf("the kubelet does not take %s: %s", r.info.Name, s.Error)
	}
	log.Printf("registered %s", r.info.Name)
	return &registration.RegistrationStatusResponse{}, nil
}

func main() {
	driver := flag.String("csi-address", "/csi/csi.sock", "the driver's socket")
	path := flag.String("kubelet-registration-path", "", "the driver's socket as the kubelet sees it")
	folder := flag.String("plugin-registration-path", "/registration", "where the kubelet looks for new drivers")
	flag.Int("v", 0, "ignored")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, *driver, *path, *folder); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, driver, path, folder string) error {
	name, err := ask(ctx, driver)
	if err != nil {
		return err
	}
	socket := filepath.Join(folder, name+"-reg.sock")
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	registration.RegisterRegistrationServer(server, &registrar{info: &registration.PluginInfo{
		Type: registration.CSIPlugin, Name: name, Endpoint: path, SupportedVersions: []string{"1.0.0"},
	}})
	go func() {
		<-ctx.Done()
		server.Stop() // removes the socket, and so the kubelet forgets the driver
	}()
	return server.Serve(listener)
}

// ask waits until the driver tells its name.
func ask(ctx context.Context, socket string) (string, error) {
	conn, err := grpc.NewClient("unix://"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return "", err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	info, err := csi.NewIdentityClient(conn).GetPluginInfo(ctx, &csi.GetPluginInfoRequest{}, grpc.WaitForReady(true))
	if err != nil {
		return "", fmt.Errorf("asking the driver at %s for its name: %w", socket, err)
	}
	return info.GetName(), nil
}
