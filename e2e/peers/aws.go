package peers

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"daypass.dev/e2e/build"
)

// botocore before 1.34.41 knows neither endpoint variables nor the container
// endpoint's newer addresses.
const bootsTest = `import botocore,boto3,sys; sys.exit(tuple(map(int,botocore.__version__.split(".")[:3]))<(1,34,41))`

// Python is a Python that can import a recent boto3: the machine's, or one in
// an environment of its own with boto3 and the AWS CLI from pip.
func Python(ctx context.Context) (string, error) {
	if p, err := exec.LookPath("python3"); err == nil && quiet(ctx, p, "-c", bootsTest) == nil {
		return p, nil
	}
	venv, err := Cache("python")
	if err != nil {
		return "", err
	}
	p := filepath.Join(venv, "bin", "python3")
	if quiet(ctx, p, "-c", bootsTest) == nil {
		return p, nil
	}
	if err := quiet(ctx, "python3", "-m", "venv", venv); err != nil {
		return "", fmt.Errorf("boto3: %w: %w", ErrAbsent, err)
	}
	if err := quiet(ctx, p, "-m", "pip", "install", "--quiet", "boto3", "awscli"); err != nil {
		return "", fmt.Errorf("boto3: %w: %w", ErrAbsent, err)
	}
	return p, nil
}

// AWSCLI is an AWS CLI: the one on PATH, or the one beside Python.
func AWSCLI(ctx context.Context) (string, error) {
	if p, err := exec.LookPath("aws"); err == nil && quiet(ctx, p, "--version") == nil {
		return p, nil
	}
	python, err := Python(ctx)
	if err != nil {
		return "", err
	}
	p := filepath.Join(filepath.Dir(python), "aws")
	if err := quiet(ctx, p, "--version"); err != nil {
		return "", fmt.Errorf("AWS CLI: %w: %w", ErrAbsent, err)
	}
	return p, nil
}

//go:embed package.json
var packageJSON []byte

//go:embed package-lock.json
var packageLock []byte

// JavaScript is node and a folder whose node_modules holds the AWS SDK for
// JavaScript, as package-lock.json pins it.
func JavaScript(ctx context.Context) (node, dir string, err error) {
	node, err = exec.LookPath("node")
	if err != nil {
		return "", "", fmt.Errorf("node: %w", ErrAbsent)
	}
	dir, err = Cache(fmt.Sprintf("javascript-%x", sha256.Sum256(packageLock))[:27])
	if err != nil {
		return "", "", err
	}
	if _, err := os.Stat(filepath.Join(dir, "whole")); err == nil {
		return node, dir, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", "", err
	}
	for name, data := range map[string][]byte{"package.json": packageJSON, "package-lock.json": packageLock} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return "", "", err
		}
	}
	if err := quietIn(ctx, dir, "npm", "ci", "--no-audit", "--no-fund"); err != nil {
		return "", "", fmt.Errorf("AWS SDK for JavaScript: %w: %w", ErrAbsent, err)
	}
	return node, dir, os.WriteFile(filepath.Join(dir, "whole"), nil, 0o600)
}

// Daypass are the files of the two programs, as they are shipped, by name.
func Daypass(ctx context.Context) (map[string]string, error) {
	files := map[string]string{}
	for _, name := range []string{"daypass", "daypassctl"} {
		file, err := build.Ours(ctx, "", "daypass.dev/cmd/"+name)
		if err != nil {
			return nil, err
		}
		files[name] = file
	}
	return files, nil
}
