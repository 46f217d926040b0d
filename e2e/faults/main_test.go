// Package faults tries the programs as they are shipped when something goes
// wrong: AWS that refuses, fails or says nothing, many processes at once, kill
// -9 at any moment, and whatever might print a secret.
package faults

import (
	"flag"
	"os"
	"testing"

	"daypass.dev/e2e/clients"
	"daypass.dev/e2e/stage"
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

func program(t testing.TB, name string) string {
	t.Helper()
	return stage.Binary(t, name)
}
