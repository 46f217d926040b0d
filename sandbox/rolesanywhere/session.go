package rolesanywhere

import (
	"crypto/x509"
	"net/http"
	"slices"

	"daypass.dev/sandbox/wire"
	"daypass.dev/sandbox/world"
)

// createSession follows the User Guide's "authentication process". The order:
// signature, parameters, trust anchor, leaf, chain, revocation, profile, role.
// AWS's order is not documented; with several faults it may name another.
func createSession(c *world.Call, w http.ResponseWriter, r *http.Request, body []byte) error {
	who, f := authenticate(r, body, c.Region, c.Time)
	if f != nil {
		return f.inSession()
	}
	c.Decision.Caller, c.Decision.Proof = who.leaf.Subject.String(), hexSerial(who.leaf.SerialNumber)
	asked, f := parseParameters(r, body)
	if f != nil {
		return f.inSession()
	}
	found := find(c, asked)
	if f := trustFault(c, who, asked, found); f != nil {
		if f.slug == revoked {
			remember(c, who, asked, true)
		}
		return f.inSession()
	}
	issued, refused := assume(c, who, asked, found)
	subject := remember(c, who, asked, refused != nil)
	if refused != nil {
		return refused
	}
	return wire.JSON(w, http.StatusCreated, answer(issued, subject))
}

// found are copies of what a request names; nil where there is no such thing.
type found struct {
	anchor  *world.Anchor
	bundle  string // the anchor's certificates
	missing *fault // why there is no bundle
	profile *world.Profile
	crls    []world.CRL // enabled ones of the anchor
}

func find(c *world.Call, asked parameters) found {
	c.World.RLock()
	defer c.World.RUnlock()
	var f found
	if a := c.World.Account(asked.anchor.account); a != nil {
		if anchor := a.Anchors[asked.anchor.id]; anchor != nil && anchor.ARN == asked.anchor.text {
			copied := *anchor
			f.anchor = &copied
			f.bundle, f.missing = bundleOf(c.World, anchor)
		}
		for _, list := range a.CRLs {
			if list.AnchorARN == asked.anchor.text && !list.Disabled {
				f.crls = append(f.crls, *list)
			}
		}
	}
	if a := c.World.Account(asked.profile.account); a != nil {
		if profile := a.Profiles[asked.profile.id]; profile != nil && profile.ARN == asked.profile.text {
			copied := *profile
			copied.RoleARNs = slices.Clone(profile.RoleARNs)
			copied.ManagedPolicies = slices.Clone(profile.ManagedPolicies)
			copied.Mappings = copyMappings(profile.Mappings)
			f.profile = &copied
		}
	}
	return f
}

// trustFault decides whether the trust anchor vouches for the leaf.
func trustFault(c *world.Call, who *caller, asked parameters, found found) *fault {
	if asked.anchor.region != c.Region {
		return faultf("anchor-region", "the endpoint is in %s, the trust anchor is %s", c.Region, asked.anchor.text)
	}
	if found.anchor == nil {
		return faultf("anchor-unknown", "there is no trust anchor %s", asked.anchor.text)
	}
	if found.anchor.Disabled {
		return faultf("anchor-disabled", "%s (%s) is disabled", found.anchor.ARN, found.anchor.Name)
	}
	if found.missing != nil {
		return found.missing
	}
	anchors, f := parseBundle(found.bundle)
	if f != nil {
		return f
	}
	if contains(anchors, who.leaf) {
		return faultf("leaf-is-anchor", "leaf %q (%s) is in the trust anchor", who.leaf.Subject, fingerprint(who.leaf))
	}
	if f := leafFault(who.leaf, c.Time); f != nil {
		return f
	}
	path, f := findPath(who.leaf, who.chain, anchors, c.Time)
	if f != nil {
		return f
	}
	lists, f := parseCRLs(found.crls)
	if f != nil {
		return f
	}
	return revocationFault(path, anchors, lists)
}

func parseCRLs(imported []world.CRL) ([]*x509.RevocationList, *fault) {
	var lists []*x509.RevocationList
	for _, i := range imported {
		list, f := parseCRL(i.Data)
		if f != nil {
			f.detail = i.ARN + ": " + f.detail
			return nil, f
		}
		lists = append(lists, list)
	}
	return lists, nil
}
