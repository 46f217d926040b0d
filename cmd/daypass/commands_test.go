package main

import "testing"

// A command is found by the name that it bears.
func TestCommandsBearTheirNames(t *testing.T) {
	for name, command := range commands() {
		if got := command().Name(); got != name {
			t.Errorf("%s is called %s", name, got)
		}
	}
}
