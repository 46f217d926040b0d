package inject

import (
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"daypass.dev/config"
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
// container has it there before any other starts, another keeps it fresh. The
// file is for one user, so both run as the workload's.
func (s *Settings) googleToken(p *corev1.Pod, id identity.Identity) (addition, error) {
	user, known, err := workloadUser(p)
	if err != nil {
		return addition{}, err
	}
	settings := config.Defaults()
	settings.TokenSource, settings.Audience = "google", id.Token.Audience
	if settings.Audience == "" {
		settings.Audience = googleAudience
	}
	v := corev1.Volume{Name: googleVolume}
	v.EmptyDir = &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMediumMemory}
	container := func(name string, once bool) corev1.Container {
		c := s.container(p, name)
		c.SecurityContext.RunAsUser = &user
		c.Args = []string{"token"}
		for _, v := range append(settings.Environment(), "DAYPASS_OUT="+googleFile, "DAYPASS_ONCE="+strconv.FormatBool(once)) {
			name, value, _ := strings.Cut(v, "=")
			c.Env = append(c.Env, variable(name, value))
		}
		c.VolumeMounts = []corev1.VolumeMount{{Name: googleVolume, MountPath: googleDir}}
		return c
	}
	first, refresh := container(googleFirst, true), container(googleRefresh, false)
	refresh.RestartPolicy = always()
	add := addition{
		delivery:   GoogleToken,
		volumes:    []volume{{v, func(s corev1.VolumeSource) bool { return s.EmptyDir != nil }}},
		mounts:     []corev1.VolumeMount{readOnly(googleVolume, googleDir)},
		variables:  s.webIdentity(p, id, googleFile),
		containers: []corev1.Container{first, refresh},
		louder:     louder(GoogleToken),
	}
	if !known {
		add.note = "the token can be read by root and by user 65532: if an image has another user, set runAsUser"
	}
	return add, nil
}

// workloadUser is the user whom the pod's containers run as, as far as the pod
// says. Root reads what is anybody's, so it does not count.
func workloadUser(p *corev1.Pod) (user int64, known bool, err error) {
	known = true
	for _, c := range slices.Concat(p.Spec.Containers, p.Spec.InitContainers) {
		if c.Name == googleFirst || c.Name == googleRefresh {
			continue
		}
		own := podUser(p)
		said := p.Spec.SecurityContext != nil && p.Spec.SecurityContext.RunAsUser != nil
		if c.SecurityContext != nil && c.SecurityContext.RunAsUser != nil {
			own, said = *c.SecurityContext.RunAsUser, true
		}
		switch {
		case !said:
			known = false
		case own == 0 || own == user:
		case user == 0:
			user = own
		default:
			return 0, false, refuse("token-users", "containers of the pod run as users %d and %d, and the token's file is for one", user, own)
		}
	}
	if user == 0 {
		user = nobody
	}
	return user, known, nil
}
