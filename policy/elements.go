package policy

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

func itoa(n int) string { return strconv.Itoa(n) }

func (p *parser) actions(s *statement, n *node) {
	v, not := p.either(n, "Action")
	s.notAction = not
	if v == nil {
		p.fail(passActions, n.start, p.words.noAction, "add an Action")
		return
	}
	for _, item := range p.strings(v, "Action") {
		p.action(item)
		s.actions = append(s.actions, action{item.text, glob(strings.ToLower(item.text))})
	}
	if v.kind == isList && len(v.items) == 0 {
		p.fail(passActions, v.start, p.words.noAction, "the list of actions is empty")
	}
}

var vendorCharacters = regexp.MustCompile(`^[a-zA-Z0-9.-]+$`)

func (p *parser) action(n *node) {
	vendor, name, found := strings.Cut(n.text, ":")
	switch {
	case p.kind == Trust && (vendor != "sts" || !found || strings.ContainsAny(name, "*?")):
		p.fail(passActionFormat, n.start, errSTSOnly, "name each action whole and in its case of letters, as in sts:AssumeRole; "+quote(n.text)+" is not so")
	case n.text == "*":
	case !found:
		p.fail(passActionFormat, n.start, p.words.noVendor, "write SERVICE:ACTION, as in s3:GetObject")
	case strings.Contains(name, ":"):
		p.fail(passActionFormat, n.start, p.words.oneColon, "write SERVICE:ACTION, as in s3:GetObject")
	case vendor != "*" && !vendorCharacters.MatchString(vendor):
		p.fail(passActionFormat, n.start, with(p.words.vendor, vendor), "a service is named by letters, digits, dots and hyphens, without wildcards")
	}
}

func (p *parser) resources(s *statement, n *node) {
	v, not := p.either(n, "Resource")
	s.notResource = not
	if p.kind == Trust {
		if v != nil {
			message := errResource
			if not {
				message = errNotResource
			}
			p.fail(passResources, v.start, message, "a trust policy belongs to one role and names no resource; take the element away")
		}
		return
	}
	if v == nil || v.kind == isList && len(v.items) == 0 {
		at := n.start
		if v != nil {
			at = v.start
		}
		p.fail(passResources, at, p.words.noResource, `add a Resource, as in "Resource": "*"`)
		return
	}
	for _, item := range p.strings(v, "Resource") {
		p.resource(item)
		t, problem := readTemplate(item.text, p.variables)
		if problem != "" {
			p.syntax(item.start, problem)
		}
		s.resources = append(s.resources, newResource(t))
	}
}

var partitions = regexp.MustCompile(`^aws(-[a-z]+)*$`)

// resource checks the form of a resource as IAM does for identity policies.
// Other services check more: whether the resource is theirs.
func (p *parser) resource(n *node) {
	text := n.text
	if text == "*" || p.variables && strings.Contains(text, "${") {
		return
	}
	part := func(i int) string {
		if parts := strings.SplitN(text, ":", arnParts); i < len(parts) {
			return parts[i]
		}
		return "*"
	}
	colons := strings.Count(text, ":")
	switch {
	case colons == 0:
		p.fail(passResourceFormat, n.start, "Resource "+text+` must be in ARN format or "*".`, "write an ARN, as in arn:aws:s3:::bucket/*")
	case part(0) != "arn" || !partitions.MatchString(part(1)):
		whole := strings.Join([]string{"arn", part(1), part(2), part(3), part(4), part(5)}, ":")
		p.fail(passResourceFormat, n.start, `Partition "`+part(1)+`" is not valid for resource "`+whole+`".`, "an ARN begins with arn:aws:")
	case colons == 1 || strings.ContainsAny(part(2), "*?"):
		p.fail(passResourceFormat, n.start, errVendorRegex, "name the service in the third part, without wildcards")
	case part(2) == "iam" && colons > 2 && part(3) != "":
		p.fail(passResourceFormat, n.start, "IAM resource "+text+" cannot contain region information.", "IAM is global: leave the fourth part empty")
	case part(2) == "s3" && colons > 2 && part(3) != "":
		p.fail(passResourceFormat, n.start, "Resource "+text+" can not contain region information.", "ARNs of buckets and objects have neither region nor account")
	case part(2) == "iam" && colons >= arnParts-1 && !iamPath(part(5)):
		p.fail(passResourceFormat, n.start, errIAMPath, "name the kind of entity first, as in role/NAME")
	case colons > 1 && part(2) == "", colons < arnParts-1 && strings.Contains(text, "::"):
		p.fail(passLegacy, n.start, errLegacy, "an ARN has six parts: arn:aws:SERVICE:REGION:ACCOUNT:RESOURCE; leave a part empty, but keep its colon")
	}
}

func iamPath(path string) bool {
	known := []string{"user/", "federated-user/", "role/", "group/", "instance-profile/", "mfa/", "server-certificate/", "policy/", "sms-mfa/", "saml-provider/", "oidc-provider/", "report/", "access-report/"}
	// Beyond the text above IAM takes * and root.
	return path == "*" || path == "root" || slices.ContainsFunc(known, func(k string) bool { return strings.HasPrefix(path, k) })
}

func (p *parser) principals(s *statement, n *node) {
	v, not := p.either(n, "Principal")
	s.notPrincipal = not
	switch {
	case !p.kind.namesCallers() && v != nil:
		p.fail(passSyntax, v.start, errPrincipal, "an identity policy speaks of whom it is attached to; take the element away")
	case !p.kind.namesCallers():
	case not && s.allow:
		p.fail(passSyntax, v.start, errAllowNot, "name whom you allow in Principal")
	case not && p.kind == Trust:
		p.fail(passSyntax, v.start, errNotPrincipal, "name whom you deny in Principal, or deny \"*\" with a condition on aws:PrincipalArn")
	case v == nil:
		p.fail(passSyntax, n.start, p.words.noPrincipal, "add a Principal, as in {\"Service\": \"rolesanywhere.amazonaws.com\"}")
	default:
		p.principal(s, v)
	}
}

func (p *parser) principal(s *statement, v *node) {
	switch {
	case v.kind == isString && v.text == "*" && p.kind != Trust:
		s.parties = []party{{kind: partyAWS, text: "*", offset: v.start}}
		return
	case v.kind == isString:
		p.fail(passSyntax, v.start, p.words.principalText, `write {"AWS": …}, {"Service": …} or {"Federated": …}`)
		return
	case v.kind != isObject:
		p.syntax(v.start, "Principal is an object, not "+string(v.kind))
		return
	case len(v.members) == 0:
		p.fail(passSyntax, v.start, p.words.emptyPrincipal, `write {"AWS": …}, {"Service": …} or {"Federated": …}`)
	}
	for _, m := range v.members {
		if hint := p.partyKind(m.name); hint != "" {
			p.fail(passSyntax, m.start, "Invalid principal in policy: "+quote(m.name), hint)
			continue
		}
		for _, item := range p.strings(m.value, "Principal") {
			if hint := p.party(m.name, item.text); hint != "" {
				p.fail(passSyntax, item.start, invalidPrincipal(m.name, item.text), hint)
			}
			s.parties = append(s.parties, party{kind: m.name, text: item.text, offset: item.start})
		}
	}
	if len(s.parties) == 0 {
		p.fail(passSyntax, v.start, errNobody, "the lists of principals are empty; name one")
	}
}

// partyKind says what is wrong with a member's name in Principal; empty:
// nothing.
func (p *parser) partyKind(name string) (hint string) {
	switch name {
	case partyAWS, partyService, partyFederated:
		return ""
	case partyCanonical:
		if p.kind == Resource {
			return ""
		}
		return "only policies of S3 know canonical users"
	}
	return "kinds of principals are AWS, Service, Federated and, in S3, CanonicalUser"
}

// party says what is wrong with one entry of Principal; empty: nothing.
func (p *parser) party(kind, text string) (hint string) {
	switch kind {
	case partyAWS:
		if text == "*" || accountID.MatchString(text) || uniqueID.MatchString(text) || awsARN.MatchString(text) {
			return ""
		}
		if strings.ContainsAny(text, "*?") {
			return "a principal holds no wildcard beside \"*\"; name the account and add a condition on aws:PrincipalArn"
		}
		return "name an account, or the ARN of a root, user, role or session"
	case partyService:
		if service.MatchString(text) {
			return ""
		}
		return "name a service, as in rolesanywhere.amazonaws.com"
	case partyFederated:
		if provider.MatchString(text) || slices.Contains(builtInProviders(), text) {
			return ""
		}
		return "name the ARN of an identity provider, as in arn:aws:iam::ACCOUNT:oidc-provider/HOST, or " + strings.Join(builtInProviders(), ", ")
	case partyCanonical:
		if canonical.MatchString(text) {
			return ""
		}
		return "a canonical user is 64 hexadecimal digits"
	}
	return ""
}
