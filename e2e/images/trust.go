package images

import (
	"fmt"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// Trusting is the image with one more certificate authority (PEM) among those
// of this machine, as a company adds its own to what it runs.
func Trusting(image v1.Image, authority []byte) (v1.Image, error) {
	roots, err := os.ReadFile(Roots)
	if err != nil {
		return nil, fmt.Errorf("reading certificate authorities (install ca-certificates): %w", err)
	}
	layer, err := Image{}.layer(Layer{Files: []File{
		{Path: Roots[1:], Text: append(append(roots, '\n'), authority...), Mode: 0o644},
	}})
	if err != nil {
		return nil, err
	}
	return mutate.Append(image, mutate.Addendum{Layer: layer})
}
