package privateca

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"daypass.dev/kube/api/awspca/v1beta1"
)

// configure is how an issuer calls AWS: in its region, with its Secret's keys
// or the server's own credentials, through its role. Errors are sorted.
func (a *authorities) configure(ctx context.Context, i v1beta1.Issuer, secrets client.Reader) (aws.Config, error) {
	spec, _ := i.Parts()
	c := a.aws.Copy()
	arn := strings.SplitN(spec.Arn, ":", 6)
	if len(arn) != 6 || arn[2] != "acm-pca" || !strings.HasPrefix(arn[5], "certificate-authority/") {
		return c, blamef("pca-arn", "spec.arn is %q", spec.Arn)
	}
	c.Region = spec.Region
	if c.Region == "" {
		c.Region = arn[3]
	}
	if spec.SecretRef.Name != "" {
		keys, err := a.secret(ctx, i, secrets)
		if err != nil {
			return c, err
		}
		c.Credentials = keys
	}
	c.Credentials = blaming{c.Credentials}
	if spec.Role != "" {
		c.Credentials = aws.NewCredentialsCache(blaming{stscreds.NewAssumeRoleProvider(sts.NewFromConfig(c), spec.Role,
			func(o *stscreds.AssumeRoleOptions) { o.RoleSessionName = "daypass-issuer" })})
	}
	return c, nil
}

// secret reads an issuer's long-term keys. An issuer of a namespace gets no
// other namespace's: who may write issuers there may not read everything.
func (a *authorities) secret(ctx context.Context, i v1beta1.Issuer, secrets client.Reader) (aws.CredentialsProvider, error) {
	spec, _ := i.Parts()
	own := i.GetNamespace()
	if own == "" {
		own = a.namespace
	}
	name := types.NamespacedName{Namespace: spec.SecretRef.Namespace, Name: spec.SecretRef.Name}
	if name.Namespace == "" {
		name.Namespace = own
	}
	if name.Namespace != own {
		return nil, blamef("issuer-secret-namespace", "spec.secretRef names the namespace %s; Secrets of %s count here", name.Namespace, own)
	}
	var s corev1.Secret
	if err := secrets.Get(ctx, name, &s); err != nil {
		if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) {
			return nil, blamef("issuer-secret", "Secret %s: %s", name, apierrors.ReasonForError(err))
		}
		return nil, err
	}
	entry := func(name, otherwise string) string {
		if name == "" {
			name = otherwise
		}
		return strings.TrimSpace(string(s.Data[name]))
	}
	id := entry(spec.SecretRef.AccessKeyIDSelector.Key, "AWS_ACCESS_KEY_ID")
	secret := entry(spec.SecretRef.SecretAccessKeySelector.Key, "AWS_SECRET_ACCESS_KEY")
	if id == "" || secret == "" {
		return nil, blamef("issuer-secret", "Secret %s lacks the access key's id or secret", name)
	}
	return credentials.NewStaticCredentialsProvider(id, secret, entry("", "AWS_SESSION_TOKEN")), nil
}

// blaming marks errors of credentials as such.
type blaming struct{ aws.CredentialsProvider }

// Retrieve implements aws.CredentialsProvider.
func (b blaming) Retrieve(ctx context.Context) (aws.Credentials, error) {
	got, err := b.CredentialsProvider.Retrieve(ctx)
	if err != nil {
		return got, &credentialsError{err}
	}
	return got, nil
}
