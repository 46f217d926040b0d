package peers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"daypass.dev/internal/atomicfile"
)

// AWSImage is the name of the container image that Podman provides.
const AWSImage = "localhost/aws-cli"

const release = "bookworm"

// Podman is a container engine that works here, and the environment that it
// needs for that; its store holds AWSImage, a small Debian with an AWS CLI
// (made by debootstrap the first time, which takes minutes and is told to
// progress).
func Podman(ctx context.Context, progress func(string)) (env []string, err error) {
	if err := Packages(ctx, map[string]string{"podman": "podman", "runc": "runc"}); err != nil {
		return nil, err
	}
	env, err = podmanEnvironment()
	if err != nil {
		return nil, err
	}
	if podman(ctx, env, "image", "exists", AWSImage) == nil {
		return env, nil
	}
	archive, err := DebianWithAWSCLI(ctx, progress)
	if err != nil {
		return nil, err
	}
	progress("importing it as " + AWSImage)
	if err := podman(ctx, env, "import", "--change", "CMD=/usr/bin/aws", archive, AWSImage); err != nil {
		return nil, err
	}
	return env, nil
}

// DebianWithAWSCLI is a tar of a small Debian root with Python and Debian's AWS
// CLI, made by debootstrap the first time.
func DebianWithAWSCLI(ctx context.Context, progress func(string)) (archive string, err error) {
	archive, err = Cache("aws-cli-" + release + ".tar")
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(archive); err == nil {
		return archive, nil
	}
	if os.Geteuid() != 0 {
		return "", fmt.Errorf("debootstrap as a plain user: %w", ErrAbsent)
	}
	if err := Packages(ctx, map[string]string{"debootstrap": "debootstrap"}); err != nil {
		return "", err
	}
	progress("making a small Debian with an AWS CLI (minutes, once)")
	return archive, bootstrap(ctx, archive)
}

// podmanEnvironment names a configuration that asks for nothing that a
// machine without CAP_SYS_RESOURCE, or with mixed cgroups, cannot give.
func podmanEnvironment() ([]string, error) {
	conf, err := Cache("containers.conf")
	if err != nil {
		return nil, err
	}
	text := "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=4096:4096\"]\n" +
		"[engine]\nruntime = \"runc\"\nevents_logger = \"none\"\n"
	return []string{"CONTAINERS_CONF=" + conf}, atomicfile.Write(conf, []byte(text), 0o600) // others may read it at this moment
}

func podman(ctx context.Context, env []string, args ...string) error {
	cmd := exec.CommandContext(ctx, "podman", args...)
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", cmd, err, tail(string(out)))
	}
	return nil
}

func bootstrap(ctx context.Context, archive string) error {
	dir, err := os.MkdirTemp(filepath.Dir(archive), "debootstrap")
	if err != nil {
		return err
	}
	defer func() {
		for _, m := range []string{"proc", "sys"} {
			_ = exec.Command("umount", filepath.Join(dir, m)).Run()
		}
		_ = os.RemoveAll(dir)
	}()
	// The last is only provided, not named, by what requires it: debootstrap does
	// not look for that.
	args := []string{"--variant=minbase", "--include=ca-certificates,awscli,python3-cffi-backend", release, dir}
	if err := quiet(ctx, "debootstrap", args...); err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "debootstrap", "debootstrap.log"))
		return fmt.Errorf("%w: %w%s", ErrAbsent, err, tail(string(log)))
	}
	for _, m := range []string{"proc", "sys"} {
		_ = exec.Command("umount", filepath.Join(dir, m)).Run()
	}
	if err := quiet(ctx, "tar", "-C", dir, "--numeric-owner", "--exclude=./var/cache/*", "--exclude=./var/lib/apt/lists/*",
		"-cf", archive+".part", "."); err != nil {
		return err
	}
	return os.Rename(archive+".part", archive)
}

// Works reports why containers do not run here, or nil.
func Works(ctx context.Context, env []string) error {
	cmd := exec.CommandContext(ctx, "podman", "run", "--rm", "--network", "host", AWSImage, "aws", "--version")
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "aws-cli/") {
		return fmt.Errorf("podman runs no container: %w: %w: %s", ErrAbsent, err, tail(string(out)))
	}
	return nil
}
