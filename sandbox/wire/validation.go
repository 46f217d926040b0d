package wire

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"daypass.dev/sandbox/world"
)

// A Validation collects what is wrong with the parameters of one call, in the
// words of AWS's services of the query protocol. Its zero value is ready.
type Validation struct {
	wrong []string
}

// Required complains of an empty value.
func (v *Validation) Required(field, value string) {
	if value == "" {
		v.addf("Value null at '%s' failed to satisfy constraint: Member must not be null", field)
	}
}

// Length complains of a value that is given and has too few or too many
// characters; a max of 0 is none.
func (v *Validation) Length(field, value string, min, max int) {
	n := utf8.RuneCountInString(value)
	switch {
	case value == "":
	case n < min:
		v.add(field, value, fmt.Sprintf("Member must have length greater than or equal to %d", min))
	case max > 0 && n > max:
		v.add(field, value, fmt.Sprintf("Member must have length less than or equal to %d", max))
	}
}

// SecretLength is Length for what must not be shown.
func (v *Validation) SecretLength(field, value string, min, max int) {
	n := utf8.RuneCountInString(value)
	switch {
	case value == "":
	case n < min:
		v.addf("Value at '%s' failed to satisfy constraint: Member must have length greater than or equal to %d", field, min)
	case n > max:
		v.addf("Value at '%s' failed to satisfy constraint: Member must have length less than or equal to %d", field, max)
	}
}

// Pattern complains of a value that is given and does not match as a whole;
// shown is the pattern as AWS writes it.
func (v *Validation) Pattern(field, value string, pattern *regexp.Regexp, shown string) {
	if value != "" && !pattern.MatchString(value) {
		v.add(field, value, "Member must satisfy regular expression pattern: "+shown)
	}
}

// Range complains of a number outside of min and max.
func (v *Validation) Range(field string, n, min, max int) {
	switch {
	case n < min:
		v.add(field, strconv.Itoa(n), fmt.Sprintf("Member must have value greater than or equal to %d", min))
	case n > max:
		v.add(field, strconv.Itoa(n), fmt.Sprintf("Member must have value less than or equal to %d", max))
	}
}

func (v *Validation) add(field, value, constraint string) {
	v.addf("Value '%s' at '%s' failed to satisfy constraint: %s", value, field, constraint)
}

func (v *Validation) addf(format string, args ...any) {
	v.wrong = append(v.wrong, fmt.Sprintf(format, args...))
}

// Err is nil if nothing was wrong, and otherwise a *world.Refusal of code
// ValidationError that lists everything.
func (v *Validation) Err() error {
	if len(v.wrong) == 0 {
		return nil
	}
	noun := "errors"
	if len(v.wrong) == 1 {
		noun = "error"
	}
	return Invalid(fmt.Sprintf("%d validation %s detected: %s", len(v.wrong), noun, strings.Join(v.wrong, "; ")))
}

// Invalid is a refusal of code ValidationError.
func Invalid(message string) *world.Refusal {
	return &world.Refusal{Slug: "parameter-invalid", Code: "ValidationError", Status: 400, Message: message, Detail: message}
}

// Int reads a whole number as AWS's query services do: a sign and leading
// zeros are taken, blanks, points and what does not fit 32 bits are not. An
// empty one is absent: 0, false.
func (f Form) Int(name string) (n int, given bool, err error) {
	text := f.Get(name)
	if text == "" {
		return 0, false, nil
	}
	i, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return 0, true, &world.Refusal{
			Slug: "parameter-malformed", Code: "MalformedInput", Status: 400,
			Message: "Invalid value for " + name, Detail: fmt.Sprintf("%s is %q, which is no whole number of 32 bits", name, text),
		}
	}
	return int(i), true, nil
}
