package inject

import (
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"daypass.dev/kube/identity"
)

// Certificates say where sidecars have their certificate from: one of the
// three. The pod's author has no say in what it names.
type Certificates struct {
	// Signer of pod certificates, as daypass.dev/workload: Kubernetes itself
	// makes the key and asks the signer. Needs podCertificate volumes, which
	// are there from Kubernetes 1.37, and behind a feature gate from 1.35.
	Signer string
	// Issuer of cert-manager's, through its CSI driver.
	Issuer Issuer
	// Secret is the name of a Secret in the pod's namespace with tls.crt and
	// tls.key; {serviceAccount} stands for the pod's. Whoever may read Secrets
	// there has the identity, too.
	Secret string
}

// An Issuer is one of cert-manager's.
type Issuer struct {
	Name  string
	Kind  string        // empty: Issuer
	Group string        // empty: cert-manager.io
	Life  time.Duration // 0: 24 hours
}

// CertificateVolume is the name of the volume with a sidecar's certificate.
const CertificateVolume = "daypass-certificate"

const (
	certificateDir = "/var/run/secrets/daypass.dev/certificate"
	csiDriver      = "csi.cert-manager.io"
)

// A certificate is a volume with the files that daypass reads.
type certificate struct {
	volume    volume
	file, key string // key is empty if it is in file
	group     int64  // that may read them; 0: whoever has the volume
}

func (c Certificates) volume(cluster identity.Cluster, id identity.Identity) (certificate, error) {
	v := corev1.Volume{Name: CertificateVolume}
	switch {
	case c.Signer != "":
		v.Projected = &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{{
			PodCertificate: &corev1.PodCertificateProjection{SignerName: c.Signer, KeyType: "ECDSAP256", CredentialBundlePath: "bundle.pem"},
		}}}
		same := func(s corev1.VolumeSource) bool { return s.Projected != nil }
		return certificate{volume: volume{v, same}, file: certificateDir + "/bundle.pem"}, nil
	case c.Issuer.Name != "":
		attributes, err := c.Issuer.attributes(cluster, id)
		if err != nil {
			return certificate{}, err
		}
		yes := true
		v.CSI = &corev1.CSIVolumeSource{Driver: csiDriver, ReadOnly: &yes, VolumeAttributes: attributes}
		same := func(s corev1.VolumeSource) bool { return s.CSI != nil && s.CSI.Driver == csiDriver }
		return certificate{volume{v, same}, certificateDir + "/tls.crt", certificateDir + "/tls.key", nobody}, nil
	case c.Secret != "":
		v.Secret = &corev1.SecretVolumeSource{SecretName: strings.ReplaceAll(c.Secret, "{serviceAccount}", id.ServiceAccount)}
		same := func(s corev1.VolumeSource) bool { return s.Secret != nil }
		return certificate{volume: volume{v, same}, file: certificateDir + "/tls.crt", key: certificateDir + "/tls.key"}, nil
	}
	return certificate{}, refuse("certificate-source-unset", "the settings do not say where sidecars have their certificate from")
}

// attributes are what the driver asks cert-manager for. It fills in variables
// in CN and URI only, so that all names are written out. Its defaults lack
// client authentication and a subject, without which AWS refuses.
func (i Issuer) attributes(cluster identity.Cluster, id identity.Identity) (map[string]string, error) {
	names, err := cluster.Names(id.Namespace, id.ServiceAccount)
	if err != nil {
		return nil, err
	}
	life := i.Life
	if life == 0 {
		life = 24 * time.Hour
	}
	all := map[string]string{
		"issuer-name":         i.Name,
		"common-name":         names.CommonName,
		"organizations":       names.Organization,
		"organizationalunits": names.OrganizationUnit,
		"uri-sans":            names.URI,
		"key-usages":          "digital signature,client auth",
		"key-algorithm":       "ECDSA",
		"key-size":            "256",
		"key-encoding":        "PKCS8",
		"duration":            life.String(),
		"fs-group":            strconv.Itoa(nobody),
	}
	if i.Kind != "" {
		all["issuer-kind"] = i.Kind
	}
	if i.Group != "" {
		all["issuer-group"] = i.Group
	}
	attributes := map[string]string{}
	for k, v := range all {
		attributes[csiDriver+"/"+k] = v
	}
	return attributes, nil
}
