package images

import (
	"slices"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

func TestDaypassIsTheSameTwice(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped with -short: builds daypass for two architectures")
	}
	var digests [2]v1.Hash
	for i := range digests {
		index, err := Published(t.Context(), "../..", Daypass, Architectures()...)
		if err != nil {
			t.Fatal(err)
		}
		if digests[i], err = index.Digest(); err != nil {
			t.Fatal(err)
		}
	}
	if digests[0] != digests[1] {
		t.Errorf("digests %s and %s", digests[0], digests[1])
	}
}

func TestProductsHoldOnlyWhatTheyNeed(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped with -short: builds the programs")
	}
	const roots = "etc/ssl/certs/ca-certificates.crt"
	want := map[string][]string{
		"daypass":      {roots, "bin/daypass", "bin/aws_signing_helper"},
		"daypass-kube": {roots, "bin/daypass-kube"},
	}
	for name, product := range Products() {
		image, err := product(t.Context(), "../..", "amd64")
		if err != nil {
			t.Fatal(err)
		}
		var files []string
		for _, l := range image.Layers {
			for _, f := range l.Files {
				files = append(files, f.Path)
			}
		}
		if !slices.Equal(files, want[name]) {
			t.Errorf("%s holds %v", name, files)
		}
		if image.User != "65532" {
			t.Errorf("%s runs as %q", name, image.User)
		}
	}
}
