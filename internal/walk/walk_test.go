package walk

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const page = "# A page\n" +
	"```json file=etc/a.json\n{\"a\": 1}\n```\n" +
	"text\n" +
	"```console\n" +
	"$ X=hello; cat etc/a.json\n{\"a\": 1}\n" +
	"$ echo \"$X\" \\\n>   world\nhello world\n" +
	"$ printf 'one\\ntwo\\nthree\\n'\none\n…\n" +
	"$ printf 'no newline'\nno …\n" +
	"$ echo error >&2; (exit 3) # exit 3\nerror\n" +
	"$ true\n" +
	"```\n" +
	"```sh\n$ false\n```\n"

func run(t *testing.T, text string) error {
	t.Helper()
	p, err := Parse("page.md", text)
	if err != nil {
		t.Fatal(err)
	}
	r := &Runner{Dir: t.TempDir(), Env: []string{"PATH=" + os.Getenv("PATH")}}
	return r.Run(t.Context(), p)
}

func TestAPageThatHolds(t *testing.T) {
	if err := run(t, page); err != nil {
		t.Fatal(err)
	}
}

func TestAPageThatDoesNotHold(t *testing.T) {
	for name, c := range map[string]struct{ from, to, why string }{
		"other output":    {"{\"a\": 1}\n$", "{\"a\": 2}\n$", "other output"},
		"missing line":    {"one\n…", "two\n…", "other output"},
		"extra output":    {"hello world\n$", "hello world\nand more\n$", "other output"},
		"wrong exit code": {"# exit 3", "# exit 4", "exit code 3, the page says 4"},
		"failing command": {"$ true", "$ false", "exit code 1, the page says 0"},
		"file outside":    {"file=etc/a.json", "file=../a.json", "leaves the folder"},
		"shell exits":     {"$ true", "$ exit 0", "the shell ended"},
	} {
		t.Run(name, func(t *testing.T) {
			if !strings.Contains(page, c.from) {
				t.Fatalf("the page has no %q", c.from)
			}
			err := run(t, strings.Replace(page, c.from, c.to, 1))
			var step *StepError
			if !errors.As(err, &step) || !strings.Contains(step.Why, c.why) {
				t.Errorf("got %v, want a step error with %q", err, c.why)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"no commands":     "# nothing\n```sh\n$ true\n```\n",
		"open fence":      "```console\n$ true\n",
		"output at first": "```console\ntrue\n```\n",
	} {
		if _, err := Parse("p.md", text); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// What a page starts in the background ends with it.
func TestNothingIsLeftRunning(t *testing.T) {
	dir := t.TempDir()
	text := "```console\n$ sleep 300 & echo $! > pid\n```\n"
	p, err := Parse("p.md", text)
	if err != nil {
		t.Fatal(err)
	}
	if err := (&Runner{Dir: dir, Env: os.Environ()}).Run(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	pid, err := os.ReadFile(filepath.Join(dir, "pid"))
	if err != nil {
		t.Fatal(err)
	}
	// A killed process may still be on its way out.
	for range 500 {
		state, err := os.ReadFile("/proc/" + strings.TrimSpace(string(pid)) + "/stat")
		if err != nil || strings.Contains(string(state), ") Z") {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("process %s is alive five seconds later", pid)
}

func TestAStepIsMended(t *testing.T) {
	p, err := Parse("p.md", "```console\n$ cat there\nyes\n$ cat elsewhere\n```\n")
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	r := &Runner{Dir: t.TempDir(), Env: []string{"PATH=" + os.Getenv("PATH")}, Mend: func(e *StepError) (string, error) {
		if asked++; asked > 1 {
			return "", e
		}
		return "echo yes > there", nil
	}}
	var step *StepError
	if err := r.Run(t.Context(), p); !errors.As(err, &step) || step.Step.Command != "cat elsewhere" || asked != 2 {
		t.Errorf("asked %d times: %v", asked, err)
	}
}

// Who interrupts a page does not wait for its commands.
func TestInterrupted(t *testing.T) {
	p, err := Parse("p.md", "```console\n$ sleep 300 & sleep 300\n```\n")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r := &Runner{Dir: t.TempDir(), Env: os.Environ(), Out: told(cancel)}
	if err := r.Run(ctx, p); err == nil || !strings.Contains(err.Error(), context.Canceled.Error()) {
		t.Errorf("an interrupted page ends with %v", err)
	}
}

// told calls a function when it is written to.
type told func()

func (f told) Write(text []byte) (int, error) { f(); return len(text), nil }

func TestAPageWithinAnotherCommand(t *testing.T) {
	p, err := Parse("p.md", "```console\n$ echo $WHERE\nelsewhere\n```\n")
	if err != nil {
		t.Fatal(err)
	}
	r := &Runner{Dir: t.TempDir(), Env: []string{"PATH=" + os.Getenv("PATH")}, Within: []string{"env", "WHERE=elsewhere"}}
	if err := r.Run(t.Context(), p); err != nil {
		t.Error(err)
	}
}
