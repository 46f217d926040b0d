package walk

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A Runner executes pages in a folder.
type Runner struct {
	Dir string   // where files are written and commands run; must exist
	Env []string // the whole environment of the commands
	// Within is a command that runs the command after it, as nsenter does; the
	// page's bash runs within it. Empty: here.
	Within []string
	Out    io.Writer // told each command as it runs, with its output; nil: nobody
	// Timeout ends a command that hangs; zero: two minutes.
	Timeout time.Duration
	// Mend, if there is one, is asked at each step that does not hold, and gives
	// a command after which the step is run again, or the page's error.
	Mend func(*StepError) (command string, err error)
}

// A StepError says where a page does not hold.
type StepError struct {
	Page string
	Step Step
	Got  string // what the command printed
	Why  string
}

func (e *StepError) Error() string {
	return fmt.Sprintf("%s:%d: %s\n$ %s\n%s", e.Page, e.Step.Line, e.Why, e.Step.Command, e.Got)
}

// Run executes the page to its end, or to the first step that does not hold,
// which it returns as a *StepError. Whatever the commands left running is
// ended.
func (r *Runner) Run(ctx context.Context, p *Page) error {
	sh, err := r.start(ctx)
	if err != nil {
		return err
	}
	defer sh.end()
	for _, s := range p.Steps {
		if s.File != "" {
			if err := r.write(s); err != nil {
				return &StepError{Page: p.Name, Step: s, Why: err.Error()}
			}
			continue
		}
		for {
			failed := r.step(ctx, sh, p, s)
			if failed == nil {
				break
			}
			if r.Mend == nil {
				return failed
			}
			command, err := r.Mend(failed)
			if err != nil {
				return err
			}
			if got, code, err := sh.run(ctx, command, r.timeout()); err != nil || code != 0 {
				return &StepError{p.Name, s, got, fmt.Sprintf("%s: exit code %d, %v", command, code, err)}
			}
		}
	}
	return nil
}

func (r *Runner) step(ctx context.Context, sh *shell, p *Page, s Step) *StepError {
	if r.Out != nil {
		fmt.Fprintf(r.Out, "$ %s\n", s.Command)
	}
	got, code, err := sh.run(ctx, s.Command, r.timeout())
	if r.Out != nil {
		fmt.Fprint(r.Out, got)
	}
	switch {
	case err != nil:
		return &StepError{p.Name, s, got, err.Error()}
	case code != s.Exit:
		return &StepError{p.Name, s, got, fmt.Sprintf("exit code %d, the page says %d", code, s.Exit)}
	case len(trimBlank(s.Want)) > 0 && !Matches(s.Want, got):
		return &StepError{p.Name, s, got, "the page shows other output:\n" + strings.Join(s.Want, "\n")}
	}
	return nil
}

func (r *Runner) timeout() time.Duration {
	if r.Timeout > 0 {
		return r.Timeout
	}
	return 2 * time.Minute
}

func (r *Runner) write(s Step) error {
	if !filepath.IsLocal(s.File) {
		return fmt.Errorf("file=%s leaves the folder", s.File)
	}
	path := filepath.Join(r.Dir, s.File)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(s.Content), 0o600)
}

// A shell is the one bash of a page. Its output and errors share a pipe, so
// that they stand in the order in which they were written.
type shell struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	lines  chan string
	prompt string
}

func (r *Runner) start(ctx context.Context) (*shell, error) {
	args := append(slices.Clone(r.Within), "bash", "--noprofile", "--norc")
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir, cmd.Env = r.Dir, r.Env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting bash: %w", err)
	}
	_ = w.Close()
	sh := &shell{cmd: cmd, in: in, lines: make(chan string, 64), prompt: "walk-" + rand.Text()}
	go func() {
		defer out.Close()
		defer close(sh.lines)
		for b := bufio.NewReader(out); ; {
			line, err := b.ReadString('\n')
			if line != "" {
				sh.lines <- line
			}
			if err != nil {
				return
			}
		}
	}()
	return sh, nil
}

func (s *shell) run(ctx context.Context, command string, limit time.Duration) (got string, code int, err error) {
	// The leading newline keeps the mark apart from output without one.
	if _, err := fmt.Fprintf(s.in, "%s\nprintf '\\n%s %%d\\n' $?\n", command, s.prompt); err != nil {
		return "", 0, fmt.Errorf("talking to bash: %w", err)
	}
	var b strings.Builder
	deadline := time.After(limit)
	for {
		select {
		case line, ok := <-s.lines:
			if !ok {
				return b.String(), 0, fmt.Errorf("the shell ended")
			}
			if n, ok := strings.CutPrefix(line, s.prompt+" "); ok {
				code, err = strconv.Atoi(strings.TrimSpace(n))
				return strings.TrimSuffix(b.String(), "\n"), code, err
			}
			b.WriteString(line)
		case <-ctx.Done(): // what the command started may hold the output on
			return b.String(), 0, ctx.Err()
		case <-deadline:
			return b.String(), 0, fmt.Errorf("no end after %v", limit)
		}
	}
}

// end closes the shell and ends its whole process group: first politely, so
// that servers clean up, then not. It returns when nobody holds the output any
// more, or after ten seconds.
func (s *shell) end() {
	_ = s.in.Close()
	drained := make(chan struct{})
	go func() {
		for range s.lines {
		}
		close(drained)
	}()
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		_ = syscall.Kill(-s.cmd.Process.Pid, signal)
		select {
		case <-drained:
		case <-time.After(5 * time.Second):
		}
	}
	_ = s.cmd.Wait()
}
