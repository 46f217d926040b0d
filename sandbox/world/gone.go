package world

import "time"

// Gone tells whether the date has come at which the key was to be deleted. The
// world still has it, for its clock can be set back; to callers it is not there.
func (k *Key) Gone(now time.Time) bool { return past(k.Deletion, now) }

// Gone is as a key's.
func (s *Secret) Gone(now time.Time) bool { return past(s.Deletion, now) }

// Gone is as a key's.
func (ca *PrivateCA) Gone(now time.Time) bool { return past(ca.Restorable, now) }

func past(end, now time.Time) bool { return !end.IsZero() && !now.Before(end) }
