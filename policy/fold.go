package policy

import (
	"strings"
	"unicode"
)

// lower is how AWS ignores case: it compares lower-cased text, which is not
// Unicode's folding (s is not ſ, but k is the Kelvin sign). A sigma at the end
// of a word becomes ς, İ becomes two characters, and characters beyond the
// basic plane keep their case. Observed on real IAM; see the tests.
func lower(text string) string {
	ascii := true
	for i := range len(text) {
		if text[i] >= 0x80 {
			ascii = false
			break
		}
	}
	if ascii {
		return strings.ToLower(text)
	}
	runes := []rune(text)
	var b strings.Builder
	for i, c := range runes {
		switch {
		case c == 'Σ' && endsWord(runes, i):
			b.WriteRune('ς')
		case c == 'İ':
			b.WriteString("i\u0307")
		case c > 0xFFFF:
			b.WriteRune(c)
		default:
			b.WriteRune(unicode.ToLower(c))
		}
	}
	return b.String()
}

// endsWord tells whether the letter at i has a letter before it and none after
// it, passing over marks and the like (Unicode's Final_Sigma).
func endsWord(text []rune, i int) bool {
	before, after := i-1, i+1
	for before >= 0 && ignorable(text[before]) {
		before--
	}
	for after < len(text) && ignorable(text[after]) {
		after++
	}
	return before >= 0 && cased(text[before]) && (after == len(text) || !cased(text[after]))
}

func cased(c rune) bool {
	return unicode.IsUpper(c) || unicode.IsLower(c) || unicode.IsTitle(c)
}

func ignorable(c rune) bool {
	return strings.ContainsRune("'.:·’‘", c) || unicode.In(c, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk)
}
