package clients

import (
	"flag"
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	if code, ran := Main(); ran {
		os.Exit(code)
	}
	// The clients mostly wait for their credentials to end: all at once.
	flag.Parse()
	if err := flag.Set("test.parallel", "16"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
