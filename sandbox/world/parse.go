package world

import "fmt"

// Parse reads a world from YAML. name is the file's, for errors.
func Parse(name string, text []byte) (*World, error) {
	if len(text) == 0 {
		return New(), nil
	}
	return nil, fmt.Errorf("%s: worlds in YAML are not built yet", name)
}
