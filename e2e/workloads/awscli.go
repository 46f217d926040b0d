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
// a folder and the path below it, a line each.
const installed = `
import importlib.metadata as m, re
seen, todo = set(), ["awscli", "boto3"]
while todo:
    name = re.split(r"[^A-Za-z0-9._-]", todo.pop())[0]
    if name.lower() in seen:
        continue
    seen.add(name.lower())
    d = m.distribution(name)
    todo += [r for r in d.requires or [] if "extra ==" not in r and "python_version <" not in r and "sys_platform ==" not in r]
    for f in d.files or []:
        if not str(f).startswith("..") and "__pycache__" not in str(f):
            print(d.locate_file(""), f, sep="\t")
`

// command is what pip would have put into a bin folder.
const command = `#!/usr/bin/python3
import sys
from awscli.clidriver import main
sys.exit(main())
`

// needless is what the small Debian can do without: what its own, older AWS
// CLI consists of, and papers.
var needless = []string{
	"usr/lib/python3/dist-packages", "usr/bin/aws", "usr/share/doc", "usr/share/man", "usr/share/locale",
	"usr/share/info", "usr/share/groff", "var/lib/dpkg/info", "var/lib/apt", "var/cache", "proc", "sys", "dev",
	"usr/lib/python3.11/__pycache__", "usr/lib/x86_64-linux-gnu/gconv",
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
	out, err := exec.CommandContext(ctx, python, "-c", installed).Output()
	if err != nil {
		return images.Image{}, fmt.Errorf("finding the AWS CLI's files: %w: %w", peers.ErrAbsent, err)
	}
	files := []images.File{{Path: "usr/local/bin/aws", Text: []byte(command)}}
	for line := range strings.Lines(string(out)) {
		folder, file, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		files = append(files, images.File{
			Path: "usr/local/lib/python3.11/dist-packages/" + file, From: folder + "/" + file, Mode: 0o644,
		})
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
