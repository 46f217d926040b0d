package iam

import (
	"maps"
	"slices"
)

// Operations are all that are built, for the tests that walk them.
func Operations() []string { return slices.Sorted(maps.Keys(operations)) }
