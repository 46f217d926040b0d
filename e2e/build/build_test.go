package build

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// module is a module with one program that prints text.
func module(t *testing.T, dir, text string) Program {
	t.Helper()
	write(t, dir, map[string]string{
		"go.mod":            "module example.com/said\n\ngo 1.26\n",
		"go.sum":            "",
		"cmd/said/main.go":  "package main\n\nimport \"fmt\"\n\nfunc main() { fmt.Print(" + text + ") }\n",
		"cmd/other/main.go": "package main\n\nfunc main() {}\n",
	})
	return Program{Name: "said", Module: dir, Package: "./cmd/said"}
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAProgramIsBuiltOnceForItsSources(t *testing.T) {
	var log bytes.Buffer
	c, dir := &Cache{Dir: t.TempDir(), Log: &log}, t.TempDir()
	build := func(text string) string {
		t.Helper()
		file, err := c.Build(t.Context(), module(t, dir, text))
		if err != nil {
			t.Fatal(err)
		}
		return file
	}
	first := build(`"one"`)
	if out, err := exec.Command(first).Output(); err != nil || string(out) != "one" {
		t.Fatalf("it prints %q, %v", out, err)
	}
	if again := build(`"one"`); again != first || strings.Count(log.String(), "built said") != 1 {
		t.Errorf("unchanged sources were built again: %s", log.String())
	}
	second := build(`"two"`)
	if out, err := exec.Command(second).Output(); err != nil || string(out) != "two" {
		t.Errorf("with new sources it prints %q, %v", out, err)
	}
	if err := os.Chtimes(filepath.Dir(first), time.Time{}, time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	build(`"three"`)
	if _, err := os.Stat(first); err == nil {
		t.Error("the third build did not drive out the first")
	}
	if _, err := os.Stat(second); err != nil {
		t.Error("the third build drove out the second")
	}
}

func TestABuildThatFailsSaysWhyAndLeavesNothing(t *testing.T) {
	c := &Cache{Dir: t.TempDir()}
	_, err := c.Build(t.Context(), module(t, t.TempDir(), "nothing"))
	if err == nil || !strings.Contains(err.Error(), "building said") || !strings.Contains(err.Error(), "undefined: nothing") {
		t.Errorf("the error is %v", err)
	}
	if found, err := filepath.Glob(filepath.Join(c.Dir, "bin", "*", "*")); err != nil || len(found) > 0 {
		t.Errorf("left %v, %v", found, err)
	}
}

func TestMissingPackagesAreNamedToThoseWhoCannotInstall(t *testing.T) {
	t.Setenv("PATH", t.TempDir()) // no apt-get
	err := (&Cache{}).Debian(t.Context(), map[string]string{"/no/such/a": "pkg-a", "/no/such/b": "pkg-b", "/": "base-files"})
	if err == nil || !strings.Contains(err.Error(), "pkg-a pkg-b;") || strings.Contains(err.Error(), "base-files") {
		t.Errorf("the error is %v", err)
	}
	if err := (&Cache{}).Debian(t.Context(), map[string]string{"/": "base-files"}); err != nil {
		t.Errorf("with nothing missing: %v", err)
	}
}

// A folder of programs serves those below, until a program changes.
func TestBuiltProgramsServeWhoIsBelow(t *testing.T) {
	dir := t.TempDir()
	toolchain, err := exec.Command("go", "env", "GOCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOCACHE", strings.TrimSpace(string(toolchain))) // it would follow the user's
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	said := func(text string) (folder string) {
		module(t, dir, text)
		t.Chdir(dir)
		folder, err := Built(t.Context(), "./cmd/said")
		if err != nil {
			t.Fatal(err)
		}
		t.Setenv(BuiltVariable, folder)
		file, err := Ours(t.Context(), "", "example.com/said/cmd/said")
		if out, bad := exec.Command(file).Output(); err != nil || bad != nil || `"`+string(out)+`"` != text {
			t.Errorf("%s prints %q, %v, %v", file, out, err, bad)
		}
		return folder
	}
	one, two := said(`"one"`), said(`"two"`)
	if one == two {
		t.Errorf("both lie in %s", one)
	}
	if again := said(`"one"`); again != one {
		t.Errorf("the same lies in %s, then in %s", one, again)
	}
	t.Setenv(BuiltVariable, filepath.Join(dir, "none"))
	if file, err := Ours(t.Context(), "", "./cmd/said"); err != nil || !strings.HasSuffix(file, "/said") {
		t.Errorf("without the folder it is %s, %v", file, err)
	}
}

// A module in a folder below is part of the program.
func TestSourcesOfAReplacedModuleCount(t *testing.T) {
	c, dir := &Cache{Dir: t.TempDir()}, t.TempDir()
	p := module(t, dir, "lib.Text")
	build := func(text string) string {
		t.Helper()
		write(t, dir, map[string]string{
			"go.mod":           "module example.com/said\n\ngo 1.26\n\nrequire example.com/lib v0.0.0\n\nreplace example.com/lib => ./lib\n",
			"lib/go.mod":       "module example.com/lib\n\ngo 1.26\n",
			"lib/lib.go":       "package lib\n\nconst Text = " + text + "\n",
			"cmd/said/main.go": "package main\n\nimport (\n\t\"fmt\"\n\n\t\"example.com/lib\"\n)\n\nfunc main() { fmt.Print(lib.Text) }\n",
		})
		file, err := c.Build(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(file).Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	if one, two := build(`"one"`), build(`"two"`); one != "one" || two != "two" {
		t.Errorf("the programs print %q and %q", one, two)
	}
}

func TestTwoMayBuildTheSame(t *testing.T) {
	p, c, failed := module(t, t.TempDir(), `"one"`), &Cache{Dir: t.TempDir()}, make(chan error)
	for range 2 {
		go func() {
			_, err := c.Build(t.Context(), p)
			failed <- err
		}()
	}
	for range 2 {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
}
