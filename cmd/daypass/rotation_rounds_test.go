//go:build !soak

package main

const rounds = 2 // 13 manners of each: 26 in all

// everyPair of a kind of key and a form is tried; else every kind in one form,
// and every form of two kinds.
const everyPair = false
