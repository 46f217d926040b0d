// Package reason is the catalogue of every way to be refused. Each has a slug
// that decision records, hints, events and the troubleshooting page share. The
// package holds rows and no logic: add one in the file of its subject.
package reason

import "sync"

// A Reason is one way to be refused, or to be about to be.
type Reason struct {
	// Slug names it everywhere: lower case, words joined by hyphens.
	Slug string
	// Code and Message are what AWS answers, where that is known. Message may
	// hold %s where AWS names a thing; empty if AWS's words are not known.
	Code    string
	Message string
	// Cause says what is really wrong, Mend what to do about it; one sentence
	// each, lower case, no full stop.
	Cause string
	Mend  string
}

// All returns the whole catalogue in order of subject.
func All() []Reason {
	var all []Reason
	for _, rows := range [][]Reason{
		certificates(), sessions(), signatures(), policies(), services(), webIdentity(), storage(), clients(), host(), setup(), kubernetes(), privateCA(), google(), topics(), secrets(),
	} {
		all = append(all, rows...)
	}
	return all
}

// Lookup returns the reason with that slug, and whether there is one.
func Lookup(slug string) (Reason, bool) {
	r, ok := bySlug()[slug]
	return r, ok
}

var bySlug = sync.OnceValue(func() map[string]Reason {
	index := map[string]Reason{}
	for _, r := range All() {
		index[r.Slug] = r
	}
	return index
})
