package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"daypass.dev/internal/cli"
	"daypass.dev/reason"
)

// A shownReason is a row of the catalogue as explain prints it.
type shownReason struct {
	Slug string `json:"slug"`
	// Code and Message are what is answered; absent where that is not known, and
	// where nobody is refused for it.
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
	Cause   string `json:"cause"`
	Mend    string `json:"mend"`
}

func (o *explainOptions) tellReason(w io.Writer, slug string) error {
	row, ok := reason.Lookup(slug)
	if !ok {
		hint := "daypassctl explain lists all"
		if near := nearSlugs(slug); len(near) > 0 {
			hint = "did you mean " + strings.Join(near, ", ") + "?"
		}
		return cli.Usagef(hint, "there is no reason %q", slug)
	}
	r := shownReason(row)
	return o.print(w, r, r.table)
}

func (r shownReason) table(w io.Writer) error {
	_, err := fmt.Fprintf(w, "%s\n  answer  %s\n  cause   %s\n  mend    %s\n", r.Slug, r.answer(), r.Cause, r.Mend)
	return err
}

// answer is what the refused caller is told.
func (r shownReason) answer() string {
	switch {
	case r.Code == "":
		return "none: this is a warning, or refused before anybody is asked"
	case r.Message == "":
		return r.Code + ", in words that are not known"
	}
	return r.Code + ": " + strings.ReplaceAll(r.Message, "%s", "…")
}

func (o *explainOptions) listReasons(w io.Writer) error {
	var all []shownReason
	for _, row := range reason.All() {
		all = append(all, shownReason(row))
	}
	return o.print(w, all, func(w io.Writer) error {
		t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		for _, r := range all {
			fmt.Fprintf(t, "%s\t%s\n", r.Slug, r.Cause)
		}
		return t.Flush()
	})
}

// nearSlugs are at most three slugs like one that does not exist: misspelled
// by few letters, or with the same words.
func nearSlugs(slug string) []string {
	type near struct {
		slug string
		far  int
	}
	var all []near
	for _, row := range reason.All() {
		far := distance(slug, row.Slug)
		if strings.Contains(row.Slug, slug) {
			far = 1
		}
		if far <= 1+len(slug)/4 {
			all = append(all, near{row.Slug, far})
		}
	}
	slices.SortStableFunc(all, func(a, b near) int { return a.far - b.far })
	var slugs []string
	for _, n := range all[:min(3, len(all))] {
		slugs = append(slugs, n.slug)
	}
	return slugs
}

// distance is how many bytes must be inserted, deleted or replaced to turn a
// into b (Levenshtein). Slugs are short.
func distance(a, b string) int {
	if len(a) > 100 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}

// completeSlugs are for shells.
func completeSlugs(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	var all []string
	for _, r := range reason.All() {
		if len(args) == 0 {
			all = append(all, cobra.CompletionWithDesc(r.Slug, r.Cause))
		}
	}
	return all, cobra.ShellCompDirectiveNoFileComp
}
