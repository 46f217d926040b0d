package policy

import (
	"slices"
	"unicode/utf8"
)

// A pattern is a text with wildcards, ready to be compared. Wildcards stand
// only where the policy's author wrote them: a * inside the value of a
// variable is an ordinary symbol.
type pattern []symbol

// A symbol is a UTF-16 unit or a wildcard: AWS's ? matches one UTF-16 unit, so
// that two are needed for a character outside the basic plane.
type symbol int32

const (
	anyUnit  symbol = -1 - iota // ?
	anyRun                      // *
	partUnit                    // ? that is no colon
	partRun                     // * that holds no colon
)

// units turns text into UTF-16 units.
func units(text string) []symbol {
	out := make([]symbol, 0, len(text))
	for _, c := range text {
		out = appendUnits(out, c)
	}
	return out
}

func appendUnits(out []symbol, c rune) []symbol {
	if c > 0xFFFF && c <= utf8.MaxRune {
		c -= 0x10000
		return append(out, symbol(0xD800+(c>>10)), symbol(0xDC00+(c&0x3FF)))
	}
	return append(out, symbol(c))
}

// glob reads * and ? as wildcards.
func glob(text string) pattern {
	out := make(pattern, 0, len(text))
	for _, c := range text {
		switch c {
		case '*':
			out = append(out, anyRun)
		case '?':
			out = append(out, anyUnit)
		default:
			out = appendUnits(out, c)
		}
	}
	return out
}

// matches reports whether p describes the whole of text, in time of at most
// the product of the lengths.
func (p pattern) matches(text []symbol) bool {
	if slices.Contains(p, partRun) {
		return p.matchesAny(text)
	}
	i, j := 0, 0
	star, mark := -1, 0
	for j < len(text) {
		switch {
		case i < len(p) && p[i] == anyRun:
			star, mark = i, j
			i++
		case i < len(p) && p[i].takes(text[j]):
			i++
			j++
		case star >= 0: // the last * takes one more; earlier ones need not
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(p) && p[i] == anyRun {
		i++
	}
	return i == len(p)
}

// takes tells whether s stands for the one unit.
func (s symbol) takes(unit symbol) bool {
	return s == unit || s == anyUnit || s == partUnit && unit != ':'
}

// matchesAny follows all ways at once: a run that stops at colons may need an
// earlier * to take more, which going back to the last * would miss.
func (p pattern) matchesAny(text []symbol) bool {
	// reached[j]: the pattern so far describes text[:j].
	reached := make([]bool, len(text)+1)
	reached[0] = true
	for _, s := range p {
		next := make([]bool, len(text)+1)
		run := s == anyRun || s == partRun
		next[0] = run && reached[0]
		for j, unit := range text {
			if run {
				next[j+1] = reached[j+1] || next[j] && (s == anyRun || unit != ':')
			} else {
				next[j+1] = reached[j] && s.takes(unit)
			}
		}
		reached = next
	}
	return reached[len(text)]
}
