package setup

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Forms are those that Render writes.
func Forms() []string { return []string{"aws-cli", "cloudformation", "terraform", "ack"} }

// Render writes what Apply would make in an empty account, in one of Forms. An
// error says that there is no such form, or is a *RefusedError: that tool has no
// such things.
func (f *File) Render(form string) ([]byte, error) {
	for _, by := range []struct {
		form string
		run  func() (string, error)
	}{
		{"aws-cli", f.shell}, {"cloudformation", f.cloudFormation}, {"terraform", f.terraform}, {"ack", f.ack},
	} {
		if by.form == form {
			text, err := by.run()
			return []byte(text), err
		}
	}
	return nil, fmt.Errorf("there is no form %q", form)
}

// A drawn role is one with its documents.
type drawn struct {
	name, trust, policy string
	*Role
}

var special = regexp.MustCompile(`[^A-Za-z0-9]+`)

// A namer gives things names of letters and digits, joined by a separator, and
// no name twice, in whatever case.
type namer struct {
	join  string
	taken map[string]bool
}

func newNamer(join string) *namer { return &namer{join, map[string]bool{}} }

func (n *namer) name(parts ...string) string {
	plain := strings.Trim(special.ReplaceAllString(strings.Join(parts, " "), n.join), n.join)
	one := plain
	for i := 2; n.taken[strings.ToLower(one)]; i++ {
		one = plain + n.join + strconv.Itoa(i)
	}
	n.taken[strings.ToLower(one)] = true
	return one
}

// ids are names of the file's roles.
func (f *File) ids(n *namer, prefix string) map[string]string {
	all := map[string]string{}
	for _, name := range f.names() {
		all[name] = n.name(prefix, name)
	}
	return all
}

// drawn are the roles under the trust anchor that is not yet made.
func (f *File) drawn() (all []drawn, err error) {
	for _, name := range f.names() {
		d := drawn{name: name, Role: f.Roles[name]}
		if d.trust, err = f.trust(name, unknownAnchor(f)); err != nil {
			return nil, err
		}
		if d.policy, err = d.document(); err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, nil
}

func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func compact(text string) string {
	var v any
	if json.Unmarshal([]byte(text), &v) != nil {
		return text
	}
	out, _ := json.Marshal(v) // of what was JSON
	return string(out)
}

// shell is a script for the AWS CLI and sh, which prints values for the Helm
// chart.
func (f *File) shell() (string, error) {
	roles, err := f.drawn()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	say("set -eu\nexport AWS_REGION=%s AWS_DEFAULT_REGION=%s", f.Region, f.Region)
	tag := "Key=" + ownTag + ",Value=" + f.Name
	if f.issuer() != "" {
		say("aws iam create-open-id-connect-provider --url %s --client-id-list %s --tags %s >/dev/null", quoted(f.issuer()), quoted(f.Cluster.audience()), tag)
	}
	if t := f.TrustAnchor; t != nil {
		source := map[string]any{"sourceType": "CERTIFICATE_BUNDLE", "sourceData": map[string]string{"x509CertificateData": t.bundle}}
		if t.PrivateCA != "" {
			source = map[string]any{"sourceType": "AWS_ACM_PCA", "sourceData": map[string]string{"acmPcaArn": t.PrivateCA}}
		}
		text, err := json.Marshal(source)
		if err != nil {
			return "", err
		}
		say("anchor=$(aws rolesanywhere create-trust-anchor --name %s --enabled --tags key=%s,value=%s --source %s --query trustAnchor.trustAnchorArn --output text)",
			f.anywhereName(), ownTag, f.Name, quoted(string(text)))
	}
	for _, r := range roles {
		trust := quoted(compact(r.trust))
		if f.TrustAnchor != nil {
			trust = strings.ReplaceAll(trust, unknownAnchor(f), `'"$anchor"'`)
		}
		say("aws iam create-role --role-name %s --path %s --max-session-duration %d --tags %s --assume-role-policy-document %s >/dev/null",
			r.name, f.rolePath(), seconds(r.MaxSession), tag, trust)
		if r.policy != "" {
			say("aws iam put-role-policy --role-name %s --policy-name %s --policy-document %s", r.name, ownPolicy, quoted(compact(r.policy)))
		}
		for _, arn := range r.Policies {
			say("aws iam attach-role-policy --role-name %s --policy-arn %s", r.name, arn)
		}
	}
	if names := f.anchored(); len(names) > 0 {
		var arns []string
		for _, name := range names {
			arns = append(arns, f.RoleARN(name))
		}
		say("profile=$(aws rolesanywhere create-profile --name %s --enabled --accept-role-session-name --duration-seconds %d --tags key=%s,value=%s --role-arns %s --query profile.profileArn --output text)",
			f.anywhereName(), seconds(f.TrustAnchor.Sessions), ownTag, f.Name, strings.Join(arns, " "))
	}
	for _, a := range f.associations() {
		namespace, account, _ := strings.Cut(a.account, "/")
		say("aws eks create-pod-identity-association --cluster-name %s --namespace %s --service-account %s --role-arn %s --tags %s=%s >/dev/null",
			f.Cluster.eksName(), namespace, account, f.RoleARN(a.role), ownTag, f.Name)
	}
	values, err := f.told()
	if err != nil {
		return "", err
	}
	say("printf '%%s' %s", values)
	return b.String(), nil
}

// told is a word of the shell: the values for the Helm chart, and as comments
// what apply prints.
func (f *File) told() (string, error) {
	var out Outcome
	profile := f.anywhereARN("profile", "made")
	if f.TrustAnchor != nil {
		out.TrustAnchorARN = unknownAnchor(f)
	}
	if len(f.anchored()) > 0 {
		out.ProfileARN = profile
	}
	values, err := f.Values(out)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, name := range f.names() {
		b.WriteString("# role " + f.RoleARN(name) + "\n")
	}
	for _, line := range f.Commands() {
		b.WriteString("# " + line + "\n")
	}
	b.Write(values)
	return strings.NewReplacer(unknownAnchor(f), `'"$anchor"'`, profile, `'"$profile"'`).Replace(quoted(b.String())), nil
}

// cloudFormation is a template in JSON.
func (f *File) cloudFormation() (string, error) {
	roles, err := f.drawn()
	if err != nil {
		return "", err
	}
	type object = map[string]any
	tags := []object{{"Key": ownTag, "Value": f.Name}}
	resources, outputs := object{}, object{}
	ids := f.ids(newNamer(""), "Role")
	if f.issuer() != "" {
		resources["Provider"] = object{"Type": "AWS::IAM::OIDCProvider", "Properties": object{
			"Url": f.issuer(), "ClientIdList": []string{f.Cluster.audience()}, "Tags": tags,
		}}
	}
	if t := f.TrustAnchor; t != nil {
		source := object{"SourceType": "CERTIFICATE_BUNDLE", "SourceData": object{"X509CertificateData": t.bundle}}
		if t.PrivateCA != "" {
			source = object{"SourceType": "AWS_ACM_PCA", "SourceData": object{"AcmPcaArn": t.PrivateCA}}
		}
		resources["TrustAnchor"] = object{"Type": "AWS::RolesAnywhere::TrustAnchor", "Properties": object{
			"Name": f.anywhereName(), "Enabled": true, "Source": source, "Tags": tags,
		}}
		outputs["TrustAnchorArn"] = object{"Value": object{"Fn::GetAtt": []string{"TrustAnchor", "TrustAnchorArn"}}}
	}
	for _, r := range roles {
		trust, err := f.substituted(r.trust, object{"Fn::GetAtt": []string{"TrustAnchor", "TrustAnchorArn"}})
		if err != nil {
			return "", err
		}
		properties := object{
			"RoleName": r.name, "Path": f.rolePath(), "MaxSessionDuration": seconds(r.MaxSession),
			"AssumeRolePolicyDocument": trust, "Tags": tags,
		}
		if r.policy != "" {
			properties["Policies"] = []object{{"PolicyName": ownPolicy, "PolicyDocument": json.RawMessage(r.policy)}}
		}
		if len(r.Policies) > 0 {
			properties["ManagedPolicyArns"] = r.Policies
		}
		resource := object{"Type": "AWS::IAM::Role", "Properties": properties}
		if f.issuer() != "" {
			resource["DependsOn"] = []string{"Provider"}
		}
		resources[ids[r.name]] = resource
		outputs[ids[r.name]+"Arn"] = object{"Value": object{"Fn::GetAtt": []string{ids[r.name], "Arn"}}}
	}
	if names := f.anchored(); len(names) > 0 {
		var arns []object
		for _, name := range names {
			arns = append(arns, object{"Fn::GetAtt": []string{ids[name], "Arn"}})
		}
		resources["Profile"] = object{"Type": "AWS::RolesAnywhere::Profile", "Properties": object{
			"Name": f.anywhereName(), "Enabled": true, "AcceptRoleSessionName": true, "DurationSeconds": seconds(f.TrustAnchor.Sessions),
			"RoleArns": arns, "Tags": tags,
		}}
		outputs["ProfileArn"] = object{"Value": object{"Fn::GetAtt": []string{"Profile", "ProfileArn"}}}
	}
	for i, a := range f.associations() {
		namespace, account, _ := strings.Cut(a.account, "/")
		resources[fmt.Sprintf("Association%d", i+1)] = object{"Type": "AWS::EKS::PodIdentityAssociation", "Properties": object{
			"ClusterName": f.Cluster.eksName(), "Namespace": namespace, "ServiceAccount": account,
			"RoleArn": object{"Fn::GetAtt": []string{ids[a.role], "Arn"}}, "Tags": tags,
		}}
	}
	text, err := indented(object{
		"AWSTemplateFormatVersion": "2010-09-09", "Description": "daypass setup " + f.Name, "Resources": resources, "Outputs": outputs,
	})
	return string(text), err
}

// substituted is a policy in which something stands for the trust anchor's ARN.
func (f *File) substituted(text string, anchor any) (any, error) {
	var doc any
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		return nil, err
	}
	var walk func(any) any
	walk = func(v any) any {
		switch v := v.(type) {
		case map[string]any:
			for k, inner := range v {
				v[k] = walk(inner)
			}
		case []any:
			for i, inner := range v {
				v[i] = walk(inner)
			}
		case string:
			if v == unknownAnchor(f) {
				return anchor
			}
		}
		return v
	}
	return walk(doc), nil
}
