// Package doctor breaks one thing after another for real, in a sandbox, and
// holds what doctor names as the cause against the sandbox's own record; then
// it does what the mend says, and the patient must be well.
package doctor
