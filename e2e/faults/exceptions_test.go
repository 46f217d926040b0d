package faults

import (
	_ "embed"
	"errors"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"daypass.dev/e2e/clients"
	"daypass.dev/e2e/peers"
	"daypass.dev/e2e/stage"
)

// shown is what an SDK's exception says where an endpoint answered with an
// error: its code, or what the SDK says instead of it.
type shown struct {
	sdk, from string
	// unanswered is said instead of a code of ours, which means that AWS gave no
	// answer; instead, of every code. Empty: the code is there.
	unanswered, instead string
	command             func(*testing.T) *exec.Cmd
}

// exceptions says what each SDK does. Go tells the code of both endpoints.
// JavaScript's default chain tells nothing of any provider but that all have
// failed; of its providers that for containers tells codes of 4xx answers, that
// for IMDS none. botocore tells what a container endpoint said; what IMDS said
// goes to its debug log.
func exceptions() []shown {
	const chain = "Could not load credentials from any providers"
	return []shown{
		{"go", "imds", "", "", reader("go")},
		{"go", "container", "", "", reader("go")},
		{"javascript", "imds", "", chain, javascript("chain")},
		{"javascript", "container", "", chain, javascript("chain")},
		{"javascript-fromInstanceMetadata", "imds", "", "Invalid response received from instance metadata service", javascript("imds")},
		{"javascript-fromHttp", "container", "Server responded with status: 50", "", javascript("container")},
		{"boto3", "imds", "", "NoCredentialsError: Unable to locate credentials", reader("boto3")},
		{"boto3", "container", "", "", reader("boto3")},
	}
}

// SDKs wait a second for an answer, which a busy machine may not keep; for
// JavaScript it was that for a session token if it then comes without one.
var timeout = regexp.MustCompile(`(?i)time(d )?out|deadline exceeded|statusCode: 401`)

// room is for so many SDKs at once, lest they keep each other waiting.
var room = make(chan struct{}, 6*runtime.GOMAXPROCS(0))

// tryExceptions runs every SDK in a process of its own at every endpoint; where
// endpoints answer as at another fault, one for all of them.
func tryExceptions(t *testing.T, f fault, p *play) {
	t.Run("exception", func(t *testing.T) {
		all := exceptions()
		if f.like != "" && !everySDK {
			all = all[:1]
		}
		for _, e := range all {
			t.Run(e.sdk+"-"+e.from, func(t *testing.T) {
				t.Parallel()
				instead := e.instead
				if instead == "" && f.unanswered() {
					instead = e.unanswered
				}
				text := e.provoke(t, p)
				told := slices.ContainsFunc(f.codes, func(code string) bool { return strings.Contains(text, code) })
				if told == (instead != "") || !strings.Contains(text, instead) {
					t.Errorf("the exception says %q, not %q %s", text, f.codes, instead)
				}
			})
		}
	})
}

// provoke returns the text of an SDK's exception.
func (e shown) provoke(t *testing.T, p *play) (text string) {
	t.Helper()
	for range 6 {
		cmd := e.command(t)
		cmd.Env = append(p.stage.Reach(), p.served.Ways()[e.from]...)
		room <- struct{}{}
		out, err := cmd.CombinedOutput()
		<-room
		text = strings.TrimSpace(string(out))
		if failed := (*exec.ExitError)(nil); !errors.As(err, &failed) {
			t.Fatalf("no exception: %v\n%s", err, text)
		}
		if !timeout.MatchString(text) {
			break
		}
	}
	return text
}

// reader is the program that reads an object with an SDK's default chain.
func reader(sdk string) func(*testing.T) *exec.Cmd {
	return func(t *testing.T) *exec.Cmd {
		t.Helper()
		for _, r := range clients.Readers() {
			if r.Name == sdk {
				return r.Command(t, stage.Bucket, stage.Object, true)
			}
		}
		t.Fatalf("no reader for %s", sdk)
		return nil
	}
}

//go:embed testdata/exception.mjs
var exceptionScript string

func javascript(provider string) func(*testing.T) *exec.Cmd {
	return func(t *testing.T) *exec.Cmd {
		t.Helper()
		node, dir, err := peers.JavaScript(t.Context())
		peers.Need(t, "javascript", err)
		cmd := exec.Command(node, "--input-type=module", "--eval", exceptionScript, "--", provider)
		cmd.Dir = dir
		return cmd
	}
}
