package secrets

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/jmespath/go-jmespath"
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
	total := 0
	add := func(p Place, data []byte) {
		if p.Mode == 0 {
			p.Mode = mode
		}
		files = append(files, File{p.Path, p.Mode, data})
		total += len(data) + len(p.Path) + 32
	}
	for i, o := range c.Objects {
		v := values[i]
		add(o.File, v.Data)
		versions = append(versions, Version{o.File.Path, v.Version})
		if len(o.Parts) == 0 {
			continue
		}
		var doc any
		if err := json.Unmarshal(v.Data, &doc); err != nil {
			return nil, nil, wrong("secrets-json", o.Name, "it is not JSON, and jmesPath needs that") // err may quote it
		}
		for _, p := range o.Parts {
			text, err := search(p.Path, doc)
			if err != nil {
				err.Object = o.Name
				return nil, nil, err
			}
			add(p.File, []byte(text))
			versions = append(versions, Version{p.File.Path, v.Version})
		}
	}
	if total > maxTotal {
		return nil, nil, tooLarge(total)
	}
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return files, versions, nil
}

func tooLarge(total int) *Error {
	return wrong("secrets-too-large", "", "the files have %d bytes together, more than %d", total, maxTotal)
}

// checkJMES compiles a JMESPath; the library's panics on odd texts become
// errors.
func checkJMES(path string) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("it cannot be read")
		}
	}()
	_, err = jmespath.Compile(path)
	return err
}

// search returns the string at a path of a document.
func search(path string, doc any) (text string, failed *Error) {
	defer func() {
		if p := recover(); p != nil {
			failed = wrong("secrets-jmespath", "", "the jmesPath %q cannot be evaluated", path)
		}
	}()
	found, err := jmespath.Search(path, doc)
	if err != nil {
		return "", wrong("secrets-jmespath", "", "the jmesPath %q cannot be evaluated", path) // err may quote the document
	}
	switch found := found.(type) {
	case string:
		return found, nil
	case nil:
		return "", wrong("secrets-jmes-result", "", "the jmesPath %q finds nothing", path)
	default:
		return "", wrong("secrets-jmes-result", "", "the jmesPath %q finds %s, not a string", path, kindOf(found))
	}
}

func kindOf(v any) string {
	switch v.(type) {
	case float64:
		return "a number"
	case bool:
		return "a boolean"
	case []any:
		return "a list"
	}
	return "an object"
}
