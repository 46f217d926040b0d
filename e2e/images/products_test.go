package images

import (
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

func TestDaypassIsTheSameTwice(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped with -short: builds daypass for two architectures")
	}
	var digests [2]v1.Hash
	for i := range digests {
		index, err := Published(t.Context(), "../..")
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

func TestDaypassHoldsOnlyWhatItNeeds(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped with -short: builds daypass")
	}
	image, err := Daypass(t.Context(), "../..", "amd64")
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, l := range image.Layers {
		for _, f := range l.Files {
			files = append(files, f.Path)
		}
	}
	if len(files) != 3 || files[0] != "etc/ssl/certs/ca-certificates.crt" || files[1] != "bin/daypass" {
		t.Errorf("the image holds %v", files)
	}
	if image.User != "65532" {
		t.Errorf("it runs as %q", image.User)
	}
}
