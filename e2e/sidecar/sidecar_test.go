package sidecar

import (
	_ "embed"
	"strings"
	"testing"
	"time"

	"daypass.dev/e2e/kube/kubetest"
)

var (
	//go:embed testdata/pod.yaml
	pod string
	//go:embed testdata/original.yaml
	original string
)

// TestAnUnmodifiedCLI runs the AWS CLI in a pod beside `daypass serve`, by AWS's
// host names and without an endpoint variable: once in daypass's own words, and
// once as the original deployment has it, with only the image changed.
func TestAnUnmodifiedCLI(t *testing.T) {
	for name, manifest := range map[string]string{"own words": pod, "as it was": original} {
		t.Run(name, func(t *testing.T) {
			if strings.Contains(manifest, "ENDPOINT_URL") || strings.Contains(manifest, kubetestAddress) {
				t.Fatal("the manifest names an endpoint")
			}
			sandbox := kubetest.Sandbox(t)
			n := kubetest.New(t)
			kubetest.Provide(t, sandbox, kubetest.Daypass)
			kubetest.Provide(t, sandbox, kubetest.AWSCLI)
			a := newAccount(t, sandbox, n.Name)
			n.Apply(a.secret())
			n.Apply(a.fill(manifest))
			n.Wait("pod/acmpca-csi-test", "Ready", 2*time.Minute)

			who := cli(t, n, "sts", "get-caller-identity", "--query", "Arn", "--output", "text")
			if !strings.HasPrefix(who, "arn:aws:sts::") || !strings.Contains(who, ":assumed-role/"+roleName) {
				t.Errorf("the caller is %q", who)
			}
			if buckets := cli(t, n, "s3", "ls"); !strings.Contains(buckets, " "+a.bucket+"\n") {
				t.Errorf("s3 ls prints %q, without %s", buckets, a.bucket)
			}
			cli(t, n, "s3", "cp", "/etc/hostname", "s3://"+a.bucket+"/from-cli.txt")
			if objects := cli(t, n, "s3", "ls", "s3://"+a.bucket); !strings.Contains(objects, "from-cli.txt") {
				t.Errorf("s3 ls s3://%s prints %q", a.bucket, objects)
			}
			virtual(t, sandbox, a.bucket, "/from-cli.txt")
		})
	}
}

// kubetestAddress would be the sandbox's own.
const kubetestAddress = "10.96.0.100"

func cli(t *testing.T, n *kubetest.Namespace, args ...string) string {
	t.Helper()
	out, err := n.Exec("acmpca-csi-test", "aws-cli", append([]string{"aws"}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// virtual requires that an object was written in virtual-host style: the
// bucket in the host's name, and so not in the path.
func virtual(t *testing.T, sandbox *kubetest.AWS, bucket, path string) {
	t.Helper()
	all, err := sandbox.Decisions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, d := range all {
		if d.Service == "s3" && strings.HasPrefix(d.Path, "/"+bucket+"/") {
			t.Errorf("%s %s is in path style", d.Method, d.Path)
		}
		for _, check := range d.Checks {
			if d.Allowed && d.Method == "PUT" && d.Path == path && strings.HasSuffix(check.Resource, ":::"+bucket+path) {
				found = true
			}
		}
	}
	if !found {
		t.Errorf("none of %d decisions is a PUT of %s into %s in virtual-host style", len(all), path, bucket)
	}
}
