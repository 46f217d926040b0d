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

// openTerminal makes a pseudo-terminal and returns both its ends.
func openTerminal(t *testing.T) (keyboard, terminal *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("skipped without pseudo-terminals: %v", err)
	}
	t.Cleanup(func() { _ = keyboard.Close() })
	if err := unix.IoctlSetPointerInt(int(keyboard.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(keyboard.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = terminal.Close() })
	return keyboard, terminal
}

// At a terminal ^C goes to the command, which may live on, as shells do. Then
// so does its endpoint.
func TestControlCIsTheCommands(t *testing.T) {
	s := e2e.Start(t, 0, "ec-p256")
	keyboard, terminal := openTerminal(t)
	cmd := exec.Command(e2e.Binary(t, "daypass"), "run", "--", "sh", "-c",
		`n=0; trap 'n=$((n+1)); echo got-$n; [ $n = 3 ] && exit 7' INT; echo ready; while :; do sleep 0.05; done`)
	cmd.Env = append(s.Reach(), s.Settings()...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = terminal, terminal, terminal
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = terminal.Close()
	lines := bufio.NewScanner(keyboard)
	for _, want := range []string{"ready", "got-1", "got-2", "got-3"} {
		for lines.Scan() && !strings.Contains(lines.Text(), want) {
		}
		if !strings.Contains(lines.Text(), want) {
			t.Fatalf("no %s: %v", want, cmd.Wait())
		}
		if want != "got-3" {
			if _, err := keyboard.Write([]byte{3}); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 7 {
		t.Errorf("exit code %d, want the command's own, 7", code)
	}
}

// A key reaches a command once, from its terminal, even where its input comes
// from a file. What is sent to daypass alone, as by a supervisor, is passed on.
func TestEachInterruptReachesTheCommandOnce(t *testing.T) {
	s := e2e.Start(t, 0, "ec-p256")
	const count = `$|=1; $SIG{INT}=sub{$n++}; $SIG{TERM}=sub{print "got-$n\n"; exit}; print "ready\n"; sleep 1 while 1`
	if _, err := exec.LookPath("perl"); err != nil {
		t.Skip("skipped: perl is not installed")
	}
	for _, row := range []struct {
		name  string
		send  func(keyboard *os.File, daypass *os.Process) error
		stray bool // daypass has no terminal
	}{
		{name: "^C", send: func(keyboard *os.File, _ *os.Process) error { _, err := keyboard.Write([]byte{3}); return err }},
		{name: "kill -INT", send: func(_ *os.File, daypass *os.Process) error { return daypass.Signal(os.Interrupt) }, stray: true},
	} {
		t.Run(row.name, func(t *testing.T) {
			keyboard, terminal := openTerminal(t)
			cmd := exec.Command(e2e.Binary(t, "daypass"), "run", "--", "perl", "-e", count)
			cmd.Env = append(s.Reach(), s.Settings()...)
			cmd.Stdout, cmd.Stderr = terminal, terminal
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: !row.stray, Ctty: 1}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
			_ = terminal.Close()
			lines := bufio.NewScanner(keyboard)
			for lines.Scan() && !strings.Contains(lines.Text(), "ready") {
			}
			if err := row.send(keyboard, cmd.Process); err != nil {
				t.Fatal(err)
			}
			time.Sleep(200 * time.Millisecond) // for a second one to come, if there is one
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			for lines.Scan() && !strings.Contains(lines.Text(), "got-") {
			}
			if !strings.Contains(lines.Text(), "got-1") {
				t.Errorf("the command says %q", lines.Text())
			}
		})
	}
}
