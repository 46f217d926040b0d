//go:build soak

package main

const rounds = 8 // 13 manners of each: 104 in all
