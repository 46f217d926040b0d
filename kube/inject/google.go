package inject

import (
	"strconv"

	corev1 "k8s.io/api/core/v1"

	"daypass.dev/kube/identity"
)

const (
	googleFirst   = "daypass-google-token"
	googleRefresh = "daypass-google-token-refresh"
	googleVolume  = "daypass-google-token"
	googleDir     = "/var/run/secrets/aws/token"
	googleFile    = googleDir + "/gtoken"
	// Roles that were made for gtoken may pin its audience.
	googleAudience = "gtoken/sts/assume-role-with-web-identity"
)

// googleToken keeps a token of the pod's Google account in a file: one
// container has it there before any other starts, another keeps it fresh.
func (s *Settings) googleToken(p *corev1.Pod, id identity.Identity) addition {
	audience := id.Token.Audience
	if audience == "" {
		audience = googleAudience
	}
	v := corev1.Volume{Name: googleVolume}
	v.EmptyDir = &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMediumMemory}
	container := func(name string, once bool) corev1.Container {
		c := s.container(p, name)
		c.Args = []string{"token"}
		c.Env = []corev1.EnvVar{
			variable("DAYPASS_TOKEN_SOURCE", "google"),
			variable("DAYPASS_AUDIENCE", audience),
			variable("DAYPASS_FILE", googleFile),
			variable("DAYPASS_ONCE", strconv.FormatBool(once)),
		}
		c.VolumeMounts = []corev1.VolumeMount{{Name: googleVolume, MountPath: googleDir}}
		return c
	}
	first, refresh := container(googleFirst, true), container(googleRefresh, false)
	refresh.RestartPolicy = always()
	return addition{
		delivery:   GoogleToken,
		volumes:    []volume{{v, func(s corev1.VolumeSource) bool { return s.EmptyDir != nil }}},
		mounts:     []corev1.VolumeMount{readOnly(googleVolume, googleDir)},
		variables:  s.webIdentity(p, id, googleFile),
		containers: []corev1.Container{first, refresh},
		louder:     louder(GoogleToken),
	}
}
