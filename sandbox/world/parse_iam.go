package world

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"daypass.dev/policy"
)

var (
	entityName  = regexp.MustCompile(`^[\w+=,.@-]{1,64}$`)
	policyName  = regexp.MustCompile(`^[\w+=,.@-]{1,128}$`)
	entityPath  = regexp.MustCompile(`^(/|/[!-~]{1,510}/)$`)
	accessKeyID = regexp.MustCompile(`^AKIA[A-Z0-9]{12,124}$`)
)

const nameMend = "with letters, digits and +=,.@_- only"

func (l *loader) path(n *yaml.Node) string {
	return l.matching(n, entityPath, "a path", "with / at both ends, as /team/")
}

// pathOf reads the path first, since the ARN holds it.
func (l *loader) pathOf(n *yaml.Node) string {
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == "path" {
			return l.path(n.Content[i+1])
		}
	}
	return "/"
}

func (l *loader) user(key, n *yaml.Node) {
	u := l.account.AddUser(l.matching(key, entityName, "a user's name", nameMend), l.pathOf(n))
	if l.absent(n) {
		return
	}
	l.fields(n, "a user", map[string]func(*yaml.Node){
		"path":       func(*yaml.Node) {},
		"policies":   func(n *yaml.Node) { l.inline(n, u.Inline) },
		"attached":   func(n *yaml.Node) { l.attached(n, func(arns []string) { u.Attached = arns }) },
		"boundary":   func(n *yaml.Node) { l.boundary(n, func(arn string) { u.Boundary = arn }) },
		"tags":       func(n *yaml.Node) { u.Tags = l.tags(n) },
		"accessKeys": func(n *yaml.Node) { l.accessKeys(n, u) },
	})
}

func (l *loader) accessKeys(n *yaml.Node, u *User) {
	for _, item := range l.list(n, "accessKeys") {
		var k AccessKey
		l.fields(item, "an access key", map[string]func(*yaml.Node){
			"id": func(n *yaml.Node) {
				k.ID = l.matching(n, accessKeyID, "an access key id", "as AKIA and at least 12 capital letters and digits")
				if l.keyTaken(k.ID) {
					l.fail(n, "give each key an id of its own", "the access key %s stands twice", k.ID)
				}
			},
			"secret":   func(n *yaml.Node) { k.Secret = l.text(n) },
			"inactive": func(n *yaml.Node) { k.Inactive = l.flag(n) },
		})
		if k.ID == "" || k.Secret == "" {
			l.fail(item, "write id and secret", "an access key lacks its id or secret")
		}
		u.Keys = append(u.Keys, k)
	}
}

func (l *loader) keyTaken(id string) bool {
	for _, a := range l.world.Accounts {
		for _, u := range a.Users {
			if slices.ContainsFunc(u.Keys, func(k AccessKey) bool { return k.ID == id }) {
				return true
			}
		}
	}
	return false
}

func (l *loader) role(key, n *yaml.Node) {
	r := l.account.AddRole(l.matching(key, entityName, "a role's name", nameMend), l.pathOf(n), nil)
	l.fields(n, "a role", map[string]func(*yaml.Node){
		"path":        func(*yaml.Node) {},
		"description": func(n *yaml.Node) { r.Description = l.text(n) },
		"trust":       func(n *yaml.Node) { l.bound(n, policy.Trust, func(d *policy.Document) { r.Trust = d }) },
		"policies":    func(n *yaml.Node) { l.inline(n, r.Inline) },
		"attached":    func(n *yaml.Node) { l.attached(n, func(arns []string) { r.Attached = arns }) },
		"boundary":    func(n *yaml.Node) { l.boundary(n, func(arn string) { r.Boundary = arn }) },
		"tags":        func(n *yaml.Node) { r.Tags = l.tags(n) },
		"maxSession": func(n *yaml.Node) {
			if r.MaxSession = l.duration(n, time.Hour); r.MaxSession > 12*time.Hour {
				l.fail(n, "write 1h to 12h", "%q is longer than AWS's 12 hours", n.Value)
			}
		},
	})
	if r.Trust == nil {
		l.fail(key, "add trust: with the policy that says who may assume it", "role %s has no trust policy", r.Name)
	}
}

func (l *loader) inline(n *yaml.Node, into map[string]*policy.Document) {
	l.each(n, "policies", func(key, value *yaml.Node) {
		name := l.matching(key, policyName, "a policy's name", nameMend)
		if doc := l.policy(value, policy.Identity); doc != nil {
			into[name] = doc
		}
	})
}

// managedPolicy is a document, or path and document.
func (l *loader) managedPolicy(key, n *yaml.Node) {
	name, path, at := l.matching(key, policyName, "a policy's name", nameMend), "/", n
	if l.pathOf(n) != "/" || hasKey(n, "document") {
		path = l.pathOf(n)
		l.fields(n, "a managed policy", map[string]func(*yaml.Node){
			"path":     func(*yaml.Node) {},
			"document": func(n *yaml.Node) { at = n },
		})
	}
	doc := l.policy(at, policy.Identity)
	if doc == nil {
		return
	}
	if err := doc.Managed(); err != nil {
		l.fail(at, "shorten it, or make it inline", "%v", err)
	}
	l.account.AddPolicy(name, path, doc)
}

func hasKey(n *yaml.Node, name string) bool {
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return true
		}
	}
	return false
}

// attached are ARNs, or names of the account's own managed policies, which may
// stand below.
func (l *loader) attached(n *yaml.Node, set func([]string)) {
	account := l.account
	items := l.list(n, "attached")
	l.later = append(l.later, func() {
		var arns []string
		for _, item := range items {
			arns = append(arns, l.managedARN(account, item))
		}
		set(arns)
	})
}

func (l *loader) boundary(n *yaml.Node, set func(string)) {
	account := l.account
	l.later = append(l.later, func() { set(l.managedARN(account, n)) })
}

// managedARN finds a managed policy by name or ARN.
func (l *loader) managedARN(a *Account, n *yaml.Node) string {
	text := l.text(n)
	if !strings.HasPrefix(text, "arn:") {
		for arn, p := range a.Policies {
			if p.Name == text {
				return arn
			}
		}
	} else if partitionIn(text) == a.partition() && l.world.ManagedPolicy(text) != nil {
		return text
	}
	l.fail(n, "name a policy of the account, or one of AWS's that the sandbox knows: "+strings.Join(AWSManagedPolicies(a.partition()), ", "),
		"there is no managed policy %q", text)
	return ""
}
