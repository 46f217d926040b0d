// Programs links the programs that it is given, packages of this module, where
// they are not linked yet, and prints the folder for DAYPASS_BUILT.
package main

import (
	"context"
	"fmt"
	"os"

	"daypass.dev/e2e/build"
)

func main() {
	dir, err := build.Built(context.Background(), os.Args[1:]...)
	if err != nil {
		fmt.Fprintln(os.Stderr, "programs:", err)
		os.Exit(1)
	}
	fmt.Println(dir)
}
