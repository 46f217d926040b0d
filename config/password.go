package config

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/term"

	"daypass.dev"
	"daypass.dev/internal/cli"
)

// maxPassword bounds what is read for a password.
const maxPassword = 4096

// A password is asked for once, for all files and all times, as the descriptor,
// the setting, or the person at the terminal has it.
type password struct {
	of *Settings

	mu    sync.Mutex
	known bool
	text  daypass.Secret
	err   error
}

// ask is what proof.KeyFiles asks.
func (p *password) ask(ctx context.Context, path string) (daypass.Secret, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known {
		return p.text, p.err
	}
	p.known = true
	switch {
	case p.of.PasswordFD != "":
		p.text, p.err = passwordFrom(p.of.PasswordFD)
	case p.of.Password != "":
		p.text, p.err = p.of.Password, nil
	default:
		p.text, p.err = prompt(ctx, path)
		p.known = ctx.Err() == nil
	}
	return p.text, p.err
}

// wrong forgets what a person typed.
func (p *password) wrong() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.of.PasswordFD == "" && p.of.Password == "" {
		p.known = false
	}
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
// input and output, which may be a program's. It leaves the terminal as it was,
// whatever ends it.
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
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	restore, err := raw(from)
	if err != nil {
		return "", fmt.Errorf("asking for a password: %w", err)
	}
	restore = sync.OnceFunc(restore)
	defer restore()
	// What waits for a line stops waiting where the system can do that.
	defer context.AfterFunc(ctx, func() { _ = from.SetReadDeadline(time.Now()) })()
	type answer struct {
		text string
		err  error
	}
	answered := make(chan answer, 1)
	go func() {
		text, err := term.NewTerminal(struct {
			io.Reader
			io.Writer
		}{from, to}, "").ReadPassword("Password of " + path + ": ")
		answered <- answer{text, err}
	}()
	select {
	case a := <-answered:
		switch {
		case ctx.Err() != nil:
		case errors.Is(a.err, io.EOF): // ^C, which makes no signal here, or ^D
			restore()
			stop()
			interrupt()
			return "", errors.New("asking for a password: none was given")
		case a.err != nil:
			return "", fmt.Errorf("asking for a password: %w", a.err)
		default:
			return daypass.Secret(a.text), nil
		}
	case <-ctx.Done():
	}
	fmt.Fprint(to, "\r\n")
	return "", context.Cause(ctx)
}

// interrupt does to this process what ^C does elsewhere.
func interrupt() {
	if self, err := os.FindProcess(os.Getpid()); err == nil {
		_ = self.Signal(os.Interrupt)
	}
}

// raw has the terminal hand on each key as it is pressed, and show none. It
// does not take Fd, after which a read could no longer be ended.
func raw(terminal *os.File) (restore func(), err error) {
	control, err := terminal.SyscallConn()
	if err != nil {
		return nil, err
	}
	var before *term.State
	var failed error
	if err := control.Control(func(fd uintptr) { before, failed = term.MakeRaw(int(fd)) }); err != nil {
		return nil, err
	}
	return func() { _ = control.Control(func(fd uintptr) { _ = term.Restore(int(fd), before) }) }, failed
}

// secret is a flag's value that no help shows.
type secret daypass.Secret

func (s *secret) String() string        { return "" }
func (s *secret) Type() string          { return "TEXT" }
func (s *secret) Set(text string) error { *s = secret(text); return nil }
