package images

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Write writes what (a v1.Image or a v1.ImageIndex) as a tar of an OCI image
// layout, which containerd, podman and skopeo read, under the given name. The
// file is there whole or not at all. Layers that the reader has already, those
// of the images in has, are left out.
func Write(file, name string, what mutate.Appendable, has ...v1.Image) error {
	descriptor, err := partial.Descriptor(what)
	if err != nil {
		return err
	}
	descriptor.Annotations = map[string]string{
		"io.containerd.image.name":          name,
		"org.opencontainers.image.ref.name": name,
	}
	layout, err := json.Marshal(v1.IndexManifest{
		SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{*descriptor},
	})
	if err != nil {
		return err
	}
	unfinished := file + ".unfinished"
	out, err := os.Create(unfinished)
	if err != nil {
		return err
	}
	defer out.Close()
	a := &archiver{tar: tar.NewWriter(out), done: map[v1.Hash]bool{}}
	for _, image := range has {
		if err := a.leave(image); err != nil {
			return err
		}
	}
	a.text("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`))
	a.text("index.json", layout)
	a.add(what)
	if a.err != nil {
		return fmt.Errorf("writing %s: %w", file, a.err)
	}
	if err := a.tar.Close(); err != nil {
		return err
	}
	if err := out.Close(); err != nil {
		return err
	}
	return os.Rename(unfinished, file)
}

// archiver writes blobs once each and keeps the first error.
type archiver struct {
	tar  *tar.Writer
	done map[v1.Hash]bool
	err  error
}

// leave marks an image's layers as done.
func (a *archiver) leave(image v1.Image) error {
	layers, err := image.Layers()
	if err != nil {
		return err
	}
	for _, layer := range layers {
		digest, err := layer.Digest()
		if err != nil {
			return err
		}
		a.done[digest] = true
	}
	return nil
}

func (a *archiver) add(what mutate.Appendable) {
	switch it := what.(type) {
	case v1.ImageIndex:
		a.index(it)
	case v1.Image:
		a.image(it)
	default:
		a.keep(fmt.Errorf("%T is neither an image nor an index", what))
	}
}

func (a *archiver) index(index v1.ImageIndex) {
	a.blobOf(index.Digest, index.RawManifest)
	manifest, err := index.IndexManifest()
	if a.keep(err) {
		return
	}
	for _, m := range manifest.Manifests {
		image, err := index.Image(m.Digest)
		if a.keep(err) {
			return
		}
		a.image(image)
	}
}

func (a *archiver) image(image v1.Image) {
	a.blobOf(image.Digest, image.RawManifest)
	a.blobOf(image.ConfigName, image.RawConfigFile)
	layers, err := image.Layers()
	if a.keep(err) {
		return
	}
	for _, layer := range layers {
		digest, err := layer.Digest()
		if a.keep(err) {
			return
		}
		size, err := layer.Size()
		if a.keep(err) {
			return
		}
		content, err := layer.Compressed()
		if a.keep(err) {
			return
		}
		a.blob(digest, size, content)
		content.Close()
	}
}

func (a *archiver) blobOf(digest func() (v1.Hash, error), content func() ([]byte, error)) {
	h, err := digest()
	if a.keep(err) {
		return
	}
	text, err := content()
	if a.keep(err) {
		return
	}
	a.blob(h, int64(len(text)), bytes.NewReader(text))
}

func (a *archiver) blob(digest v1.Hash, size int64, content io.Reader) {
	if a.err != nil || a.done[digest] {
		return
	}
	a.done[digest] = true
	a.member("blobs/"+digest.Algorithm+"/"+digest.Hex, size, content)
}

func (a *archiver) text(name string, text []byte) {
	a.member(name, int64(len(text)), bytes.NewReader(text))
}

func (a *archiver) member(name string, size int64, content io.Reader) {
	if a.err != nil {
		return
	}
	h := &tar.Header{Name: name, Mode: 0o644, Size: size, ModTime: time.Unix(0, 0), Format: tar.FormatPAX}
	if a.keep(a.tar.WriteHeader(h)) {
		return
	}
	_, err := io.Copy(a.tar, content)
	a.keep(err)
}

// keep reports whether something has gone wrong, now or before.
func (a *archiver) keep(err error) bool {
	if a.err == nil {
		a.err = err
	}
	return a.err != nil
}
