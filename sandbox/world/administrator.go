package world

import "daypass.dev/policy"

// DefaultAccount is the account of a world that names none.
const DefaultAccount = "111122223333"

const administrator = "sandbox-administrator"

// Administrator makes a fresh access key for the user sandbox-administrator of
// an account, who may do everything, and makes account and user if need be.
// Older keys of that user are gone.
func (w *World) Administrator(account string) AccessKey {
	w.Lock()
	defer w.Unlock()
	a := w.AddAccount(account)
	k := AccessKey{ID: NewAccessKeyID("AKIA", account), Secret: NewSecret(), Created: w.Now()}
	u := a.Users[administrator]
	if u == nil {
		u = a.AddUser(administrator, "/")
		u.Created = w.Now()
	}
	u.Attached = []string{"arn:" + a.partition() + ":iam::aws:policy/AdministratorAccess"}
	u.Keys = []AccessKey{k}
	return k
}

// AddUser makes a user with a unique id and without any permission.
func (a *Account) AddUser(name, path string) *User {
	u := &User{
		Name: name, Path: path, ARN: a.iamARN("user", path+name),
		ID: NewID("AIDA"), Inline: map[string]*policy.Document{},
	}
	a.Users[name] = u
	return u
}

// AddRole makes a role with a unique id and without any permission; sessions
// of it live one hour at most.
func (a *Account) AddRole(name, path string, trust *policy.Document) *Role {
	r := &Role{
		Name: name, Path: path, ARN: a.iamARN("role", path+name),
		ID: NewID("AROA"), Trust: trust, MaxSession: defaultLife, Inline: map[string]*policy.Document{},
	}
	a.Roles[name] = r
	return r
}

// AddPolicy makes a managed policy with one version.
func (a *Account) AddPolicy(name, path string, doc *policy.Document) *Policy {
	p := &Policy{
		Name: name, Path: path, ARN: a.iamARN("policy", path+name), ID: NewID("ANPA"),
		Versions: []PolicyVersion{{ID: "v1", Document: doc}}, Default: "v1",
	}
	a.Policies[p.ARN] = p
	return p
}
