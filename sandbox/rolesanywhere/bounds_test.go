package rolesanywhere

import "testing"

// A number of seconds whose nanoseconds overflow is no short duration.
func TestADurationThatOverflowsIsRefused(t *testing.T) {
	for seconds, want := range map[int]bool{900: true, 43200: true, 899: false, 43201: false, 18446745000: false, -1: false} {
		_, err := (&profileInput{Duration: &seconds}).check()
		if (err == nil) != want {
			t.Errorf("durationSeconds %d: %v", seconds, err)
		}
	}
}
