package page

import (
	"time"

	"daypass.dev/kube/survey"
)

// A scale is the axis that all timelines of a page have in common: from now to
// a little beyond the last end.
type scale struct {
	span  time.Duration
	Every string // between marks; empty: nothing ends
	Marks []int  // of a thousand
}

// A bar is how long one thing lasts.
type bar struct {
	What  string // "credentials" or "certificate"
	Width int    // of a thousand
	Left  string
	Over  bool // it has ended
}

// steps are the lengths that an axis may have, with the distance of its marks.
func steps() [][2]time.Duration {
	const day = 24 * time.Hour
	return [][2]time.Duration{
		{time.Hour, 15 * time.Minute}, {4 * time.Hour, time.Hour}, {9 * time.Hour, 3 * time.Hour}, {12 * time.Hour, 3 * time.Hour}, {day, 6 * time.Hour},
		{3 * day, day}, {8 * day, 2 * day}, {32 * day, 8 * day}, {100 * day, 25 * day}, {400 * day, 100 * day},
	}
}

func scaleOf(now time.Time, shown []survey.Workload) scale {
	longest, found := time.Duration(0), false
	for i := range shown {
		for _, end := range []*time.Time{shown[i].CredentialsExpire, shown[i].CertificateExpires} {
			if end != nil {
				longest, found = max(longest, end.Sub(now)), true
			}
		}
	}
	if !found {
		return scale{}
	}
	all := steps()
	step := all[len(all)-1]
	for _, s := range all {
		if longest <= s[0] {
			step = s
			break
		}
	}
	s := scale{span: step[0], Every: survey.Span(step[1])}
	for at := time.Duration(0); at < step[0]; at += step[1] {
		s.Marks = append(s.Marks, s.x(at))
	}
	return s
}

// x is where on the axis something lies, from 0 to 1000.
func (s scale) x(at time.Duration) int {
	return int(1000 * min(max(at, 0), s.span).Seconds() / s.span.Seconds())
}

func (s scale) bars(now time.Time, w *survey.Workload) []bar {
	var all []bar
	for _, thing := range []struct {
		what string
		end  *time.Time
	}{{"credentials", w.CredentialsExpire}, {"certificate", w.CertificateExpires}} {
		if thing.end == nil {
			continue
		}
		left := thing.end.Sub(now)
		all = append(all, bar{What: thing.what, Width: max(s.x(left), 6), Left: survey.Span(left), Over: left <= 0})
	}
	return all
}
