package inject

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"daypass.dev/kube/identity"
)

// Names, paths and audiences are those of EKS's webhook: what it has added is
// not added again, and tools that look for them find them.
const (
	tokenVolume   = "aws-iam-token"
	tokenDir      = "/var/run/secrets/eks.amazonaws.com/serviceaccount"
	tokenAudience = "sts.amazonaws.com"

	agentVolume   = "eks-pod-identity-token"
	agentDir      = "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount"
	agentAudience = "pods.eks.amazonaws.com"
	agentURI      = "http://169.254.170.23/v1/credentials"
	agentURIv6    = "http://[fd00:ec2::23]/v1/credentials"
)

const usualTokenLife = 24 * time.Hour

func (s *Settings) tokenSeconds(id identity.Identity) int64 {
	life := usualTokenLife
	for _, asked := range []time.Duration{id.Token.Life, s.TokenLife} {
		if asked != 0 {
			life = max(asked, identity.MinTokenLife)
			break
		}
	}
	return int64(life / time.Second)
}

// clusterToken lets the SDKs show STS a token of the cluster's.
func (s *Settings) clusterToken(p *corev1.Pod, id identity.Identity) addition {
	audience := id.Token.Audience
	if audience == "" {
		audience = tokenAudience
	}
	dir, file := tokenDir, tokenDir+"/token"
	if isWindows(p) {
		dir = `C:\var\run\secrets\eks.amazonaws.com\serviceaccount`
		file = dir + `\token`
	}
	return addition{
		delivery:  ClusterToken,
		volumes:   []volume{projected(tokenVolume, audience, "token", s.tokenSeconds(id))},
		mounts:    []corev1.VolumeMount{readOnly(tokenVolume, dir)},
		variables: s.webIdentity(p, id, file),
		louder:    louder(ClusterToken),
	}
}

// agent sends the SDKs to the node's agent. A token that is for the agent must
// not be sent elsewhere, nor another there, so a container that has one of the
// variables gets none.
func (s *Settings) agent(id identity.Identity) addition {
	uri := agentURI
	if s.AgentIPv6 {
		uri = agentURIv6
	}
	return addition{
		delivery: Agent,
		volumes:  []volume{projected(agentVolume, agentAudience, agentVolume, s.tokenSeconds(id))},
		mounts:   []corev1.VolumeMount{readOnly(agentVolume, agentDir)},
		variables: append([]group{{
			variables: []corev1.EnvVar{
				variable("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri),
				variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", agentDir+"/"+agentVolume),
			},
			unless: []string{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN"},
		}}, s.region()...),
		label:  "eks.amazonaws.com/pod-identity=enabled",
		louder: louder(Agent),
	}
}
