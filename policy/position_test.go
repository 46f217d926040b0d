package policy

import (
	"strings"
	"testing"
)

// Statements stand where an editor shows them: lines and columns count from 1,
// columns in characters.
func TestStatementsKnowTheirPlaces(t *testing.T) {
	const one = `{"Sid":"%","Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::ü"}`
	text := `{"Version":"2012-10-17","Statement":[` + replace(one, "a") + `, ` + replace(one, "b") + ",\n\n  " +
		strings.ReplaceAll(replace(one, "c"), ",", ",\n    ") + `,` + replace(one, "d") + `]}`
	var got [][4]int
	for _, s := range parse(t, Identity, text).statements {
		got = append(got, [4]int{s.line, s.column, s.endLine, s.endColumn})
	}
	want := [][4]int{{1, 38, 1, 106}, {1, 109, 1, 177}, {3, 3, 6, 32}, {6, 34, 6, 102}}
	for i := range want {
		if i >= len(got) || got[i] != want[i] {
			t.Errorf("statements at %v, want %v", got, want)
			break
		}
	}
}

// The longest text that any call takes has 43,000 statements at most: IAM reads
// it while it holds the world's lock. 20 ms; 5 s before places were counted once.
func BenchmarkManyStatements(b *testing.B) {
	text := `{"Statement":[{}`
	text += strings.Repeat(",{}", (maxText-len(text)-2)/3) + "]}"
	for b.Loop() {
		if _, err := Parse(Identity, text); err == nil {
			b.Fatal("statements without anything are taken")
		}
	}
}
