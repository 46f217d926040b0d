// Package faults tries the programs as they are shipped when something goes
// wrong: AWS that refuses, fails or says nothing, many processes at once, kill
// -9 at any moment, and whatever might print a secret.
package faults

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"daypass.dev/e2e/clients"
	"daypass.dev/e2e/peers"
)

func TestMain(m *testing.M) {
	if code, ran := clients.Main(); ran {
		os.Exit(code)
	}
	// Those that are parallel mostly wait: all at once. The others have come
	// before them, because they are busy.
	flag.Parse()
	if err := flag.Set("test.parallel", "64"); err != nil {
		panic(err)
	}
	code := m.Run()
	if dir, err := programs(); err == nil {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// programs builds daypass and daypassctl, once, into a folder.
var programs = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "daypass-faults-")
	if err != nil {
		return "", err
	}
	if err := peers.Daypass(context.Background(), dir); err != nil {
		_ = os.RemoveAll(dir)
		return "", err
	}
	return dir, nil
})

func program(t testing.TB, name string) string {
	t.Helper()
	dir, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, name)
}
