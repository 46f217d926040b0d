// Package signer gives a cluster's pods, and its nodes' agents, certificates
// that IAM Roles Anywhere accepts, with no key kept in the cluster but the
// root's. It answers requests for signerName daypass.dev/workload of two kinds:
//
//   - PodCertificateRequests, which a kubelet makes for a podCertificate volume.
//     Kubernetes has them from 1.36 behind a feature gate, and as v1 from 1.37.
//     Only the kubelet of the pod's node may make one: NodeRestriction holds
//     nodes to that, a ValidatingAdmissionPolicy everybody else. Pod, its UID,
//     node, ServiceAccount and its UID are compared with the cluster again here.
//
//   - CertificateSigningRequests of agents, for the pods of their own node.
//
// Every certificate says the same of a ServiceAccount: what
// identity.Cluster.Names says. What a request asks for never adds to it.
//
// # What an agent asks for
//
// A CertificateSigningRequest of certificates.k8s.io/v1 with
//
//	spec.signerName         daypass.dev/workload
//	spec.usages             [digital signature, client auth], in any order
//	spec.expirationSeconds  600 or more; absent: as long as the signer gives
//	spec.request            PEM PKCS#10 with a fresh key, ECDSA P-256 or stronger
//	                        or RSA 2048 or longer; Subject exactly CN, OU and O of
//	                        Names(namespace, serviceAccount), each once; exactly
//	                        one subject alternative name, its URI; no other
//	                        extension
//
// It is created with the agent's own projected token, whose claims the API
// server writes into the request: the agent's ServiceAccount, its pod and node
// with their UIDs. That node must run that agent's pod and a pod, not finished,
// of the ServiceAccount that is asked for. Within about a second it carries
// either condition Approved and status.certificate, the leaf first and the
// signer's issuing CA after it, or condition Denied or Failed, whose message
// ends in a reason's slug and its mend. The agent may delete it then; names are
// best left to generateName. A leaf lives as long as is asked for, at most as
// the signer's settings say and a day by default; ask again at half its life.
//
// # Who signs
//
// A leaf is signed by an issuing CA that each replica makes in its memory,
// pathlen 0 and at most 7 days, under the root. All replicas answer; the first
// one's answer is taken. A root is changed with an overlap in which both are
// trusted; one replica at a time, elected, has a hand in that.
package signer

// SignerName is what requests name.
const SignerName = "daypass.dev/workload"
