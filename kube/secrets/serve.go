package secrets

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"google.golang.org/grpc"
	driver "sigs.k8s.io/secrets-store-csi-driver/provider/v1alpha1"
)

const (
	mostStreams = 200
	leaving     = 10 * time.Second
)

// Serve answers the driver on aws.sock in dir until ctx ends; then it lets
// mounts that are under way end. Only root may call. Where a provider is
// exchanged, the newer one takes the socket's name, and the older one leaves it
// alone when it goes.
func (p *Provider) Serve(ctx context.Context, dir string) error {
	path := filepath.Join(dir, Name+".sock")
	l, err := listen(ctx, path)
	if err != nil {
		return err
	}
	server := grpc.NewServer(grpc.MaxConcurrentStreams(mostStreams))
	driver.RegisterCSIDriverProviderServer(server, p)
	stopped := context.AfterFunc(ctx, func() {
		force := time.AfterFunc(leaving, server.Stop)
		defer force.Stop()
		server.GracefulStop()
	})
	defer stopped()
	if err := server.Serve(l); err != nil && ctx.Err() == nil {
		return fmt.Errorf("serving %s: %w", path, err)
	}
	return nil
}

// listen makes the socket under a name of its own and then gives it its place,
// so that the driver always finds one that answers.
func listen(ctx context.Context, path string) (net.Listener, error) {
	fresh := fmt.Sprintf("%s.%d", path, os.Getpid())
	if len(fresh) > 107 {
		return nil, fmt.Errorf("listening on %s: the path of a socket has at most 107 bytes", path)
	}
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "unix", fresh)
	if err != nil {
		return nil, fmt.Errorf("listening for the Secrets Store CSI driver: %w", err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := errors.Join(os.Chmod(fresh, 0o600), os.Rename(fresh, path)); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("listening for the Secrets Store CSI driver: %w", err)
	}
	sweep(path)
	return l, nil
}

// sweep removes sockets of processes that were killed before they had a place.
func sweep(path string) {
	all, _ := filepath.Glob(path + ".*")
	for _, one := range all {
		if info, err := os.Lstat(one); err == nil && info.Mode()&fs.ModeSocket != 0 && strings.HasPrefix(one, path+".") {
			_ = os.Remove(one)
		}
	}
}
