// Package setup is the AWS side of a platform, from one file: what roles there
// are, who may use them, and what makes AWS believe that they are who they say.
package setup
