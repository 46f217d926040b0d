package kube

import (
	"bytes"
	"fmt"
	"io"
	"os/exec"
	"strings"
)

// output runs a command; its error holds what the command said.
func output(cmd *exec.Cmd, input io.Reader, name string, args []string) (string, error) {
	var out, said bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = input, &out, &said
	if err := cmd.Run(); err != nil {
		text := strings.TrimSpace(said.String())
		if text == "" {
			text = strings.TrimSpace(out.String())
		}
		return out.String(), fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, text)
	}
	return out.String(), nil
}
