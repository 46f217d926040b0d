package iam

import (
	"encoding/base64"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"daypass.dev/sandbox/wire"
)

// contextTypes are the values of ContextKeyType, in the order in which AWS
// lists them in its refusal.
func contextTypes() []string {
	return []string{
		"binary", "ipList", "booleanList", "ip", "boolean", "numericList", "dateList", "numeric", "date", "stringList", "string", "binaryList",
	}
}

// readContext reads ContextEntries; an entry without any member counts as not
// there (recorded).
func (s *simulation) readContext(entries []wire.Form) error {
	for i, e := range entries {
		name, kind, values := e.Get("ContextKeyName"), e.Get("ContextKeyType"), e.List("ContextKeyValues")
		if name == "" && kind == "" && values == nil {
			continue
		}
		if kind != "" && !slices.Contains(contextTypes(), kind) {
			return wire.Invalid("1 validation error detected: Value at 'contextEntries." + strconv.Itoa(i+1) +
				".member.contextKeyType' failed to satisfy constraint: Member must satisfy enum value set: [" + strings.Join(contextTypes(), ", ") + "]")
		}
		if err := checkEntry(name, kind, values); err != nil {
			return err
		}
		if slices.Contains(s.given, strings.ToLower(name)) {
			return invalidInput("Duplicate context key: " + name + ".")
		}
		s.given = append(s.given, strings.ToLower(name))
		if _, list := strings.CutSuffix(kind, "List"); list {
			s.context.SetMulti(name, values...)
		} else {
			s.context.Set(name, values...)
		}
	}
	return nil
}

// checkEntry says in AWS's words what is wrong with an entry.
func checkEntry(name, kind string, values []string) error {
	scalar, list := strings.CutSuffix(kind, "List")
	switch {
	case name == "":
		return invalidInput("ContextKeyName cannot be null or empty.")
	case kind == "":
		return invalidInput("Context key " + name + " has invalid type null.")
	case len(values) == 0:
		return invalidInput("Context values for context key " + name + " cannot be null or empty.")
	case !list && len(values) > 1:
		return invalidInput("Context key " + kind + " expected a single value, but received " + strconv.Itoa(len(values)) + ".") // sic
	}
	for _, v := range values {
		if wanted := misfit(scalar, v); wanted != "" {
			return invalidInput("Invalid context value for key " + name + ": expected " + wanted + ".")
		}
	}
	return nil
}

var number = regexp.MustCompile(`^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?$`)

// misfit names the form that a value of a type lacks; empty if it has it. Which
// dates AWS takes beyond these is not known in full.
func misfit(kind, value string) string {
	switch kind {
	case "numeric":
		if !number.MatchString(value) {
			return "numeric format"
		}
	case "date":
		if !isDate(value) {
			return "DateTime format"
		}
	case "ip":
		_, err := netip.ParseAddr(value)
		if _, network := netip.ParsePrefix(value); err != nil && network != nil {
			return "IP address"
		}
	case "binary":
		if _, err := base64.StdEncoding.DecodeString(value); err != nil {
			return "base-64 encoded binary format"
		}
	}
	return ""
}

func isDate(value string) bool {
	if _, err := strconv.ParseInt(value, 10, 64); err == nil {
		return true
	}
	return slices.ContainsFunc([]string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04Z07:00", "2006-01-02", "2006-01"}, func(layout string) bool {
		_, err := time.Parse(layout, value)
		return err == nil
	})
}
