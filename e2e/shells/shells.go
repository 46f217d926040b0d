// Package shells asks real shells what they would complete a line to.
package shells

import (
	"context"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"daypass.dev/e2e/peers"
)

const bashCompletion = "/usr/share/bash-completion/bash_completion"

// drivers take the program and the line, and print what would be offered, one
// to a line.
var drivers = map[string][]string{ // never changed
	"bash": {"--norc", "-c", `
source ` + bashCompletion + `
source <("$0" completion bash)
COMP_LINE=$1 COMP_POINT=${#1} COMP_TYPE=9
read -ra COMP_WORDS <<<"$1"
[[ $1 == *' ' ]] && COMP_WORDS+=('')
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
registered=$(complete -p "$0")
registered=${registered#*-F }
${registered%% *} "$0" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
printf '%s\n' "${COMPREPLY[@]}"`},
	// Of zsh's own part in it, what registers functions (it takes seconds to look
	// at all that there are) and what shows the words are stand-ins.
	"zsh": {"-f", "-c", `
compdef() { }
source <("$0" completion zsh)
_describe() { print -rl -- $completions }
words=(${=1})
[[ $1 == *' ' ]] && words+=('')
CURRENT=$#words
_$0`},
	"fish": {"--no-config", "-c", `
$argv[1] completion fish | source
complete --do-complete $argv[2]`},
}

// Completes checks, in each shell, that this test's binary, called program,
// offers for the last word of each line what the line is to have.
func Completes(t *testing.T, program string, lines map[string]string) {
	dir := link(t, program)
	for _, shell := range slices.Sorted(maps.Keys(drivers)) {
		t.Run(shell, func(t *testing.T) {
			for line, want := range lines {
				if got := complete(t, shell, dir, program, line); !slices.Contains(got, want) {
					t.Errorf("%q: %v", line, got)
				}
			}
		})
	}
}

// complete is what a shell offers for the last word of a line that begins with
// program, which must be in dir.
func complete(t testing.TB, shell, dir, program, line string) []string {
	t.Helper()
	peers.Need(t, shell, present(t.Context(), shell))
	cmd := exec.CommandContext(t.Context(), shell, append(append([]string{}, drivers[shell]...), program, line)...)
	home := t.TempDir()
	cmd.Dir, cmd.Env = home, append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "HOME="+home, "XDG_CONFIG_HOME="+home, "TERM=dumb")
	var said strings.Builder
	cmd.Stderr = &said // bash complains that no key was pressed
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s%s", shell, err, out, said.String())
	}
	var all []string
	for line := range strings.Lines(string(out)) {
		word, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
		if word, _, _ = strings.Cut(word, " "); word == "" {
			continue
		}
		if shell == "zsh" { // WORD:DESCRIPTION
			word, _, _ = strings.Cut(word, ":")
		}
		all = append(all, word)
	}
	if len(all) == 0 {
		t.Errorf("%s offers nothing for %q: %s", shell, line, said.String())
	}
	return all
}

func present(ctx context.Context, shell string) error {
	want := map[string]string{shell: shell}
	if shell == "bash" {
		if _, err := os.Stat(bashCompletion); err != nil {
			want["bash-completion"] = "bash-completion" // no command, and so asked for
		}
	}
	return peers.Packages(ctx, want)
}

// link makes a directory in which the test's own binary has this name.
func link(t testing.TB, name string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(self, filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
	return dir
}
