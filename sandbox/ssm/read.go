package ssm

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"

	"daypass.dev/sandbox/wire"
	"daypass.dev/sandbox/world"
)

// A row is what answers say of one version of a parameter.
type row struct {
	ARN              string
	DataType         string
	LastModifiedDate wire.Epoch
	Name             string
	Selector         string `json:",omitempty"`
	Type             string
	Value            string
	Version          int
}

func newRow(p world.Parameter, v world.ParameterVersion, selector string) row {
	r := row{p.ARN, p.DataType, wire.Epoch(v.Modified), p.Name, selector, v.Type, v.Value, v.Number}
	if v.Type == secure {
		// What is not decrypted is some ciphertext; nobody can use it.
		r.Value = base64.StdEncoding.EncodeToString([]byte("encrypted by " + v.Key))
	}
	return r
}

// selected finds the version that a selector names: the latest, ":3", ":label".
func selected(p world.Parameter, selector string) (world.ParameterVersion, bool) {
	name := strings.TrimPrefix(selector, ":")
	if selector == "" {
		return p.Versions[len(p.Versions)-1], true
	}
	number, err := strconv.Atoi(name)
	for _, v := range p.Versions {
		if err == nil && v.Number == number || err != nil && slices.Contains(v.Labels, name) {
			return v, true
		}
	}
	return world.ParameterVersion{}, false
}

// show is the row of a version, decrypted if that is asked for and allowed.
func show(c *world.Call, p world.Parameter, v world.ParameterVersion, at place, selector string, decrypt bool) (row, error) {
	r := newRow(p, v, selector)
	if v.Type != secure || !decrypt {
		return r, nil
	}
	if err := use(c, "Decrypt", v.Key, at); err != nil {
		return row{}, err
	}
	r.Value = v.Value
	return r, nil
}

func getParameter(c *world.Call, in struct {
	Name           string
	WithDecryption bool
}) (any, error) {
	if in.Name == "" {
		return nil, invalid("1 validation error detected: Value null at 'name' failed to satisfy constraint: Member must not be null")
	}
	at, selector := locate(c, in.Name)
	p, ok, err := find(c, "GetParameter", at)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, notFound(at)
	}
	v, ok := selected(p, selector)
	if !ok {
		return nil, noVersion(at, selector)
	}
	r, err := show(c, p, v, at, selector, in.WithDecryption)
	return map[string]any{"Parameter": r}, err
}

func noVersion(at place, selector string) *world.Refusal {
	return wire.Refuse("parameter-version", "ParameterVersionNotFound",
		"Systems Manager could not find version "+strings.TrimPrefix(selector, ":")+" of "+at.name+".", at.name+" has no such version or label")
}

func getParameters(c *world.Call, in struct {
	Names          []string
	WithDecryption bool
}) (any, error) {
	if len(in.Names) < 1 || len(in.Names) > 10 {
		return nil, invalid("1 validation error detected: Value at 'names' failed to satisfy constraint: Member must have length between 1 and 10")
	}
	rows, missing := []row{}, []string{}
	seen := map[string]bool{}
	for _, name := range in.Names {
		if seen[name] {
			return nil, invalid("1 validation error detected: Value '%s' at 'names' failed to satisfy constraint: duplicate names", name)
		}
		seen[name] = true
		at, selector := locate(c, name)
		p, ok, err := find(c, "GetParameters", at)
		if err != nil {
			return nil, err
		}
		var v world.ParameterVersion
		if ok {
			v, ok = selected(p, selector)
		}
		if !ok {
			missing = append(missing, name)
			continue
		}
		r, err := show(c, p, v, at, selector, in.WithDecryption)
		if err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	slices.SortStableFunc(rows, func(a, b row) int { return strings.Compare(a.Name, b.Name) })
	return map[string]any{"Parameters": rows, "InvalidParameters": missing}, nil
}

func getParametersByPath(c *world.Call, in struct {
	Path                      string
	Recursive, WithDecryption bool
	MaxResults                *int
	NextToken                 string
}) (any, error) {
	if !strings.HasPrefix(in.Path, "/") {
		return nil, invalid("The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward slash \"/\".")
	}
	at := place{c.Caller.Account, c.Region, in.Path}
	if err := authorize(c, "GetParametersByPath", at, world.Parameter{}); err != nil {
		return nil, err
	}
	most := 10
	if in.MaxResults != nil {
		most = *in.MaxResults
	}
	if most < 1 || most > 10 {
		return nil, invalid("1 validation error detected: Value '%d' at 'maxResults' failed to satisfy constraint: Member must have value between 1 and 10", most)
	}
	prefix := strings.TrimSuffix(in.Path, "/") + "/"
	var all []world.Parameter
	c.World.RLock()
	for _, p := range c.World.Accounts[at.account].Parameters {
		rest, below := strings.CutPrefix(p.Name, prefix)
		if below && p.Region == c.Region && p.Name > in.NextToken && (in.Recursive || !strings.Contains(rest, "/")) {
			all = append(all, *p)
		}
	}
	c.World.RUnlock()
	slices.SortFunc(all, func(a, b world.Parameter) int { return strings.Compare(a.Name, b.Name) })
	rows, answer := []row{}, map[string]any{}
	for i, p := range all {
		if i == most {
			answer["NextToken"] = all[i-1].Name
			break
		}
		v, _ := selected(p, "")
		r, err := show(c, p, v, place{at.account, at.region, p.Name}, "", in.WithDecryption)
		if err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	answer["Parameters"] = rows
	return answer, nil
}

func getParameterHistory(c *world.Call, in struct {
	Name           string
	WithDecryption bool
	MaxResults     int
}) (any, error) {
	at, _ := locate(c, in.Name)
	p, ok, err := find(c, "GetParameterHistory", at)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, notFound(at)
	}
	rows := []map[string]any{}
	for _, v := range p.Versions {
		r, err := show(c, p, v, at, "", in.WithDecryption)
		if err != nil {
			return nil, err
		}
		rows = append(rows, map[string]any{
			"Name": p.Name, "Type": v.Type, "Value": r.Value, "Version": v.Number, "Labels": append([]string{}, v.Labels...),
			"LastModifiedDate": wire.Epoch(v.Modified), "LastModifiedUser": v.By, "Tier": p.Tier, "DataType": p.DataType,
		})
	}
	return map[string]any{"Parameters": rows}, nil
}
