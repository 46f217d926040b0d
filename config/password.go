package config

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"sync"

	"golang.org/x/term"

	"daypass.dev"
	"daypass.dev/internal/cli"
)

// maxPassword bounds what is read for a password.
const maxPassword = 4096

// password is what KeyFiles asks for one: the descriptor, the setting, or the
// person at the terminal. It asks once, for all files and all times.
func (s *Settings) password() func(context.Context, string) (daypass.Secret, error) {
	var (
		mu       sync.Mutex
		known    bool
		password daypass.Secret
		err      error
	)
	return func(ctx context.Context, path string) (daypass.Secret, error) {
		mu.Lock()
		defer mu.Unlock()
		if !known {
			password, err = s.askPassword(ctx, path)
			known = ctx.Err() == nil
		}
		return password, err
	}
}

func (s *Settings) askPassword(ctx context.Context, path string) (daypass.Secret, error) {
	switch {
	case s.PasswordFD != "":
		return passwordFrom(s.PasswordFD)
	case s.Password != "":
		return s.Password, nil
	}
	return prompt(ctx, path)
}

// KeepPassword keeps --password-fd from programs that we start before it has
// been read, which is where a key proves to need none.
func (s *Settings) KeepPassword() {
	if n, err := strconv.ParseUint(s.PasswordFD, 10, 16); err == nil {
		closeOnExec(int(n))
	}
}

// passwordFrom reads the first line of a file descriptor and closes it, so
// that no command that we start inherits it.
func passwordFrom(descriptor string) (daypass.Secret, error) {
	const hint = "as in: --password-fd 3 3<password.txt"
	n, err := strconv.ParseUint(descriptor, 10, 16)
	if err != nil {
		return "", cli.Usagef(hint, "--password-fd: %q is not the number of a file descriptor", descriptor)
	}
	f := os.NewFile(uintptr(n), "descriptor "+descriptor)
	var line []byte
	for one := make([]byte, 1); len(line) <= maxPassword; { // what follows the line is not ours
		if _, err = io.ReadFull(f, one); err != nil || one[0] == '\n' {
			break
		}
		line = append(line, one[0])
	}
	if err != nil && err != io.EOF { // not closed: it may be the runtime's own
		return "", cli.Usagef(hint, "--password-fd: %w", err)
	}
	_ = f.Close()
	switch line = bytes.TrimSuffix(line, []byte("\r")); {
	case len(line) > maxPassword:
		return "", cli.Usagef("", "--password-fd: the password is longer than %d bytes", maxPassword)
	case len(line) == 0:
		return "", cli.Usagef(hint, "--password-fd: there is no password in descriptor %s", descriptor)
	}
	return daypass.Secret(line), nil
}

// prompt asks the person at the terminal, if there is one: not over standard
// input and output, which may be a program's.
func prompt(ctx context.Context, path string) (daypass.Secret, error) {
	in, out := "/dev/tty", "/dev/tty"
	if runtime.GOOS == "windows" {
		in, out = "CONIN$", "CONOUT$"
	}
	from, err := os.OpenFile(in, os.O_RDWR, 0)
	if err != nil {
		return "", cli.Usagef("give --password-fd (or DAYPASS_PASSWORD_FD), or DAYPASS_PASSWORD",
			"no password is given, and there is no terminal to ask at")
	}
	defer from.Close()
	to, err := os.OpenFile(out, os.O_RDWR, 0)
	if err != nil {
		return "", fmt.Errorf("asking for a password: %w", err)
	}
	defer to.Close()
	fd := int(from.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", fmt.Errorf("asking for a password: %w", err)
	}
	fmt.Fprintf(to, "Password of %s: ", path)
	defer fmt.Fprintln(to)
	type answer struct {
		text []byte
		err  error
	}
	answered := make(chan answer, 1)
	go func() {
		text, err := term.ReadPassword(fd)
		answered <- answer{text, err}
	}()
	select {
	case a := <-answered:
		if a.err != nil {
			return "", fmt.Errorf("asking for a password: %w", a.err)
		}
		return daypass.Secret(a.text), nil
	case <-ctx.Done():
		_ = term.Restore(fd, before) // with an echo
		return "", ctx.Err()
	}
}

// secret is a flag's value that no help shows.
type secret daypass.Secret

func (s *secret) String() string        { return "" }
func (s *secret) Type() string          { return "TEXT" }
func (s *secret) Set(text string) error { *s = secret(text); return nil }
