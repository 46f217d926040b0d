package exchange

import "strings"

// Names are checked by hand and not by regular expressions: compiling these
// took two milliseconds of each start of credential-process.

const (
	letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	lower   = "abcdefghijklmnopqrstuvwxyz"
	digits  = "0123456789"
)

// spelled reports whether s is least to most bytes long, all of them of set.
func spelled(s string, least, most int, set string) bool {
	return least <= len(s) && len(s) <= most && strings.Trim(s, set) == ""
}

// visible reports whether s is least to most characters of visible ASCII.
func visible(s string, most int) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return s != "" && len(s) <= most
}

func isErrorCode(s string) bool {
	return spelled(s, 1, 128, letters+digits+"._") && strings.ContainsAny(s[:1], letters)
}

// isPartition takes aws, aws-cn and the like.
func isPartition(s string) bool {
	first, rest, more := strings.Cut(s, "-")
	if first != "aws" {
		return false
	}
	for more {
		var word string
		word, rest, more = strings.Cut(rest, "-")
		if !spelled(word, 1, 32, lower+digits) {
			return false
		}
	}
	return true
}

// isRegion takes us-east-1 and the like: two or more words and a number.
func isRegion(s string) bool {
	words := strings.Split(s, "-")
	n := len(words) - 1
	if n < 2 || !spelled(words[n], 1, 4, digits) {
		return false
	}
	for _, w := range words[:n] {
		if !spelled(w, 1, 32, lower) {
			return false
		}
	}
	return true
}
