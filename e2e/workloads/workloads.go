// Package workloads makes the images of programs that know nothing of daypass:
// AWS's own SDKs and CLI, unmodified, as people run them in pods.
package workloads

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"daypass.dev/e2e/build"
	"daypass.dev/e2e/images"
	"daypass.dev/e2e/peers"
)

// trusted are the variables by which SDKs that bring certificate authorities of
// their own find those of the image, as companies with a CA of their own set
// them in theirs.
var trusted = []string{"AWS_CA_BUNDLE=" + images.Roots, "NODE_EXTRA_CA_CERTS=" + images.Roots}

// Go is a program with the AWS SDK for Go v2, alone in its image.
func Go(ctx context.Context, source string) (images.Image, error) {
	program, err := build.Ours(ctx, source, "./e2e/workloads/gosdk")
	if err != nil {
		return images.Image{}, err
	}
	text, err := os.ReadFile(program)
	if err != nil {
		return images.Image{}, err
	}
	return images.Image{
		Entrypoint: []string{"/gosdk"},
		Layers:     []images.Layer{{Files: []images.File{{Path: "gosdk", Text: text}}}},
	}, nil
}

//go:embed javascript.mjs
var javascript []byte

// JavaScript is a program with the AWS SDK for JavaScript v3, on the root that
// this machine's node needs and no more. Without node or npm the error is
// peers.ErrAbsent.
func JavaScript(ctx context.Context) (images.Image, error) {
	node, modules, err := peers.JavaScript(ctx)
	if err != nil {
		return images.Image{}, err
	}
	files, err := libraries(ctx, node)
	if err != nil {
		return images.Image{}, err
	}
	files = append(files,
		images.File{Path: "bin/node", From: node},
		images.File{Path: "app/main.mjs", Text: javascript, Mode: 0o644},
	)
	return images.Image{
		Entrypoint: []string{"/bin/node", "/app/main.mjs"}, Env: trusted,
		Layers: []images.Layer{{
			Files: files,
			Tree:  filepath.Join(modules, "node_modules"), Under: "app/node_modules",
			Skip: func(p string) bool { return strings.HasSuffix(p, ".map") || strings.HasSuffix(p, ".d.ts") },
		}},
	}, nil
}

// libraries are the shared libraries that a program needs, at the paths where
// it looks for them.
func libraries(ctx context.Context, program string) ([]images.File, error) {
	out, err := exec.CommandContext(ctx, "ldd", program).Output()
	if err != nil {
		return nil, fmt.Errorf("finding the libraries of %s: %w", program, err)
	}
	var files []images.File
	for line := range strings.Lines(string(out)) {
		for _, field := range strings.Fields(line) {
			if strings.HasPrefix(field, "/") {
				files = append(files, images.File{Path: field[1:], From: field})
			}
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s needs no libraries, says ldd: %s", program, out)
	}
	return files, nil
}
