package main

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere"
	ratypes "github.com/aws/aws-sdk-go-v2/service/rolesanywhere/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/spf13/cobra"

	"daypass.dev"
	"daypass.dev/exchange"
	"daypass.dev/internal/sdk"
	"daypass.dev/pki"
	"daypass.dev/proof"
	"daypass.dev/sandbox"
	"daypass.dev/sandbox/world"
)

func demoCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "the whole story in seconds, on a local AWS",
		Long: `Demo starts a local AWS in this process, makes a certificate authority, a leaf,
a role, a trust anchor and a profile, trades the leaf for credentials, and
lists buckets with them. Then it is refused three times, and says why. Nothing
is written, and nothing leaves this machine.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return demo(c.Context(), c.OutOrStdout())
		},
	}
}

const (
	demoBucket = "quarterly-reports"
	demoRole   = "bucketlister"
	demoName   = "myContainer"
	// The same permissions and trust as the second walkthrough.
	demoPolicy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:ListAllMyBuckets","Resource":"*"}]}`
	demoTrust  = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
  "Principal":{"Service":"rolesanywhere.amazonaws.com"},
  "Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"],
  "Condition":{"StringEquals":{"aws:PrincipalTag/x509Subject/CN":"` + demoName + `"}}}]}`
)

// A stage is what the demo has built so far.
type stage struct {
	out    io.Writer
	world  *world.World
	server *sandbox.Server
	roots  *x509.CertPool
	ca     pki.CA

	anchorARN, profileARN, roleARN string
}

func demo(ctx context.Context, out io.Writer) error {
	s := &stage{out: out, world: world.New()}
	fmt.Fprintln(out, "A workload with its own certificate gets AWS credentials.")
	fmt.Fprintln(out, "The AWS is a local one, strict about every signature; nothing leaves this machine.")
	fmt.Fprintln(out)
	for _, step := range []func(context.Context) error{s.start, s.authority, s.role, s.anchor, s.bucket, s.admitted, s.refused} {
		if err := step(ctx); err != nil {
			if s.server != nil {
				_ = s.server.Close()
			}
			return err
		}
	}
	s.byHand()
	return s.server.Close()
}

func (s *stage) say(what, format string, args ...any) {
	fmt.Fprintf(s.out, "  %-24s %s\n", what, fmt.Sprintf(format, args...))
}

func (s *stage) start(context.Context) error {
	server, err := sandbox.Listen("127.0.0.1:0", sandbox.New(s.world))
	if err != nil {
		return err
	}
	s.server, s.roots = server, x509.NewCertPool()
	s.roots.AppendCertsFromPEM(server.CA())
	s.say("a local AWS", "%s, account %s", server.URL(), s.world.Home)
	return nil
}

// client trusts the sandbox.
func (s *stage) client() *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.roots, MinVersion: tls.VersionTLS12}}}
}

// sdk configures AWS's own SDK to sign with the given key.
func (s *stage) sdk(id, secret, token string) aws.Config {
	return aws.Config{
		Region:       s.world.Region,
		BaseEndpoint: aws.String(s.server.URL()),
		HTTPClient:   sdk.Patient{HTTPClient: s.client()},
		Credentials:  credentials.NewStaticCredentialsProvider(id, secret, token),
	}
}

func (s *stage) admin() aws.Config {
	key := s.world.Administrator(s.world.Home)
	return s.sdk(key.ID, key.Secret, "")
}

func (s *stage) authority(context.Context) error {
	key, err := pki.NewKey("ec-p256")
	if err != nil {
		return err
	}
	s.ca, err = pki.NewCA(key, pkix.Name{CommonName: "Demo CA"}, 24*time.Hour, time.Now())
	if err != nil {
		return err
	}
	s.say("your CA", "%s, EC P-256", s.ca.Certificate.Subject)
	return nil
}

func (s *stage) role(ctx context.Context) error {
	c := iam.NewFromConfig(s.admin())
	out, err := c.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String(demoRole), AssumeRolePolicyDocument: aws.String(demoTrust)})
	if err != nil {
		return err
	}
	s.roleARN = aws.ToString(out.Role.Arn)
	s.say("a role", "%s, which trusts CN=%s", s.roleARN, demoName)
	_, err = c.PutRolePolicy(ctx, &iam.PutRolePolicyInput{
		RoleName: aws.String(demoRole), PolicyName: aws.String("list-buckets"), PolicyDocument: aws.String(demoPolicy),
	})
	return err
}

func (s *stage) anchor(ctx context.Context) error {
	c := rolesanywhere.NewFromConfig(s.admin())
	anchor, err := c.CreateTrustAnchor(ctx, &rolesanywhere.CreateTrustAnchorInput{
		Name: aws.String("demo"), Enabled: aws.Bool(true),
		Source: &ratypes.Source{
			SourceType: ratypes.TrustAnchorTypeCertificateBundle,
			SourceData: &ratypes.SourceDataMemberX509CertificateData{Value: string(pki.EncodeCertificate(s.ca.Certificate))},
		},
	})
	if err != nil {
		return err
	}
	s.anchorARN = aws.ToString(anchor.TrustAnchor.TrustAnchorArn)
	s.say("a trust anchor", "%s", s.anchorARN)
	profile, err := c.CreateProfile(ctx, &rolesanywhere.CreateProfileInput{
		Name: aws.String("demo"), Enabled: aws.Bool(true), RoleArns: []string{s.roleARN},
	})
	if err != nil {
		return err
	}
	s.profileARN = aws.ToString(profile.Profile.ProfileArn)
	s.say("a profile", "%s", s.profileARN)
	return nil
}

func (s *stage) bucket(ctx context.Context) error {
	_, err := s3.NewFromConfig(s.admin()).CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(demoBucket)})
	return err
}

// held is a key source for a key that is only in memory.
type held proof.Key

func (h held) Key(context.Context) (*proof.Key, error) { k := proof.Key(h); return &k, nil }

func (s *stage) exchange(ctx context.Context, signer crypto.Signer, leaf *x509.Certificate) (daypass.Credentials, error) {
	ra := &exchange.RolesAnywhere{
		Key:     held{Signer: signer, Leaf: leaf},
		RoleARN: s.roleARN, TrustAnchorARN: s.anchorARN, ProfileARN: s.profileARN,
		Endpoint: s.server.URL(), Client: s.client(),
	}
	return ra.Credentials(ctx)
}

func (s *stage) leaf(name string) (crypto.Signer, *x509.Certificate, error) {
	key, err := pki.NewKey("ec-p256")
	if err != nil {
		return nil, nil, err
	}
	leaf, err := s.ca.Issue(pki.Leaf{Subject: pkix.Name{CommonName: name}, PublicKey: key.Public(), Lifetime: time.Hour}, time.Now())
	return key, leaf, err
}

// admitted is the main story: leaf in, bucket list out.
func (s *stage) admitted(ctx context.Context) error {
	key, leaf, err := s.leaf(demoName)
	if err != nil {
		return err
	}
	s.say("a leaf for one hour", "CN=%s, serial %s", demoName, pki.HexSerial(leaf))
	got, err := s.exchange(ctx, key, leaf)
	if err != nil {
		return err
	}
	s.say("credentials for it", "%s, until %s", got.AccessKeyID, got.Expires.Local().Format("15:04:05"))
	cfg := s.sdk(got.AccessKeyID, got.SecretAccessKey.Reveal(), got.SessionToken.Reveal())
	list, err := s3.NewFromConfig(cfg).ListBuckets(ctx, &s3.ListBucketsInput{})
	if err != nil {
		return err
	}
	var names []string
	for _, b := range list.Buckets {
		names = append(names, aws.ToString(b.Name))
	}
	if len(names) == 0 {
		return errors.New("the bucket list is empty")
	}
	s.say("its bucket list", "%s", strings.Join(names, ", "))
	return nil
}

func (s *stage) byHand() {
	fmt.Fprint(s.out, `
The same by hand, on a local AWS that stays:

  daypassctl pki init
  daypassctl pki issue --common-name myContainer
  daypassctl sandbox --write-env aws.env

and in another terminal, after ". ./aws.env", with the AWS CLI:

  aws iam create-role, aws rolesanywhere create-trust-anchor and create-profile,
  daypass run -- aws s3 ls

docs/walkthroughs/02-container.md has every command.
`)
}
