package kubetest

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"daypass.dev/e2e/images"
	"daypass.dev/e2e/kube"
	"daypass.dev/e2e/peers"
	"daypass.dev/e2e/workloads"
)

// Names of images that Provide brings into the cluster. All trust the sandbox's
// certificate authority beside this machine's.
const (
	Daypass     = "localhost/daypass:e2e"
	DaypassKube = "localhost/daypass-kube:e2e"
	GoSDK       = "localhost/go-sdk:e2e"
	JavaScript  = "localhost/javascript-sdk:e2e"
	AWSCLI      = "localhost/aws-cli:e2e"
)

// Images are all that can be brought.
func Images() []string { return []string{Daypass, DaypassKube, GoSDK, JavaScript, AWSCLI} }

// slow are images whose making takes many seconds and whose ingredients do not
// change while a cluster lives.
var slow = map[string]bool{JavaScript: true, AWSCLI: true}

func spec(ctx context.Context, name, source string) (images.Image, error) {
	switch name {
	case Daypass:
		return images.Daypass(ctx, source, "amd64")
	case DaypassKube:
		return images.DaypassKube(ctx, source, "amd64")
	case GoSDK:
		return workloads.Go(ctx, source)
	case JavaScript:
		return workloads.JavaScript(ctx)
	case AWSCLI:
		return workloads.AWSCLI(ctx, func(string) {})
	}
	return images.Image{}, errors.New("no image is called " + name)
}

// Provide brings an image into the cluster, unless the same is there. A test
// whose image needs something that this machine lacks is skipped by peers.Need.
func Provide(t testing.TB, aws *AWS, name string) {
	t.Helper()
	peer := map[string]string{JavaScript: "javascript", AWSCLI: "aws-cli"}[name]
	if peer == "" {
		peer = name
	}
	peers.Need(t, peer, aws.Bring(t.Context(), name))
}

// Bring is Provide outside of tests.
func (aws *AWS) Bring(ctx context.Context, name string) error {
	c := aws.cluster
	release, err := c.Hold(ctx, "images")
	if err != nil {
		return err
	}
	defer release()
	dir := filepath.Join(c.Dir, "images")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	done := filepath.Join(dir, strings.NewReplacer("/", "-", ":", "-").Replace(name))
	held, err := os.ReadFile(done)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if slow[name] && strings.HasSuffix(string(held), aws.fingerprint()) {
		return nil
	}
	i, err := spec(ctx, name, c.Source)
	if err != nil {
		return err
	}
	i.Packed = false // it only goes from this machine's disk to its memory
	base, err := i.Build()
	if err != nil {
		return err
	}
	digest, err := base.Digest()
	if err != nil {
		return err
	}
	key := digest.String() + " " + aws.fingerprint()
	if string(held) == key {
		return nil
	}
	if err := importBoth(ctx, c, base, strings.HasPrefix(string(held), digest.String()), name, aws.CA, done+".tar"); err != nil {
		return err
	}
	return os.WriteFile(done, []byte(key), 0o644)
}

// importBoth imports the image under a name of its own, unless it is there, and
// the same with the sandbox's authority, of which only the last layer travels.
func importBoth(ctx context.Context, c *kube.Cluster, base v1.Image, there bool, name string, ca []byte, file string) error {
	defer os.Remove(file)
	if !there {
		if err := images.Write(file, name+"-base", base); err != nil {
			return err
		}
		if err := c.Import(ctx, file); err != nil {
			return err
		}
	}
	trusting, err := images.Trusting(base, ca)
	if err != nil {
		return err
	}
	if err := images.Write(file, name, trusting, base); err != nil {
		return err
	}
	return c.Import(ctx, file)
}
