package secrets

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Bounds of a class. A SecretProviderClass holds at most 1.5 MiB.
const (
	maxDocument = 1 << 20
	maxObjects  = 1000 // and as many files
	maxFields   = 100  // of one mapping
)

// What the driver adds to a class's parameters, and those that it reads itself.
const driverPrefix = "csi.storage.k8s.io/"

// ParseClass reads the parameters of a SecretProviderClass, with the names,
// meanings and defaults of AWS's provider 3.1, and assumeRoleArn. Errors are
// *Error.
// https://github.com/aws/secrets-store-csi-driver-provider-aws#secretproviderclass-options
func ParseClass(parameters map[string]string) (*Class, error) {
	c := &Class{}
	translate := "_"
	for name, text := range parameters {
		var err error
		switch name {
		case "objects":
		case "region":
			c.Region = text
		case "failoverRegion":
			c.FailoverRegion = text
		case "usePodIdentity":
			if text == "" {
				break
			}
			if c.PodIdentity, err = strconv.ParseBool(text); err != nil {
				return nil, wrong("secrets-parameter", "", "usePodIdentity is %.40q, which is neither true nor false", text)
			}
		case "pathTranslation":
			switch {
			case text == "":
			case strings.EqualFold(text, "false"):
				translate = ""
			case len([]rune(text)) == 1 && text != "/":
				translate = text
			default:
				return nil, wrong("secrets-parameter", "", "pathTranslation is %.40q: it is one character, or False", text)
			}
		case "preferredAddressType": // of an agent that is asked by HTTP; ours is not
		case "assumeRoleArn":
			if !roleARN.MatchString(text) {
				return nil, wrong("secrets-parameter", "", "assumeRoleArn is %.100q, which is no ARN of a role", text)
			}
			c.AssumeRoleARN = text
		default:
			if !strings.HasPrefix(name, driverPrefix) {
				c.Unknown = append(c.Unknown, name)
			}
		}
	}
	for _, region := range []string{c.Region, c.FailoverRegion} {
		if region != "" && !regionName.MatchString(region) {
			return nil, wrong("secrets-parameter", "", "%.40q is no region of AWS", region)
		}
	}
	slices.Sort(c.Unknown)
	if err := c.parseObjects(parameters["objects"], translate); err != nil {
		return nil, err
	}
	return c, c.checkPlaces()
}

var (
	roleARN = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]{1,512}$`)
	// regionName are the regions of AWS's partitions.
	regionName = regexp.MustCompile(`^(us|eu|ap|sa|ca|me|af|il|mx|cn|us-gov|us-iso[a-z]?|eu-isoe|eusc)(-[a-z]+)+-[0-9]{1,2}$`)
	filePerm   = regexp.MustCompile(`^[0-7]{4}$`)
)

// IsRegion tells names of AWS's regions from those that other clouds and
// people's own data centres give.
func IsRegion(name string) bool { return regionName.MatchString(name) }

// An entry is an object as it is written.
type entry struct {
	Name       string      `yaml:"objectName"`
	Type       string      `yaml:"objectType"`
	Alias      string      `yaml:"objectAlias"`
	Version    string      `yaml:"objectVersion"`
	Label      string      `yaml:"objectVersionLabel"`
	Permission string      `yaml:"filePermission"`
	JMES       []jmesEntry `yaml:"jmesPath"`
	Failover   *failover   `yaml:"failoverObject"`
}

type jmesEntry struct {
	Path       string `yaml:"path"`
	Alias      string `yaml:"objectAlias"`
	Permission string `yaml:"filePermission"`
}

type failover struct {
	Name    string `yaml:"objectName"`
	Version string `yaml:"objectVersion"`
	Label   string `yaml:"objectVersionLabel"`
}

func (c *Class) parseObjects(text, translate string) error {
	if len(text) > maxDocument {
		return wrong("secrets-objects", "", "objects has more than %d bytes", maxDocument)
	}
	var root yaml.Node
	d := yaml.NewDecoder(strings.NewReader(text))
	if err := d.Decode(&root); errors.Is(err, io.EOF) {
		return nil // no objects: nothing is mounted
	} else if err != nil {
		return &Error{Slug: "secrets-objects", Detail: "objects is no YAML", Err: withoutPrefix(err)}
	}
	var second yaml.Node
	if err := d.Decode(&second); !errors.Is(err, io.EOF) {
		return wrong("secrets-objects", "", "objects holds more than one YAML document")
	}
	list := root.Content[0]
	if list.Kind == yaml.ScalarNode && list.ShortTag() == "!!null" {
		return nil
	}
	if list.Kind != yaml.SequenceNode {
		return wrong("secrets-objects", "", "objects is not a list of objects")
	}
	if len(list.Content) > maxObjects {
		return spread("objects has %d entries, more than %d", len(list.Content), maxObjects)
	}
	files, unknown := 0, map[string]bool{}
	for i, n := range list.Content {
		var e entry
		if n.Kind != yaml.MappingNode {
			return wrong("secrets-objects", "", "object %d is not a mapping with an objectName", i+1)
		}
		if tooWide(n) { // reading takes the square of it
			return spread("object %d has a mapping of more than %d fields", i+1, maxFields)
		}
		if err := n.Decode(&e); err != nil {
			return &Error{Slug: "secrets-objects", Detail: "object " + strconv.Itoa(i+1) + " cannot be read", Err: withoutPrefix(err)}
		}
		if files += 1 + len(e.JMES); files > maxObjects {
			return spread("objects and their jmesPath entries make more than %d files", maxObjects)
		}
		noteUnknown(n, unknown)
		o, err := e.object(c, translate)
		if err != nil {
			if err.Object == "" {
				err.Object = "object " + strconv.Itoa(i+1)
			}
			return err
		}
		c.Objects = append(c.Objects, o)
	}
	for _, name := range c.Unknown { // as parameters
		delete(unknown, name)
	}
	c.Unknown = append(c.Unknown, slices.Sorted(maps.Keys(unknown))...)
	return nil
}

// spread is a class of more than one mount's worth.
func spread(format string, args ...any) *Error {
	e := wrong("secrets-objects", "", format, args...)
	e.Hint = "spread the objects over two SecretProviderClasses"
	return e
}

// tooWide tells whether a mapping in n has more fields than any needs.
func tooWide(n *yaml.Node) bool {
	return n.Kind == yaml.MappingNode && len(n.Content) > 2*maxFields || slices.ContainsFunc(n.Content, tooWide)
}

// withoutPrefix drops what the YAML library says of itself.
func withoutPrefix(err error) error { return errors.New(strings.TrimPrefix(err.Error(), "yaml: ")) }

// noteUnknown notes the fields of an object that mean nothing.
func noteUnknown(n *yaml.Node, all map[string]bool) {
	known := []string{"objectName", "objectType", "objectAlias", "objectVersion", "objectVersionLabel", "filePermission", "jmesPath", "failoverObject"}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if name := n.Content[i].Value; !slices.Contains(known, name) {
			all[name] = true
		}
	}
}

func (e entry) object(c *Class, translate string) (Object, *Error) {
	if e.Name == "" {
		return Object{}, wrong("secrets-object", "", "objectName is missing")
	}
	var o Object
	var err *Error
	if o.Item, err = item(e.Type, e.Name, e.Version, e.Label); err != nil {
		return o, err
	}
	name := e.Name
	if e.Alias != "" {
		name = e.Alias
	}
	if o.File, err = place(name, e.Permission, translate); err != nil {
		err.Object = e.Name
		return o, err
	}
	for _, j := range e.JMES {
		if j.Path == "" || j.Alias == "" {
			return o, wrong("secrets-object", e.Name, "an entry of jmesPath needs path and objectAlias")
		}
		if err := checkJMES(j.Path); err != nil {
			return o, &Error{Slug: "secrets-jmespath", Object: e.Name, Detail: "the jmesPath " + strconv.Quote(j.Path) + " is none", Err: err}
		}
		p, err := place(j.Alias, j.Permission, translate)
		if err != nil {
			err.Object = e.Name
			return o, err
		}
		o.Parts = append(o.Parts, Part{j.Path, p})
	}
	if e.Failover == nil {
		return o, nil
	}
	if e.Alias == "" {
		return o, wrong("secrets-object", e.Name, "an object with failoverObject needs an objectAlias")
	}
	if e.Failover.Name == "" {
		return o, wrong("secrets-object", e.Name, "objectName is missing in failoverObject")
	}
	kind := "secretsmanager"
	if o.Parameter {
		kind = "ssmparameter"
	}
	if o.Failover, err = item(kind, e.Failover.Name, e.Failover.Version, e.Failover.Label); err != nil {
		return o, err
	}
	if !o.Parameter && o.Failover.Version != o.Version {
		return o, wrong("secrets-object", e.Name, "objectVersion must be the same in failoverObject: both regions keep the same versions")
	}
	if c.FailoverRegion == "" {
		return o, wrong("secrets-region", e.Name, "failoverObject needs the parameter failoverRegion")
	}
	return o, nil
}

// item reads what AWS is to be asked for.
func item(kind, name, version, label string) (Item, *Error) {
	i := Item{Name: name, Version: version, Label: label}
	if strings.HasPrefix(name, "arn:") {
		p := strings.SplitN(name, ":", 6)
		switch {
		case len(p) == 6 && p[2] == "secretsmanager" && strings.HasPrefix(p[5], "secret:"):
			kind = matching(kind, "secretsmanager")
		case len(p) == 6 && p[2] == "ssm" && strings.HasPrefix(p[5], "parameter/"):
			kind = matching(kind, "ssmparameter")
		default:
			return i, wrong("secrets-object", name, "objectName is no ARN of a secret or a parameter")
		}
		if kind == "" {
			return i, wrong("secrets-object", name, "objectType does not fit the ARN in objectName")
		}
	}
	switch kind {
	case "secretsmanager":
	case "ssmparameter":
		i.Parameter = true
	case "":
		return i, wrong("secrets-object", name, "objectType is missing: it is secretsmanager or ssmparameter")
	default:
		return i, wrong("secrets-object", name, "objectType is %.40q: it is secretsmanager or ssmparameter", kind)
	}
	switch {
	case i.Parameter && version != "" && label != "":
		return i, wrong("secrets-object", name, "a parameter has objectVersion or objectVersionLabel, not both")
	case i.Parameter && strings.HasSuffix(name, ":"), strings.ContainsAny(name, "\x00\n\r"):
		return i, wrong("secrets-object", name, "objectName is no name of a secret or parameter")
	}
	return i, nil
}

// matching is the kind if none or the same was given, and empty otherwise.
func matching(given, kind string) string {
	if given == "" || given == kind {
		return kind
	}
	return ""
}

// place makes the path of a file out of a name.
func place(name, permission, translate string) (Place, *Error) {
	p := Place{Path: name}
	if translate != "" {
		p.Path = strings.ReplaceAll(name, "/", translate)
	} else {
		p.Path = strings.TrimLeft(name, "/")
	}
	if err := checkPath(p.Path); err != "" {
		return p, wrong("secrets-path", "", "%q cannot be the name of a file in the mount: %s", name, err)
	}
	if permission != "" {
		if !filePerm.MatchString(permission) {
			return p, wrong("secrets-object", "", "filePermission is %.20q: it has four octal digits, as 0644", permission)
		}
		n, _ := strconv.ParseUint(permission, 8, 32)
		if n > 0o777 {
			return p, wrong("secrets-object", "", "filePermission is %.20q: a secret's file has no special bits", permission)
		}
		p.Mode = fs.FileMode(n)
	}
	return p, nil
}
