// Package images puts container images together without an engine, so that
// the same files give the same digest on every machine: times are zero, entries
// are sorted, nothing is taken from where the build ran.
package images

import (
	"fmt"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// An Image says what is in an image for one architecture.
type Image struct {
	// Architecture in Go's words; empty means amd64. The system is linux.
	Architecture string
	Layers       []Layer
	Entrypoint   []string
	Command      []string
	Env          []string // NAME=value
	User         string   // numeric, so that runAsNonRoot can be checked
	// Packed compresses the layers, for a registry. Images that only cross
	// from this machine's disk to this machine's cluster are faster without.
	Packed bool
}

// Build makes the image.
func (i Image) Build() (v1.Image, error) {
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	for n, l := range i.Layers {
		layer, err := i.layer(l)
		if err != nil {
			return nil, fmt.Errorf("making layer %d: %w", n+1, err)
		}
		if image, err = mutate.Append(image, mutate.Addendum{Layer: layer}); err != nil {
			return nil, err
		}
	}
	platform := i.platform()
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = platform.OS, platform.Architecture
	config.Created = v1.Time{Time: time.Unix(0, 0).UTC()}
	config.Config = v1.Config{Entrypoint: i.Entrypoint, Cmd: i.Command, Env: i.Env, User: i.User}
	return mutate.ConfigFile(image, config)
}

func (i Image) platform() v1.Platform {
	if i.Architecture == "" {
		return v1.Platform{OS: "linux", Architecture: "amd64"}
	}
	return v1.Platform{OS: "linux", Architecture: i.Architecture}
}

func (i Image) layer(l Layer) (v1.Layer, error) {
	text, err := l.tar()
	if err != nil {
		return nil, err
	}
	if !i.Packed {
		return static.NewLayer(text, types.OCIUncompressedLayer), nil
	}
	return tarball.LayerFromOpener(opener(text), tarball.WithMediaType(types.OCILayer))
}

// Index joins images of several architectures under one digest.
func Index(all ...Image) (v1.ImageIndex, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, i := range all {
		image, err := i.Build()
		if err != nil {
			return nil, fmt.Errorf("image for %s: %w", i.platform(), err)
		}
		platform := i.platform()
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: image, Descriptor: v1.Descriptor{Platform: &platform},
		})
	}
	return index, nil
}
