package images

import (
	"context"
	"fmt"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Push writes the index to a registry (a host, or a host and a path) as NAME:TAG,
// with the credentials that `docker login` left for it, and returns the
// reference by digest. A registry on a loopback address is spoken to over HTTP.
func Push(ctx context.Context, registry, nameAndTag string, index v1.ImageIndex) (string, error) {
	ref, err := name.NewTag(registry + "/" + nameAndTag)
	if err != nil {
		return "", err
	}
	err = remote.WriteIndex(ref, index, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain))
	if err != nil {
		return "", fmt.Errorf("pushing %s: %w", ref, err)
	}
	digest, err := index.Digest()
	if err != nil {
		return "", err
	}
	return ref.Context().Digest(digest.String()).String(), nil
}
