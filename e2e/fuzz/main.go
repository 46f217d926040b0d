// Fuzz runs every fuzz target of the module for a while:
//
//	go run ./e2e/fuzz -time 60s
//
// It fails on a finding, on a target without seeds, and if there is no target.
package main

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

var target = regexp.MustCompile(`(?m)^func (Fuzz\w+)\(`)

func main() {
	each := flag.Duration("time", time.Minute, "how long each target runs")
	only := flag.String("run", "", "only targets whose name holds this")
	flag.Parse()
	n, failed := 0, 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && (d.Name() == "testdata" || path == "e2e/cluster") {
			if err == nil {
				err = filepath.SkipDir
			}
			return err
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range target.FindAllStringSubmatch(string(text), -1) {
			if !strings.Contains(m[1], *only) {
				continue
			}
			n++
			if !fuzz(filepath.Dir(path), m[1], *each) {
				failed++
			}
		}
		return nil
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "fuzz: error:", err)
		os.Exit(1)
	}
	if n == 0 {
		fmt.Fprintln(os.Stderr, "fuzz: error: no target found")
		os.Exit(1)
	}
	fmt.Printf("%d passed, %d failed\n", n-failed, failed)
	if failed > 0 {
		os.Exit(1)
	}
}

func fuzz(dir, name string, each time.Duration) bool {
	began := time.Now()
	cmd := exec.Command("go", "test", "-run", "^"+name+"$", "-fuzz", "^"+name+"$", "-fuzztime", each.String(), "-fuzzminimizetime", "1s", "./"+dir)
	out, err := cmd.CombinedOutput()
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	verdict := "ok"
	if err != nil {
		verdict = "FAIL\n" + string(out)
	} else if strings.Contains(string(out), "gathering baseline coverage: 0/0") {
		verdict, err = "FAIL: no seeds", fmt.Errorf("no seeds")
	}
	execs := ""
	for _, l := range lines {
		if strings.HasPrefix(l, "fuzz: elapsed") {
			execs = l
		}
	}
	fmt.Printf("%s %s: %s (%.0f s; %s)\n", dir, name, verdict, time.Since(began).Seconds(), strings.TrimPrefix(execs, "fuzz: "))
	return err == nil
}
