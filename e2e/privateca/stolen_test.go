package privateca

import (
	"slices"
	"strings"
	"testing"
)

// stolen holds the API server's own list of the issuer's rights to what the
// threat model tells.
func (r *rig) stolen(t *testing.T) {
	everywhere := []string{
		"awspcaclusterissuers.awspca.cert-manager.io [get list watch]", "awspcaclusterissuers.awspca.cert-manager.io/status [update]",
		"awspcaissuers.awspca.cert-manager.io [get list watch]", "awspcaissuers.awspca.cert-manager.io/status [update]",
		"certificaterequests.cert-manager.io [get list watch patch]", "certificaterequests.cert-manager.io/status [update]",
		"events.events.k8s.io [create patch]",
	}
	home := append([]string{
		"leases.coordination.k8s.io [create]", "leases.coordination.k8s.io [get update] daypass-issuer", "secrets [get] aws-key",
	}, everywhere...)
	for namespace, want := range map[string][]string{"kube-system": everywhere, r.Name: home} {
		// What any ServiceAccount may, as read trust bundles, is not the issuer's.
		anybody := r.mayDo(namespace, "default")
		got := slices.DeleteFunc(r.mayDo(namespace, "daypass-issuer"), func(right string) bool { return slices.Contains(anybody, right) })
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("in %s the issuer may\n%s\nnot\n%s", namespace, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// mayDo lists what a ServiceAccount of the rig's may do in a namespace, in
// order: "RESOURCE [VERBS] OBJECTS".
func (r *rig) mayDo(namespace, account string) []string {
	var all []string
	for line := range strings.Lines(r.Kubectl("auth", "can-i", "--list", "--no-headers", "--namespace="+namespace, "--as=system:serviceaccount:"+r.Name+":"+account)) {
		resource := strings.Fields(line)[0]
		i, j := strings.LastIndex(line, "["), strings.LastIndex(line, "]")
		if strings.HasPrefix(resource, "[") || strings.HasPrefix(resource, "selfsubject") || i < 0 {
			continue
		}
		right := resource + " " + line[i:j+1]
		// The column before the verbs names objects.
		if names := line[:i]; strings.Contains(names, "[") && !strings.HasSuffix(strings.TrimSpace(names), "[]") {
			k := strings.LastIndex(names, "[")
			right += " " + strings.Trim(strings.TrimSpace(names[k:]), "[]")
		}
		all = append(all, right)
	}
	slices.Sort(all)
	return all
}
