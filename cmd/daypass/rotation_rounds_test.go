//go:build !soak

package main

const rounds = 2 // 13 manners of each: 26 in all
