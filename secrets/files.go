package secrets

import (
	"encoding/json"
	"io/fs"
	"slices"
	"strings"
)

// checkPath says what keeps a path from being a file below the mount's folder;
// empty: nothing. Names that begin with two dots are the writer's own.
func checkPath(path string) string {
	if path == "" {
		return "it is empty"
	}
	if len(path) > 1024 {
		return "it is longer than 1024 bytes"
	}
	for part := range strings.SplitSeq(path, "/") {
		switch {
		case part == "":
			return "a part of the path is empty"
		case part == ".":
			return "a part of the path is a dot"
		case strings.HasPrefix(part, ".."):
			return "a part of the path begins with two dots"
		case len(part) > 255:
			return "a part of the path is longer than 255 bytes"
		case strings.ContainsFunc(part, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' || r == '\uFFFD' }):
			return "it holds a character that file names must not have"
		}
	}
	return ""
}

// checkPlaces refuses two files in one place, and a file where another needs a
// folder.
func (c *Class) checkPlaces() error {
	taken := map[string]string{} // :: path → object
	var all []string
	add := func(object string, p Place) error {
		if first, ok := taken[p.Path]; ok {
			return wrong("secrets-collision", object, "the file %s is made twice: by %s as well", p.Path, first)
		}
		taken[p.Path] = object
		all = append(all, p.Path)
		return nil
	}
	for _, o := range c.Objects {
		if err := add(o.Name, o.File); err != nil {
			return err
		}
		for _, p := range o.Parts {
			if err := add(o.Name, p.File); err != nil {
				return err
			}
		}
	}
	for _, path := range all {
		for i, r := range path {
			if first, ok := taken[path[:i]]; r == '/' && ok {
				return wrong("secrets-collision", taken[path], "%s needs a folder where %s makes a file", path, first)
			}
		}
	}
	return nil
}

// A File is one file of a mount.
type File struct {
	Path string
	Mode fs.FileMode
	Data []byte
}

// A Version is which version of an object a mount holds.
type Version struct{ Object, Version string }

// maxTotal is how many bytes all files of a mount may have together: the driver
// takes no message of more than 4 MiB.
const maxTotal = 4<<20 - 64<<10

// Render makes the files of a class out of the values of its objects, in their
// order. Files without a mode of their own get mode. It is all or nothing;
// errors are *Error.
func (c *Class) Render(values []Value, mode fs.FileMode) ([]File, []Version, error) {
	var files []File
	var versions []Version
	total, work := 0, float64(maxClassWork)
	add := func(p Place, data []byte, version string) *Error {
		if total += len(data) + len(p.Path) + 32; total > maxTotal {
			return tooLarge()
		}
		if p.Mode == 0 {
			p.Mode = mode
		}
		files, versions = append(files, File{p.Path, p.Mode, data}), append(versions, Version{p.Path, version})
		return nil
	}
	for i, o := range c.Objects {
		v := values[i]
		if err := add(o.File, v.Data, v.Version); err != nil {
			return nil, nil, err
		}
		if len(o.Parts) == 0 {
			continue
		}
		var doc any
		if err := json.Unmarshal(v.Data, &doc); err != nil {
			return nil, nil, wrong("secrets-json", o.Name, "it is not JSON, and jmesPath needs that") // err may quote it
		}
		for _, p := range o.Parts {
			text, err := search(p.Path, doc, len(v.Data), &work)
			if err != nil {
				err.Object = o.Name
				return nil, nil, err
			}
			if err := add(p.File, []byte(text), v.Version); err != nil {
				return nil, nil, err
			}
		}
	}
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return files, versions, nil
}

func tooLarge() *Error {
	return wrong("secrets-too-large", "", "the files have more than %d bytes together", maxTotal)
}
