package inject

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"daypass.dev/config"
	"daypass.dev/kube/identity"
)

const (
	sidecarName = "daypass"
	sidecarPort = 9911 // where daypass serves if it is not told otherwise
)

// sidecar runs daypass beside the workload, which sees an IMDSv2 endpoint.
func (s *Settings) sidecar(p *corev1.Pod, id identity.Identity) (addition, error) {
	for _, c := range p.Spec.Containers {
		for _, port := range c.Ports {
			if port.ContainerPort == sidecarPort && c.Name != sidecarName {
				return addition{}, refuse("sidecar-port", "container %s has port %d, where daypass serves the pod", c.Name, sidecarPort)
			}
		}
	}
	certificate, err := s.Certificates.volume(s.Cluster, id)
	if err != nil {
		return addition{}, err
	}
	settings := config.Defaults()
	settings.Certificate, settings.PrivateKey = certificate.file, certificate.key
	settings.RoleARN, settings.ChainRoleARN = id.RoleARN, id.TargetRoleARN
	settings.TrustAnchorARN, settings.ProfileARN = id.RolesAnywhere.TrustAnchorARN, id.RolesAnywhere.ProfileARN
	settings.WorkloadRegion = s.Region

	c := s.container(p, sidecarName)
	c.Args = []string{"serve"}
	for _, v := range settings.Environment() {
		name, value, _ := strings.Cut(v, "=")
		c.Env = append(c.Env, variable(name, value))
	}
	if id.Session != "" { // profiles refuse names unless they are set to accept them
		c.Env = append(c.Env, sessionName("DAYPASS_ROLE_SESSION_NAME", p, id))
	}
	c.VolumeMounts = []corev1.VolumeMount{readOnly(certificate.volume.Name, certificateDir)}
	if certificate.group != 0 {
		c.SecurityContext.RunAsGroup = &certificate.group
	}
	// Later containers, init containers too, start when credentials can be had.
	c.RestartPolicy = always()
	c.StartupProbe = &corev1.Probe{PeriodSeconds: 1, FailureThreshold: 120, TimeoutSeconds: 5}
	c.StartupProbe.Exec = &corev1.ExecAction{Command: []string{"daypass", "ready"}}
	return addition{
		delivery: Sidecar,
		volumes:  []volume{certificate.volume},
		variables: append(each(
			variable("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:9911"),
			variable("AWS_EC2_METADATA_V1_DISABLED", "true"),
		), s.region()...),
		containers: []corev1.Container{c},
		louder:     louder(Sidecar),
	}, nil
}

func always() *corev1.ContainerRestartPolicy {
	p := corev1.ContainerRestartPolicyAlways
	return &p
}

// nobody is the user of daypass's image.
const nobody = 65532

// container is one of ours: it holds to the restricted Pod Security Standard
// whatever the pod does.
func (s *Settings) container(p *corev1.Pod, name string) corev1.Container {
	yes, no := true, false
	security := &corev1.SecurityContext{
		RunAsNonRoot: &yes, ReadOnlyRootFilesystem: &yes, AllowPrivilegeEscalation: &no,
		Capabilities:   &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
	// A user that the pod has for all containers can read volumes that are made
	// for it, and may be the only one that the cluster lets it have.
	if user := podUser(p); user == 0 {
		user = nobody
		security.RunAsUser = &user
	}
	return corev1.Container{Name: name, Image: s.Image, SecurityContext: security, Resources: resources(p)}
}

// podUser is the user that containers have without asking; 0: root or the
// image's.
func podUser(p *corev1.Pod) int64 {
	if c := p.Spec.SecurityContext; c != nil && c.RunAsUser != nil {
		return *c.RunAsUser
	}
	return 0
}

// resources of a container of ours. A pod whose containers all have what they
// ask for guaranteed must stay so.
func resources(p *corev1.Pod) corev1.ResourceRequirements {
	limits := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("200m"), corev1.ResourceMemory: resource.MustParse("64Mi")}
	if guaranteed(p) {
		return corev1.ResourceRequirements{Limits: limits, Requests: limits}
	}
	return corev1.ResourceRequirements{Limits: limits, Requests: corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("10m"), corev1.ResourceMemory: resource.MustParse("24Mi"),
	}}
}

func guaranteed(p *corev1.Pod) bool {
	for _, c := range slices.Concat(p.Spec.Containers, p.Spec.InitContainers) {
		for _, r := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
			limit, limited := c.Resources.Limits[r]
			request, requested := c.Resources.Requests[r]
			if !limited || requested && request.Cmp(limit) != 0 {
				return false
			}
		}
	}
	return true
}
