// Package faults tries the programs as they are shipped when something goes
// wrong: AWS that refuses, fails or says nothing, many processes at once, kill
// -9 at any moment, and whatever might print a secret.
package faults

import (
	"context"
	"flag"
	"os"
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
	os.Exit(m.Run())
}

// programs are asked for once: crowds of processes are made of them.
var programs = sync.OnceValues(func() (map[string]string, error) { return peers.Daypass(context.Background()) })

func program(t testing.TB, name string) string {
	t.Helper()
	all, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	return all[name]
}
