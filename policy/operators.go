package policy

import (
	"encoding/base64"
	"strings"
)

// An outcome is what one value of a policy makes of one value of a request.
type outcome int

const (
	differs outcome = iota
	matches
	// unreadable: the request's value is not of the operator's type.
	unreadable
	// malformed: the policy's value is no ARN, which is found out late where it
	// holds variables or stands in a session policy. AWS lets such a value
	// decide for a Deny and against an Allow, whatever comes after it.
	malformed
)

// A comparison compares one value of a policy, already read, with a value of
// the request.
type comparison func(e *env, actual string) outcome

// An operator is a condition operator without its prefix and suffix.
type operator struct {
	name    string
	negated bool
	// variables: whether ${…} in values is a variable.
	variables bool
	// unequal: whether a request's value that cannot be read counts as unequal
	// for the negated operator. Else it matches nothing.
	unequal bool
	// wants describes the type of values, for hints.
	wants string
	// read prepares a value of a policy. sound is false for one that is not of
	// the operator's type; its comparison matches nothing.
	read reading
}

type reading func(t template) (compare comparison, sound bool)

// nullOperator is the one operator that looks only at whether a key is there.
const nullOperator = "Null"

// operators lists all that IAM knows.
func operators() []operator {
	text := func(name string, negated bool, read reading) operator {
		return operator{name: name, negated: negated, variables: true, wants: "text", read: read}
	}
	arn := func(name string, negated bool) operator {
		return operator{name: name, negated: negated, variables: true, wants: "an ARN of six parts, or *", read: readARN}
	}
	numeric := func(name string, negated bool, holds func(int) bool) operator {
		return operator{name: name, negated: negated, unequal: true, wants: "a number", read: readNumber(holds)}
	}
	date := func(name string, negated bool, holds func(int) bool) operator {
		return operator{name: name, negated: negated, unequal: true, wants: "a date like 2026-01-31T12:00:00Z, or seconds since 1970", read: readDate(holds)}
	}
	ip := func(name string, negated bool) operator {
		return operator{name: name, negated: negated, wants: "an address or a network like 192.0.2.0/24", read: readNetwork}
	}
	return []operator{
		text("StringEquals", false, readText),
		text("StringNotEquals", true, readText),
		text("StringEqualsIgnoreCase", false, readFolded),
		text("StringNotEqualsIgnoreCase", true, readFolded),
		text("StringLike", false, readPattern),
		text("StringNotLike", true, readPattern),
		numeric("NumericEquals", false, equal),
		numeric("NumericNotEquals", true, equal),
		numeric("NumericLessThan", false, less),
		numeric("NumericLessThanEquals", false, lessOrEqual),
		numeric("NumericGreaterThan", false, greater),
		numeric("NumericGreaterThanEquals", false, greaterOrEqual),
		date("DateEquals", false, equal),
		date("DateNotEquals", true, equal),
		date("DateLessThan", false, less),
		date("DateLessThanEquals", false, lessOrEqual),
		date("DateGreaterThan", false, greater),
		date("DateGreaterThanEquals", false, greaterOrEqual),
		{name: "Bool", wants: "true or false", read: readBool},
		{name: "BinaryEquals", wants: "base64", read: readBinary},
		ip("IpAddress", false),
		ip("NotIpAddress", true),
		arn("ArnEquals", false),
		arn("ArnNotEquals", true),
		arn("ArnLike", false),
		arn("ArnNotLike", true),
		{name: nullOperator, wants: "true or false", read: readBool},
	}
}

func equal(order int) bool          { return order == 0 }
func less(order int) bool           { return order < 0 }
func lessOrEqual(order int) bool    { return order <= 0 }
func greater(order int) bool        { return order > 0 }
func greaterOrEqual(order int) bool { return order >= 0 }

func verdict(match bool) outcome {
	if match {
		return matches
	}
	return differs
}

func readText(t template) (comparison, bool) {
	return func(e *env, actual string) outcome {
		wanted, _, ok := t.expand(e)
		return verdict(ok && wanted == actual)
	}, true
}

func readFolded(t template) (comparison, bool) {
	return func(e *env, actual string) outcome {
		wanted, _, ok := t.expand(e)
		return verdict(ok && lower(wanted) == lower(actual))
	}, true
}

func readPattern(t template) (comparison, bool) {
	return func(e *env, actual string) outcome {
		_, wanted, ok := t.expand(e)
		return verdict(ok && wanted.matches(units(actual)))
	}, true
}

// isTrue reads a boolean: true in any case, all else is false.
func isTrue(text string) bool { return strings.EqualFold(text, "true") }

func readBool(t template) (comparison, bool) {
	wanted := isTrue(t.text)
	return func(_ *env, actual string) outcome { return verdict(isTrue(actual) == wanted) }, true
}

func readBinary(t template) (comparison, bool) {
	_, err := base64.StdEncoding.Strict().DecodeString(t.text)
	return func(_ *env, actual string) outcome { return verdict(actual == t.text) }, err == nil
}
