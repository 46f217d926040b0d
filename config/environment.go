package config

import (
	"strconv"
	"time"
)

// Environment is s as variables, NAME=value in the order of the table, from
// which serve would read the same settings: for a container that is configured
// by its environment alone. Settings that hold their default are left out, and
// so is the password, which must not stand where others read.
func (s *Settings) Environment() []string {
	defaults := Defaults()
	usual := defaults.ServeTable()
	var all []string
	for i, row := range s.ServeTable() {
		now, known := text(row.Into)
		if was, _ := text(usual[i].Into); !known || now == was {
			continue
		}
		names := row.Names()
		name := names[0]
		if row.Flag != "" {
			name = names[1] // the flag's twin
		}
		all = append(all, name+"="+now)
	}
	return all
}

// text writes what a setting holds as it can be read again; secrets are of
// types that it does not know.
func text(into any) (string, bool) {
	switch into := into.(type) {
	case *string:
		return *into, true
	case *bool:
		return strconv.FormatBool(*into), true
	case *time.Duration:
		return strconv.FormatInt(int64(*into/time.Second), 10), true
	}
	return "", false
}
