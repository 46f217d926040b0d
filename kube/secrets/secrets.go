// Package secrets is the provider "aws" of the Secrets Store CSI driver: the
// driver asks it for the files of a pod's volume, and it reads them from AWS as
// that pod. It takes the SecretProviderClasses of AWS's own provider unchanged.
//
// usePodIdentity "true": the pod is who the cluster says, by any method; its
// token for pods.eks.amazonaws.com is checked in full. Otherwise its token for
// sts.amazonaws.com is shown to AWS, for the role that its ServiceAccount names.
//
// The provider writes nothing: the driver writes all files or none, and keeps
// the last ones where a later reading fails.
package secrets

import (
	"context"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	driver "sigs.k8s.io/secrets-store-csi-driver/provider/v1alpha1"

	"daypass.dev/kube/vend"
	"daypass.dev/secrets"
)

// Name is what SecretProviderClasses call this provider.
const Name = "aws"

// A Provider answers the driver. Its fields must not change once it serves.
type Provider struct {
	driver.UnimplementedCSIDriverProviderServer

	// Tokens check the tokens of pods whose class has usePodIdentity.
	Tokens *vend.Tokens
	// Identity gives credentials to them, Web to all others: its Cluster has the
	// method web-identity, and its callers show tokens for sts.amazonaws.com.
	Identity, Web *vend.Vendor
	Reader        *secrets.Reader
	// Cluster is the cluster's name, of which session tags tell; empty: not known.
	Cluster string
	// Region is for classes that name none; empty: such are refused.
	Region string
	// Failed is told why a pod does not get its files. Nil: nobody is.
	Failed func(pod vend.Caller, slug, message string)
	// Log is told of each mount. Nil: silent.
	Log *slog.Logger

	rendering sync.Mutex // one class at a time: what jmesPaths make is in this process's memory

	mu     sync.Mutex
	served map[string]time.Time // :: target path → when last answered
}

// Version implements the driver's interface.
func (p *Provider) Version(context.Context, *driver.VersionRequest) (*driver.VersionResponse, error) {
	version := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		version = info.Main.Version
	}
	return &driver.VersionResponse{Version: "v1alpha1", RuntimeName: "daypass", RuntimeVersion: version}, nil
}

// ahead is how long before the kubelet's patience ends a mount is given up: one
// that the kubelet gives up leaves the folder, as slugOf says.
const ahead = 10 * time.Second

// Mount implements the driver's interface: all files of a volume, or an error
// that says in one line what is missing.
func (p *Provider) Mount(ctx context.Context, in *driver.MountRequest) (*driver.MountResponse, error) {
	begin := time.Now()
	if end, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, end.Add(-ahead))
		defer cancel()
	}
	r, err := parseRequest(in)
	if err != nil {
		return nil, p.refused(r, err)
	}
	files, versions, err := p.read(ctx, r)
	if err != nil {
		return nil, p.refused(r, err)
	}
	p.remember(r.target, time.Now())
	out := &driver.MountResponse{ObjectVersion: []*driver.ObjectVersion{}}
	for _, f := range files {
		out.Files = append(out.Files, &driver.File{Path: f.Path, Mode: int32(f.Mode), Contents: f.Data})
	}
	for _, v := range versions {
		out.ObjectVersion = append(out.ObjectVersion, &driver.ObjectVersion{Id: v.Object, Version: v.Version})
	}
	if p.Log != nil {
		p.Log.Info("mounted", "namespace", r.pod.Namespace, "pod", r.pod.Pod, "files", len(files), "took", time.Since(begin).String())
	}
	return out, nil
}

// read gets the files of one volume.
func (p *Provider) read(ctx context.Context, r *request) ([]secrets.File, []secrets.Version, error) {
	who, err := p.principal(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	values, err := p.Reader.Read(ctx, who, r.class, p.Region, p.has(r.target))
	if err != nil {
		return nil, nil, err
	}
	p.rendering.Lock()
	defer p.rendering.Unlock()
	return r.class.Render(values, r.mode)
}

// gone is after how long a volume that the driver no longer asks for is
// forgotten: kubelets ask for one at least every two minutes.
const gone = time.Hour

// has tells whether the volume was filled before: who asks again wants to know
// what has changed.
func (p *Provider) has(target string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, ok := p.served[target]
	return ok
}

func (p *Provider) remember(target string, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.served == nil {
		p.served = map[string]time.Time{}
	}
	for t, at := range p.served {
		if now.Sub(at) > gone {
			delete(p.served, t)
		}
	}
	p.served[target] = now
}
