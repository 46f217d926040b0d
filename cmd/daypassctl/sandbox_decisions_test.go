package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"daypass.dev/sandbox/world"
)

func TestColours(t *testing.T) {
	refused := world.Decision{Status: 403, Service: "s3", Operation: "GetObject", Code: "AccessDenied", Reason: "policy-no-allow", Detail: "no 403 here"}
	for want, d := range map[string]world.Decision{
		"\x1b[32m 200 \x1b[0msts ":                                     {Status: 200, Service: "sts", Allowed: true},
		"\x1b[31m 403 \x1b[0ms3 GetObject: AccessDenied [policy-no-al": refused,
		"\x1b[33m 503 \x1b[0ms3 ":                                      {Status: 503, Service: "s3", NotAWS: []string{"fault: throttling"}},
	} {
		var plain, colour bytes.Buffer
		(&recorder{lines: &plain}).record(d)
		(&recorder{lines: &colour, colour: true}).record(d)
		if strings.Contains(plain.String(), "\x1b") || plain.String() != d.String()+"\n" {
			t.Errorf("the plain line is %q", plain.String())
		}
		if !strings.Contains(colour.String(), want) {
			t.Errorf("%q lacks %q", colour.String(), want)
		}
	}
}

// A file gets no colours, nor does a terminal with NO_COLOR.
func TestWhereColoursGo(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "lines"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("there is no pseudo-terminal here: ", err)
	}
	defer terminal.Close()
	t.Setenv("NO_COLOR", "")
	if !takesColour(terminal) {
		t.Error("a terminal gets no colours")
	}
	if takesColour(file) || takesColour(&bytes.Buffer{}) {
		t.Error("what is no terminal gets colours")
	}
	t.Setenv("NO_COLOR", "1")
	if takesColour(terminal) {
		t.Error("NO_COLOR is not heeded")
	}
}
