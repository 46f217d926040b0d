package kube

import (
	"crypto/x509/pkix"

	"daypass.dev/e2e/kube/node"
)

// gates are features that the design rests on and that are off by default.
var gates = []string{"PodCertificateRequest", "ClusterTrustBundle", "ClusterTrustBundleProjection"}

// Issuer is the issuer of the cluster's ServiceAccount tokens. Its discovery
// document and keys may be read by anybody in the cluster.
const Issuer = "https://kubernetes.default.svc.cluster.local"

// controllers are the control plane's clients and their user names.
var controllers = map[string]pkix.Name{
	"admin":              {CommonName: "admin", Organization: []string{"system:masters"}},
	"controller-manager": {CommonName: "system:kube-controller-manager"},
	"scheduler":          {CommonName: "system:kube-scheduler"},
}

// secure makes the control plane's certificates and kubeconfigs.
func (c *Cluster) secure() (*authority, error) {
	a, err := newAuthority(c.file("pki"))
	if err != nil {
		return nil, err
	}
	err = a.issue("apiserver", pkix.Name{CommonName: "kube-apiserver"},
		"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
		"localhost", "127.0.0.1", "10.96.0.1", apiAddress)
	if err != nil {
		return nil, err
	}
	kubelet := pkix.Name{CommonName: "kube-apiserver-kubelet-client", Organization: []string{"system:masters"}}
	if err := a.issue("kubelet-client", kubelet); err != nil {
		return nil, err
	}
	if err := a.issue("front-proxy", pkix.Name{CommonName: "front-proxy-client"}); err != nil {
		return nil, err
	}
	for name, subject := range controllers {
		if err := a.kubeconfig(c.file(name+".conf"), name, subject); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// controlPlane is what the first node runs beside what every node runs.
func (c *Cluster) controlPlane() []node.Program {
	pki := c.file("pki") + "/"
	features := "--feature-gates="
	for i, gate := range gates {
		if i > 0 {
			features += ","
		}
		features += gate + "=true"
	}
	// The controllers exit if they come before the API server has made its
	// built-in roles, and until then it is not ready.
	const ready = "https://127.0.0.1:6443/readyz"
	issuers := []string{Issuer} // the first makes tokens, all are taken
	if c.Issuer != "" {
		issuers = []string{c.Issuer, Issuer}
	}
	var accepted []string
	for _, one := range issuers {
		accepted = append(accepted, "--service-account-issuer="+one)
	}
	return []node.Program{
		{Name: "etcd", Args: []string{
			"etcd", "--name=etcd", "--data-dir=/run/etcd", "--unsafe-no-fsync", "--log-level=warn",
			"--listen-client-urls=http://127.0.0.1:2379", "--advertise-client-urls=http://127.0.0.1:2379",
			"--listen-peer-urls=http://127.0.0.1:2380",
		}},
		{Name: "kube-apiserver", Args: append([]string{
			"kube-apiserver", "--etcd-servers=http://127.0.0.1:2379",
			"--secure-port=6443", "--advertise-address=" + apiAddress,
			"--client-ca-file=" + pki + "ca.crt",
			"--tls-cert-file=" + pki + "apiserver.crt", "--tls-private-key-file=" + pki + "apiserver.key",
			"--kubelet-client-certificate=" + pki + "kubelet-client.crt", "--kubelet-client-key=" + pki + "kubelet-client.key",
			"--kubelet-certificate-authority=" + pki + "ca.crt", "--kubelet-preferred-address-types=InternalIP",
			"--service-account-jwks-uri=" + issuers[0] + "/openid/v1/jwks",
			"--service-account-key-file=" + pki + "sa.pub", "--service-account-signing-key-file=" + pki + "sa.key",
			"--requestheader-client-ca-file=" + pki + "ca.crt", "--requestheader-allowed-names=front-proxy-client",
			"--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group",
			"--requestheader-extra-headers-prefix=X-Remote-Extra-",
			"--proxy-client-cert-file=" + pki + "front-proxy.crt", "--proxy-client-key-file=" + pki + "front-proxy.key",
			"--enable-aggregator-routing=true", "--authorization-mode=Node,RBAC",
			"--enable-admission-plugins=NodeRestriction", "--service-cluster-ip-range=" + serviceNetwork,
			"--allow-privileged=true", "--shutdown-delay-duration=0s", features,
			"--runtime-config=certificates.k8s.io/v1beta1=true,certificates.k8s.io/v1alpha1=true",
		}, accepted...)},
		{Name: "kube-controller-manager", After: ready, Args: []string{
			"kube-controller-manager", "--bind-address=127.0.0.1", "--leader-elect=false",
			"--kubeconfig=" + c.file("controller-manager.conf"),
			"--authentication-kubeconfig=" + c.file("controller-manager.conf"),
			"--authorization-kubeconfig=" + c.file("controller-manager.conf"),
			"--use-service-account-credentials=true", "--service-account-private-key-file=" + pki + "sa.key",
			"--root-ca-file=" + pki + "ca.crt", "--allocate-node-cidrs=false",
			"--cluster-signing-cert-file=" + pki + "ca.crt", "--cluster-signing-key-file=" + pki + "ca.key",
			"--flex-volume-plugin-dir=/var/lib/kubelet/volumeplugins",
			// With the nodes' leases of 8 s: a lost node is seen in 16 s,
			// and a busy machine does not lose one by mistake.
			"--node-monitor-grace-period=16s", "--node-monitor-period=2s", features,
		}},
		{Name: "kube-scheduler", Args: []string{
			"kube-scheduler", "--bind-address=127.0.0.1", "--leader-elect=false",
			"--kubeconfig=" + c.file("scheduler.conf"),
			"--authentication-kubeconfig=" + c.file("scheduler.conf"),
			"--authorization-kubeconfig=" + c.file("scheduler.conf"),
		}},
	}
}
