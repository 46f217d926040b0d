package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	e2e "daypass.dev/e2e/stage"
)

// A conversation is a daypass at a terminal of its own.
type conversation struct {
	*exec.Cmd
	t                  *testing.T
	keyboard, terminal *os.File
	lines              chan string
}

// converse starts daypass with a key that has the password "sesame".
func converse(t *testing.T, args ...string) *conversation {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("skipped: openssl is not installed")
	}
	s := e2e.Start(t, 0, "ec-p256")
	locked := s.File("locked.key")
	if out, err := exec.Command("openssl", "pkcs8", "-topk8", "-in", s.File("tls.key"), "-out", locked, "-passout", "pass:sesame").CombinedOutput(); err != nil {
		t.Fatalf("openssl: %v\n%s", err, out)
	}
	old := time.Now().Add(-time.Hour) // nobody waits for its fellows
	for _, name := range []string{"locked.key", "tls.crt"} {
		if err := os.Chtimes(s.File(name), old, old); err != nil {
			t.Fatal(err)
		}
	}
	c := &conversation{t: t, lines: make(chan string, 1000)}
	c.keyboard, c.terminal = openTerminal(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c.Cmd = exec.Command(self, args...)
	c.Args[0] = "daypass" // as TestMain knows it
	c.Env = append(append(s.Reach(), s.Settings()...), "DAYPASS_PRIVATE_KEY="+locked)
	c.Stdin, c.Stdout, c.Stderr = c.terminal, c.terminal, c.terminal
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	go func() {
		in := bufio.NewReader(c.keyboard)
		var text strings.Builder
		for {
			r, _, err := in.ReadRune()
			if err != nil {
				close(c.lines)
				return
			}
			text.WriteRune(r)
			if r == '\n' || strings.HasSuffix(text.String(), "key: ") {
				c.lines <- text.String()
				text.Reset()
			}
		}
	}()
	return c
}

// hears waits for a line with the text, and fails where a password is shown.
func (c *conversation) hears(text string) {
	c.t.Helper()
	for end := time.After(30 * time.Second); ; {
		select {
		case line, ok := <-c.lines:
			if strings.Contains(line, "sesame") {
				c.t.Errorf("the password is shown: %q", line)
			}
			if strings.Contains(line, text) {
				return
			}
			if !ok {
				c.t.Fatalf("it ended without %q", text)
			}
		case <-end:
			c.t.Fatalf("no %q", text)
		}
	}
}

func (c *conversation) types(text string) {
	c.t.Helper()
	if _, err := fmt.Fprint(c.keyboard, text); err != nil {
		c.t.Fatal(err)
	}
}

// echoes tells whether the terminal shows what is typed.
func (c *conversation) echoes() bool {
	c.t.Helper()
	state, err := unix.IoctlGetTermios(int(c.terminal.Fd()), unix.TCGETS)
	if err != nil {
		c.t.Fatal(err)
	}
	return state.Lflag&unix.ECHO != 0
}

// Who mistypes a password is asked again.
func TestMistypedPasswordIsAskedForAgain(t *testing.T) {
	c := converse(t, "serve", "--listen", "127.0.0.1:0")
	c.hears("Password of ")
	if c.echoes() {
		t.Error("the terminal shows what is typed")
	}
	c.types("open barley\r")
	c.hears("the password is wrong")
	c.hears("Password of ")
	c.types("sesame\r")
	c.hears("credentials renewed")
	if !c.echoes() {
		t.Error("the terminal shows no more what is typed")
	}
}

// ^C at the prompt ends the program, and so does a signal; the terminal is as
// before.
func TestPromptThatIsGivenUp(t *testing.T) {
	for name, giveUp := range map[string]func(*conversation){
		"key":    func(c *conversation) { c.types("\x03") },
		"signal": func(c *conversation) { _ = c.Process.Signal(syscall.SIGTERM) },
	} {
		for _, command := range []string{"credential-process", "env", "serve --listen=127.0.0.1:0"} {
			t.Run(name+" "+command, func(t *testing.T) {
				c := converse(t, strings.Fields(command)...)
				c.hears("Password of ")
				giveUp(c)
				ended := make(chan error, 1)
				go func() { ended <- c.Wait() }()
				select {
				case <-ended:
				case <-time.After(30 * time.Second):
					t.Fatal("it goes on")
				}
				if !c.echoes() {
					t.Error("the terminal shows no more what is typed")
				}
			})
		}
	}
}
