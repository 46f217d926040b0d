// Package build makes the programs that tests need. Those that are not ours it
// compiles from Go modules of exact versions, once, and keeps them in a cache
// under a key of everything that went into them; ours lie in the Go toolchain's
// cache. It also installs what it needs of Debian.
package build

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"
)

// A Cache keeps what was built. The zero Log is silent.
type Cache struct {
	Dir string
	Log io.Writer // a line for each step
}

// A Program is a binary that is built from a module of exact versions.
type Program struct {
	Name    string // of the binary
	Module  string // the folder of its go.mod
	Package string // relative to Module, as ./cmd/kube
	// Modfile is another go.mod in Module, or empty: other versions of the
	// same sources.
	Modfile string
	// LDFlags are given to the linker beside -s -w.
	LDFlags string
	// Test builds the package's tests into a program.
	Test bool
}

// Build returns the path of the program, which it builds if its sources or
// versions are new.
func (c *Cache) Build(ctx context.Context, p Program) (string, error) {
	key, err := p.key()
	if err != nil {
		return "", fmt.Errorf("building %s: %w", p.Name, err)
	}
	file := filepath.Join(c.Dir, "bin", p.Name+"-"+key, p.Name)
	now := time.Now() // of its use, by which prune judges
	if os.Chtimes(filepath.Dir(file), now, now) == nil {
		if _, err := os.Stat(file); err == nil {
			return file, nil
		}
	}
	start := time.Now()
	c.say("building %s; the first time this takes minutes", p.Name)
	if err := c.compile(ctx, p, file); err != nil {
		return "", fmt.Errorf("building %s: %w", p.Name, err)
	}
	c.say("built %s in %s", p.Name, time.Since(start).Round(time.Second))
	return file, c.prune(p.Name, filepath.Dir(file))
}

func (c *Cache) say(format string, args ...any) {
	if c.Log != nil {
		fmt.Fprintf(c.Log, format+"\n", args...)
	}
}

// key is a hash of what decides the binary.
func (p Program) key() (string, error) {
	h := sha256.New()
	anywhere := p
	anywhere.Module = "" // the same binary in every folder
	fmt.Fprintf(h, "%s %s %s %s\n%+v\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, Flags, anywhere)
	names := []string{"go.mod", "go.sum"}
	if p.Modfile != "" {
		names = []string{p.Modfile, strings.TrimSuffix(p.Modfile, ".mod") + ".sum"}
	}
	sources, err := filepath.Glob(filepath.Join(p.Module, p.Package, "*.go"))
	if err != nil {
		return "", err
	}
	if len(sources) == 0 && strings.HasPrefix(p.Package, ".") {
		return "", fmt.Errorf("%s has no Go files in %s", p.Module, p.Package)
	}
	for _, name := range names {
		sources = append(sources, filepath.Join(p.Module, name))
	}
	replaced, err := p.replaced(names[0])
	if err != nil {
		return "", err
	}
	sources = append(sources, replaced...)
	for _, file := range sources {
		text, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%s %d\n", filepath.Base(file), len(text))
		h.Write(text)
	}
	return fmt.Sprintf("%x", h.Sum(nil))[:16], nil
}

// replaced are the Go files of modules that stand in folders below ours.
func (p Program) replaced(modfile string) (files []string, err error) {
	text, err := os.ReadFile(filepath.Join(p.Module, modfile))
	if err != nil {
		return nil, err
	}
	for _, m := range local.FindAllStringSubmatch(string(text), -1) {
		err := filepath.WalkDir(filepath.Join(p.Module, m[1]), func(path string, _ fs.DirEntry, err error) error {
			if strings.HasSuffix(path, ".go") || filepath.Base(path) == "go.mod" {
				files = append(files, path)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return files, nil
}

var local = regexp.MustCompile(`(?m)=> (\./\S+)$`)

// Flags make static binaries that are the same in every folder.
const Flags = "-p=2 -trimpath -mod=readonly -buildvcs=false"

func (c *Cache) compile(ctx context.Context, p Program, file string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(file), p.Name+".unfinished") // others may build the same
	if err != nil {
		return err
	}
	unfinished := f.Name()
	defer os.Remove(unfinished)
	if err := errors.Join(f.Chmod(0o755), f.Close()); err != nil {
		return err
	}
	args := []string{"build"}
	if p.Test {
		args = []string{"test", "-c"}
	}
	args = append(args, strings.Fields(Flags)...)
	args = append(args, "-v", "-ldflags=-s -w "+p.LDFlags, "-o", unfinished)
	if p.Modfile != "" {
		args = append(args, "-modfile="+p.Modfile)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, p.Package)...)
	cmd.Dir = p.Module
	// Collecting garbage half as often builds Kubernetes in half the time.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOGC=400", "GOFLAGS=", "GOWORK=off")
	if err := c.watch(cmd, p.Name); err != nil {
		return err
	}
	return os.Rename(unfinished, file)
}

// watch runs a build and says every 20 seconds how far it is.
func (c *Cache) watch(cmd *exec.Cmd, name string) error {
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	lines := make(chan string)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(stderr); s.Scan(); {
			lines <- s.Text()
		}
	}()
	tick := time.NewTicker(20 * time.Second)
	defer tick.Stop()
	start, packages, last := time.Now(), 0, []string(nil)
	for open := true; open; {
		select {
		case line, ok := <-lines:
			if open = ok; !ok {
				break
			}
			packages++
			last = append(last, line)
			last = last[max(0, len(last)-20):]
		case <-tick.C:
			c.say("building %s: %d packages after %s", name, packages, time.Since(start).Round(time.Second))
		}
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("%w:\n%s", err, strings.Join(last, "\n"))
	}
	return nil
}

// prune keeps the two builds of a program that were used last, so that checkouts
// of two versions do not drive each other out.
func (c *Cache) prune(name, newest string) error {
	builds, err := filepath.Glob(filepath.Join(c.Dir, "bin", name+"-"+strings.Repeat("[0-9a-f]", 16)))
	if err != nil {
		return err
	}
	age := map[string]time.Time{}
	for _, dir := range builds {
		info, err := os.Stat(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		age[dir] = info.ModTime()
	}
	slices.SortFunc(builds, func(a, b string) int { return age[b].Compare(age[a]) })
	for _, dir := range builds[min(2, len(builds)):] {
		if dir == newest {
			continue
		}
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	return nil
}
