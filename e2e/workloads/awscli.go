package workloads

import (
	"context"
	"fmt"
	"os/exec"
	"strings"

	"daypass.dev/e2e/images"
	"daypass.dev/e2e/peers"
)

// installed prints the files of the AWS CLI, boto3 and all that they require:
// where each is and its path below its root, a line each. If this Python is the
// image's, it compiles them into a folder of its own below its argument, once,
// lest each process in a pod has to.
const installed = `
import hashlib, importlib.metadata as m, os, py_compile, re, sys
seen, todo, files = {}, ["awscli", "boto3"], []
while todo:
    name = re.split(r"[^A-Za-z0-9._-]", todo.pop())[0]
    if name.lower() in seen:
        continue
    d = m.distribution(name)
    seen[name.lower()] = d.version
    todo += [r for r in d.requires or [] if "extra ==" not in r and "python_version <" not in r and "sys_platform ==" not in r]
    files += [(d, str(f)) for f in d.files or [] if not str(f).startswith("..") and "__pycache__" not in str(f) and "awscli/examples/" not in str(f)]
compiled = os.path.join(sys.argv[1], hashlib.sha256(repr(sorted(seen.items())).encode()).hexdigest()[:16])
for d, f in files:
    source = str(d.locate_file(f))
    print(source, f, sep="\t")
    if f.endswith(".py") and sys.version_info[:2] == (3, 11):
        c = os.path.join(os.path.dirname(f), "__pycache__", os.path.basename(f)[:-3] + ".cpython-311.pyc")
        to = os.path.join(compiled, c)
        if os.path.exists(to) or py_compile.compile(source, to, "/" + "` + packages + `" + f, quiet=2,
                invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH):
            print(to, c, sep="\t")
`

// packages is where the image's Python looks for what Debian did not install.
const packages = "usr/local/lib/python3.11/dist-packages/"

// command is what pip would have put into a bin folder.
const command = `#!/usr/bin/python3
import sys
from awscli.clidriver import main
sys.exit(main())
`

// needless is what the small Debian can do without: what its own, older AWS
// CLI consists of, papers, and what installs. Each file costs each node of each
// cluster its unpacking.
var needless = []string{
	"usr/bin/perl", "usr/bin/perl5.36.0", "usr/lib/x86_64-linux-gnu/perl-base", "usr/share/perl5", "usr/share/perl",
	"usr/lib/apt", "usr/lib/systemd", "var/lib/systemd", "usr/share/lintian", "usr/share/bash-completion", "usr/share/docutils",
	"usr/share/zoneinfo", "usr/share/ca-certificates", "usr/share/python3", "usr/lib/python3.11/test",
	"usr/lib/python3/dist-packages", "usr/bin/aws", "usr/share/doc", "usr/share/man", "usr/share/locale",
	"usr/share/info", "usr/share/groff", "var/lib/dpkg/info", "var/lib/apt", "var/cache", "proc", "sys", "dev",
	"usr/lib/x86_64-linux-gnu/gconv",
}

// AWSCLI is the AWS CLI with boto3 on a small Debian: a recent version from
// Python's index, or the one that this machine has. Without either, or without
// debootstrap, the error is peers.ErrAbsent.
func AWSCLI(ctx context.Context, progress func(string)) (images.Image, error) {
	python, err := peers.Python(ctx)
	if err != nil {
		return images.Image{}, err
	}
	root, err := peers.DebianWithAWSCLI(ctx, progress)
	if err != nil {
		return images.Image{}, err
	}
	compiled, err := peers.Cache("awscli-compiled")
	if err != nil {
		return images.Image{}, err
	}
	out, err := exec.CommandContext(ctx, python, "-c", installed, compiled).Output()
	if err != nil {
		return images.Image{}, fmt.Errorf("finding the AWS CLI's files: %w: %w", peers.ErrAbsent, err)
	}
	files := []images.File{{Path: "usr/local/bin/aws", Text: []byte(command)}}
	for line := range strings.Lines(string(out)) {
		from, file, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		files = append(files, images.File{Path: packages + file, From: from, Mode: 0o644})
	}
	return images.Image{
		Command: []string{"sleep", "infinity"},
		Env:     append([]string{"PATH=/usr/local/bin:/usr/bin:/bin"}, trusted...),
		Layers: []images.Layer{
			{Archive: root, Skip: func(p string) bool {
				for _, n := range needless {
					if p == n {
						return true
					}
				}
				return false
			}},
			{Files: files},
		},
	}, nil
}
