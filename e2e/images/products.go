package images

import (
	"context"
	"fmt"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"daypass.dev/e2e/build"
)

// Architectures are those that our images are published for.
func Architectures() []string { return []string{"amd64", "arm64"} }

// Roots is where this machine keeps the certificate authorities that it trusts,
// and where images look for theirs.
const Roots = "/etc/ssl/certs/ca-certificates.crt"

// nobody has no name and no rights; numeric, so that runAsNonRoot can be
// checked.
const nobody = "65532"

// Daypass is the image that people run beside a workload: the program alone,
// static, with this machine's certificate authorities. Without arguments it
// serves, as the sidecar that it replaces does, and it has that one's name, too.
func Daypass(ctx context.Context, source, architecture string) (Image, error) {
	return product(ctx, source, "daypass", architecture, []string{"serve"}, File{Path: "bin/aws_signing_helper", Link: "daypass"})
}

// DaypassKube is the image of the cluster's programs; its first argument says
// which one it is.
func DaypassKube(ctx context.Context, source, architecture string) (Image, error) {
	return product(ctx, source, "daypass-kube", architecture, nil)
}

// product is one of our programs with this machine's certificate authorities.
func product(ctx context.Context, source, name, architecture string, command []string, more ...File) (Image, error) {
	text, err := compile(ctx, source, name, architecture)
	if err != nil {
		return Image{}, err
	}
	roots, err := os.ReadFile(Roots)
	if err != nil {
		return Image{}, fmt.Errorf("reading certificate authorities (install ca-certificates): %w", err)
	}
	return Image{
		Architecture: architecture, Packed: true, User: nobody,
		Entrypoint: []string{"/bin/" + name}, Command: command, Env: []string{"PATH=/bin"},
		Layers: []Layer{{Files: append([]File{
			{Path: Roots[1:], Text: roots, Mode: 0o644},
			{Path: "bin/" + name, Text: text},
		}, more...)}},
	}, nil
}

// A Product makes one of the images that are published.
type Product func(ctx context.Context, source, architecture string) (Image, error)

// Products are the images that are published, by their names.
func Products() map[string]Product {
	return map[string]Product{"daypass": Daypass, "daypass-kube": DaypassKube}
}

// Published is a product for some architectures, under one digest.
func Published(ctx context.Context, source string, product Product, architectures ...string) (v1.ImageIndex, error) {
	var all []Image
	for _, a := range architectures {
		image, err := product(ctx, source, a)
		if err != nil {
			return nil, err
		}
		all = append(all, image)
	}
	return Index(all...)
}

// compile reads one of our programs.
func compile(ctx context.Context, source, name, architecture string) (program []byte, err error) {
	file, err := build.Ours(ctx, source, "./cmd/"+name, "GOOS=linux", "GOARCH="+architecture)
	if err != nil {
		return nil, fmt.Errorf("for %s: %w", architecture, err)
	}
	return os.ReadFile(file)
}

// Sandbox is the image of the local AWS, with a shell's tools for those who
// want to look into it.
func Sandbox(ctx context.Context, source string) (Image, error) {
	text, err := compile(ctx, source, "daypassctl", "amd64")
	if err != nil {
		return Image{}, err
	}
	return Image{
		User: nobody, Entrypoint: []string{"/bin/daypassctl", "sandbox"}, Env: []string{"PATH=/bin"},
		Layers: []Layer{Busybox(), {Files: []File{{Path: "bin/daypassctl", Text: text}}}},
	}, nil
}

// applets of busybox that scripts in pods use.
var applets = []string{"sh", "cat", "echo", "env", "grep", "id", "ls", "mount", "nslookup", "ps", "sleep", "tail", "umount", "wget"}

// Busybox is this machine's static busybox (Debian's busybox-static) with links
// for what scripts in pods use.
func Busybox() Layer {
	files := []File{{Path: "bin/busybox", From: "/bin/busybox"}, {Path: "tmp/.keep", Text: []byte{}, Mode: 0o644}}
	for _, name := range applets {
		files = append(files, File{Path: "bin/" + name, Link: "busybox"})
	}
	return Layer{Files: files}
}
