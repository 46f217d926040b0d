package inject

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"daypass.dev/kube/api/v1alpha1"
	"daypass.dev/kube/identity"
)

// deliver chooses how a pod gets an identity. A sidecar can go on to a target
// role, variables cannot; and a session policy takes the agent.
func (s *Settings) deliver(id identity.Identity) (Delivery, error) {
	chained, limited := id.TargetRoleARN != "", id.Policy != ""
	switch id.Method {
	case v1alpha1.EKS:
		return Agent, nil
	case v1alpha1.WebIdentity:
		if !chained && !limited {
			return ClusterToken, nil
		}
	case v1alpha1.RolesAnywhere:
		if !limited && !s.Agent {
			return Sidecar, nil
		}
	case v1alpha1.Google:
		if !chained && !limited {
			return GoogleToken, nil
		}
		return "", refuse("agent-needed", "association %s has a targetRoleArn or a policy, which method google cannot deliver", id.Association)
	default:
		return "", refuse("method-unknown", "%.40q is no method", string(id.Method))
	}
	if !s.Agent {
		return "", refuse("agent-needed", "association %s has a targetRoleArn or a policy, which method %s delivers by the agent, and this cluster has none",
			id.Association, id.Method)
	}
	return Agent, nil
}

// addition says what a pod needs for an identity.
func (s *Settings) addition(p *corev1.Pod, id identity.Identity) (addition, error) {
	d, err := s.deliver(id)
	if err != nil {
		return addition{}, err
	}
	if d != ClusterToken && isWindows(p) {
		return addition{}, refuse("windows-unsupported", "the pod is for Windows, where there is no %s", d)
	}
	switch d {
	case ClusterToken:
		return s.clusterToken(p, id), nil
	case Agent:
		return s.agent(id), nil
	}
	switch {
	case p.Spec.HostNetwork:
		return addition{}, refuse("sidecar-host-network", "the pod is on the node's network, and %s needs one of the pod's own", d)
	case s.Image == "":
		return addition{}, refuse("image-unset", "%s adds containers, and the settings name no image of daypass", d)
	}
	if d == GoogleToken {
		return s.googleToken(p, id)
	}
	return s.sidecar(p, id)
}

// louder returns what SDKs ask before a delivery, by the order of their
// chains: keys, web identity, the container endpoint, IMDS. Go's, botocore's
// and JavaScript's agree on these.
func louder(d Delivery) []string {
	chain := []string{"AWS_ACCESS_KEY_ID"}
	if d == Agent || d == Sidecar {
		chain = append(chain, "AWS_WEB_IDENTITY_TOKEN_FILE")
	}
	if d == Sidecar {
		chain = append(chain, "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_EC2_METADATA_DISABLED")
	}
	return chain
}

func variable(name, value string) corev1.EnvVar { return corev1.EnvVar{Name: name, Value: value} }

// each makes variables that are added one by one.
func each(variables ...corev1.EnvVar) []group {
	var all []group
	for _, v := range variables {
		all = append(all, group{variables: []corev1.EnvVar{v}})
	}
	return all
}

// region tells the workload where it works, as new and old SDKs call it.
func (s *Settings) region() []group {
	if s.Region == "" {
		return nil
	}
	return []group{{variables: []corev1.EnvVar{variable("AWS_REGION", s.Region), variable("AWS_DEFAULT_REGION", s.Region)}}}
}

// webIdentity are the variables with which an SDK takes a token to STS.
func (s *Settings) webIdentity(p *corev1.Pod, id identity.Identity, file string) []group {
	all := each(variable("AWS_ROLE_ARN", id.RoleARN), variable("AWS_WEB_IDENTITY_TOKEN_FILE", file), sessionName("AWS_ROLE_SESSION_NAME", p, id))
	regional := s.RegionalSTS
	if id.Token.RegionalSTS != nil {
		regional = *id.Token.RegionalSTS
	}
	if regional {
		all = append(all, each(variable("AWS_STS_REGIONAL_ENDPOINTS", "regional"))...)
	}
	return append(all, s.region()...)
}

// sessionName makes a variable of the session's name. Names that Kubernetes has
// yet to generate are read from the pod; a template with more in it than that
// name is filled with the start of it, which is the owner's name.
func sessionName(name string, p *corev1.Pod, id identity.Identity) corev1.EnvVar {
	if id.Session == "" && (p.Name == "" || id.SessionName(p.Name) == p.Name) {
		return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.name"}}}
	}
	pod := p.Name
	if pod == "" {
		pod = strings.TrimRight(p.GenerateName, "-")
	}
	return variable(name, id.SessionName(pod))
}

// projected is a volume with one token of the ServiceAccount.
func projected(name, audience, path string, seconds int64) volume {
	v := corev1.Volume{Name: name}
	v.Projected = &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{{
		ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Audience: audience, ExpirationSeconds: &seconds, Path: path},
	}}}
	return volume{v, func(s corev1.VolumeSource) bool {
		return s.Projected != nil && slices.ContainsFunc(s.Projected.Sources, func(p corev1.VolumeProjection) bool { return p.ServiceAccountToken != nil })
	}}
}

func readOnly(volume, path string) corev1.VolumeMount {
	return corev1.VolumeMount{Name: volume, MountPath: path, ReadOnly: true}
}
