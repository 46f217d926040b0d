package sigv4

import (
	"strconv"
	"time"
)

func (s *Signed) checkClock(now time.Time) error {
	now = now.UTC()
	limited := s.Presigned && s.Service == "s3"
	stamp := func(t time.Time) string { return t.Format(timeFormat) }
	switch {
	case s.Time.After(now.Add(window)):
		e := refuse("signature-not-yet", "signed at "+stamp(s.Time)+", the clock here says "+stamp(now),
			stamp(s.Time), stamp(now.Add(window)), stamp(now)).in(s)
		e.fields = skew(s.Time, now)
		return e
	case limited && now.After(s.Time.Add(s.Expires)):
		e := refuse("presign-expired", "signed at "+stamp(s.Time)+" for "+s.Expires.String()+", the clock here says "+stamp(now)).in(s)
		e.fields = [][2]string{
			{"X-Amz-Expires", strconv.Itoa(int(s.Expires / time.Second))},
			{"Expires", s.Time.Add(s.Expires).Format(time.RFC3339)}, {"ServerTime", now.Format(time.RFC3339)},
		}
		return e
	case !limited && s.Time.Before(now.Add(-window)):
		e := refuse("signature-expired", "signed at "+stamp(s.Time)+", the clock here says "+stamp(now),
			stamp(s.Time), stamp(now.Add(-window)), stamp(now)).in(s)
		e.fields = skew(s.Time, now)
		return e
	}
	return nil
}

func skew(request, now time.Time) [][2]string {
	return [][2]string{
		{"RequestTime", request.Format(timeFormat)}, {"ServerTime", now.Format(time.RFC3339)},
		{"MaxAllowedSkewMilliseconds", strconv.Itoa(int(window / time.Millisecond))},
	}
}
