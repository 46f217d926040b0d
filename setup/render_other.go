package setup

import (
	"encoding/json"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// terraform is its configuration in JSON (*.tf.json), which needs no templates.
func (f *File) terraform() (string, error) {
	roles, err := f.drawn()
	if err != nil {
		return "", err
	}
	type object = map[string]any
	resources := map[string]object{}
	put := func(kind, name string, body object) {
		if resources[kind] == nil {
			resources[kind] = object{}
		}
		resources[kind][name] = body
	}
	tags := object{ownTag: f.Name}
	outputs := object{}
	if f.issuer() != "" {
		put("aws_iam_openid_connect_provider", "cluster", object{"url": f.issuer(), "client_id_list": []string{f.Cluster.audience()}, "tags": tags})
	}
	if t := f.TrustAnchor; t != nil {
		source := object{"source_type": "CERTIFICATE_BUNDLE", "source_data": []object{{"x509_certificate_data": t.bundle}}}
		if t.PrivateCA != "" {
			source = object{"source_type": "AWS_ACM_PCA", "source_data": []object{{"acm_pca_arn": t.PrivateCA}}}
		}
		put("aws_rolesanywhere_trust_anchor", "daypass", object{"name": f.anywhereName(), "enabled": true, "source": []object{source}, "tags": tags})
		outputs["trust_anchor_arn"] = object{"value": "${aws_rolesanywhere_trust_anchor.daypass.arn}"}
	}
	var arns []string
	anchored := f.anchored()
	ids, attachments, accounts := f.ids(newNamer("_"), "role"), newNamer("_"), newNamer("_")
	for _, r := range roles {
		id := ids[r.name]
		// Policies may hold ${…}, which Terraform would read as its own.
		trust := strings.ReplaceAll(strings.ReplaceAll(compact(r.trust), "${", "$${"), unknownAnchor(f), "${aws_rolesanywhere_trust_anchor.daypass.arn}")
		put("aws_iam_role", id, object{
			"name": r.name, "path": f.rolePath(), "max_session_duration": seconds(r.MaxSession), "assume_role_policy": trust, "tags": tags,
		})
		if r.policy != "" {
			put("aws_iam_role_policy", id, object{"name": ownPolicy, "role": "${aws_iam_role." + id + ".id}", "policy": strings.ReplaceAll(compact(r.policy), "${", "$${")})
		}
		for _, arn := range r.Policies {
			put("aws_iam_role_policy_attachment", attachments.name(id, arn[strings.LastIndexByte(arn, '/')+1:]), object{"role": "${aws_iam_role." + id + ".name}", "policy_arn": arn})
		}
		if slices.Contains(anchored, r.name) {
			arns = append(arns, "${aws_iam_role."+id+".arn}")
		}
	}
	if len(arns) > 0 {
		put("aws_rolesanywhere_profile", "daypass", object{
			"name": f.anywhereName(), "enabled": true, "accept_role_session_name": true, "duration_seconds": seconds(f.TrustAnchor.Sessions),
			"role_arns": arns, "tags": tags,
		})
		outputs["profile_arn"] = object{"value": "${aws_rolesanywhere_profile.daypass.arn}"}
	}
	for _, a := range f.associations() {
		namespace, account, _ := strings.Cut(a.account, "/")
		put("aws_eks_pod_identity_association", accounts.name("sa", a.account), object{
			"cluster_name": f.Cluster.eksName(), "namespace": namespace, "service_account": account,
			"role_arn": "${aws_iam_role." + ids[a.role] + ".arn}", "tags": tags,
		})
	}
	doc := object{
		// The first version of which it is known that profiles accept session names.
		"terraform": object{"required_providers": object{"aws": object{"source": "hashicorp/aws", "version": ">= 6.28"}}},
		"provider":  object{"aws": object{"region": f.Region, "allowed_account_ids": []string{f.Account}}},
		"resource":  resources,
	}
	if len(outputs) > 0 {
		doc["output"] = outputs
	}
	text, err := indented(doc)
	return string(text), err
}

// ack is manifests of ACK's controllers for IAM and EKS. It has none for Roles
// Anywhere.
func (f *File) ack() (string, error) {
	if f.TrustAnchor != nil {
		return "", refusef("setup-ack", "%s has a trust anchor, and ACK has no controller for Roles Anywhere", f.path)
	}
	roles, err := f.drawn()
	if err != nil {
		return "", err
	}
	type object = map[string]any
	tags := []object{{"key": ownTag, "value": f.Name}}
	const version = "iam.services.k8s.aws/v1alpha1"
	ids := f.ids(newNamer("-"), "daypass "+f.Name)
	var docs []object
	if f.issuer() != "" {
		docs = append(docs, object{"apiVersion": version, "kind": "OpenIDConnectProvider", "metadata": object{"name": "daypass-" + f.Name},
			"spec": object{"url": f.issuer(), "clientIDs": []string{f.Cluster.audience()}, "tags": tags}})
	}
	for _, r := range roles {
		spec := object{"name": r.name, "path": f.rolePath(), "maxSessionDuration": seconds(r.MaxSession), "assumeRolePolicyDocument": compact(r.trust), "tags": tags}
		if r.policy != "" {
			spec["inlinePolicies"] = object{ownPolicy: compact(r.policy)}
		}
		if len(r.Policies) > 0 {
			spec["policies"] = r.Policies
		}
		docs = append(docs, object{"apiVersion": version, "kind": "Role", "metadata": object{"name": strings.ToLower(ids[r.name])}, "spec": spec})
	}
	for _, a := range f.associations() {
		namespace, account, _ := strings.Cut(a.account, "/")
		docs = append(docs, object{"apiVersion": "eks.services.k8s.aws/v1alpha1", "kind": "PodIdentityAssociation",
			"metadata": object{"name": "daypass-" + f.Name + "-" + namespace + "." + account},
			"spec":     object{"clusterName": f.Cluster.eksName(), "namespace": namespace, "serviceAccount": account, "roleARN": f.RoleARN(a.role), "tags": object{ownTag: f.Name}}})
	}
	var b strings.Builder
	enc := yaml.NewEncoder(&b)
	for _, doc := range docs {
		// By way of JSON, so that both write the same names.
		text, err := json.Marshal(doc)
		if err != nil {
			return "", err
		}
		var plain any
		if err := json.Unmarshal(text, &plain); err != nil {
			return "", err
		}
		if err := enc.Encode(plain); err != nil {
			return "", err
		}
	}
	return b.String(), enc.Close()
}
