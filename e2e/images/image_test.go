package images

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

func two(t *testing.T, packed bool) []Image {
	t.Helper()
	program := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(program, []byte("#!"), 0o700); err != nil {
		t.Fatal(err)
	}
	var all []Image
	for _, arch := range []string{"amd64", "arm64"} {
		all = append(all, Image{
			Architecture: arch, Packed: packed, User: "65532", Entrypoint: []string{"/bin/program"},
			Layers: []Layer{{Files: []File{
				{Path: "bin/program", From: program},
				{Path: "bin/other", Link: "program"},
				{Path: "etc/arch", Text: []byte(arch), Mode: 0o644},
			}}},
		})
	}
	return all
}

func TestTheSameFilesGiveTheSameDigestAndTar(t *testing.T) {
	for _, packed := range []bool{true, false} {
		var tars [2][]byte
		for i := range tars {
			index, err := Index(two(t, packed)...) // from another folder each time
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "image.tar")
			if err := Write(file, "localhost/two:test", index); err != nil {
				t.Fatal(err)
			}
			if tars[i], err = os.ReadFile(file); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(tars[0], tars[1]) {
			t.Errorf("packed %v: two tars of the same image differ", packed)
		}
		if n := strings.Count(string(tars[0]), "blobs/sha256/"); n < 7 {
			t.Errorf("packed %v: %d blobs; want an index, and for two images manifest, configuration and layer", packed, n)
		}
	}
}

func TestALayerHoldsWhatItIsTold(t *testing.T) {
	tree := t.TempDir()
	for _, dir := range []string{"usr/share/doc", "usr/lib"} {
		if err := os.MkdirAll(filepath.Join(tree, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for file, text := range map[string]string{"usr/share/doc/x": "x", "usr/lib/y": "y"} {
		if err := os.WriteFile(filepath.Join(tree, file), []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	l := Layer{
		Tree: tree, Under: "root", Skip: func(p string) bool { return p == "root/usr/share" },
		Files: []File{{Path: "root/usr/lib/y", Text: []byte("other")}, {Path: "a/b/link", Link: "../y"}},
	}
	text, err := l.tar()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for r := tar.NewReader(bytes.NewReader(text)); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, strings.TrimSpace(h.Name+" "+h.Linkname+string(body)))
	}
	want := "a/|a/b/|a/b/link ../y|root/|root/usr/|root/usr/lib/|root/usr/lib/y other"
	if strings.Join(got, "|") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, "|"), want)
	}
	if _, err := (Layer{Files: []File{{Path: "../etc/passwd", Text: []byte("x")}}}).tar(); err == nil {
		t.Error("a path out of the image was taken")
	}
}

func TestPushUsesTheUsersCredentials(t *testing.T) {
	index, err := Index(two(t, true)...)
	if err != nil {
		t.Fatal(err)
	}
	want, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	handler := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(locked(handler, "ann", "s3same"))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")

	t.Setenv("DOCKER_CONFIG", t.TempDir())
	if _, err := Push(t.Context(), host+"/team", "daypass:1", index); err == nil {
		t.Error("pushed without credentials")
	}
	login(t, host, "ann", "s3same")
	pushed, err := Push(t.Context(), host+"/team", "daypass:1", index)
	if err != nil {
		t.Fatal(err)
	}
	if pushed != host+"/team/daypass@"+want.String() {
		t.Errorf("pushed as %s", pushed)
	}
	open := httptest.NewServer(handler) // the same content, without the lock
	defer open.Close()
	ref, err := name.ParseReference(strings.TrimPrefix(open.URL, "http://") + "/team/daypass:1")
	if err != nil {
		t.Fatal(err)
	}
	got, err := remote.Index(ref)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(got); err != nil {
		t.Error(err)
	}
	manifest, err := got.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(manifest.Manifests) != 2 || manifest.Manifests[1].Platform.Architecture != "arm64" {
		t.Errorf("the registry holds %+v", manifest.Manifests)
	}
	if digest, err := got.Digest(); err != nil || digest != want {
		t.Errorf("the registry holds %s (%v), want %s", digest, err, want)
	}
}

func TestAHardLinkComesAfterItsTarget(t *testing.T) {
	root := filepath.Join(t.TempDir(), "root.tar")
	f, err := os.Create(root)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(f)
	for _, h := range []tar.Header{
		{Name: "./bin/", Typeflag: tar.TypeDir, Mode: 0o755},
		{Name: "./bin/z", Typeflag: tar.TypeReg, Mode: 0o755, Size: 1},
		{Name: "./bin/a", Typeflag: tar.TypeLink, Linkname: "./bin/z"},
		{Name: "./dev/null", Typeflag: tar.TypeChar},
	} {
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			if _, err := w.Write([]byte("z")); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := errors.Join(w.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	text, err := Layer{Archive: root}.tar()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for r := tar.NewReader(bytes.NewReader(text)); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, h.Name+h.Linkname)
	}
	if want := "bin/ bin/z bin/abin/z dev/"; !strings.HasPrefix(want, strings.Join(got, " ")) || len(got) != 3 {
		t.Errorf("got %q", got)
	}
}
