//go:build soak

package main

const rounds = 8 // 13 manners of each: 104 in all

// everyPair of a kind of key and a form is tried.
const everyPair = true
