package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"daypass.dev/internal/atomicfile"
	"daypass.dev/internal/cli"
)

// oidcOptions say what to publish, and where.
type oidcOptions struct {
	to, issuer, kubeconfig  string
	discoveryFile, keysFile string
	nextKeys                []string
	keep                    time.Duration
}

// Where the documents lie below the issuer's URL, and what the folder
// remembers.
const (
	discoveryPath = ".well-known/openid-configuration"
	keysPath      = "openid/v1/jwks"
	goneFile      = ".daypass-gone.json"
)

func oidcCommand() *cobra.Command {
	c := &cobra.Command{Use: "oidc", Short: "what AWS must be able to read of a cluster's issuer"}
	c.AddCommand(oidcPublish())
	return c
}

func oidcPublish() *cobra.Command {
	o := &oidcOptions{keep: 48 * time.Hour}
	c := &cobra.Command{
		Use:   "publish --to DIR",
		Short: "write a cluster's discovery document and keys for a bucket",
		Long: `Publish writes the two documents by which AWS verifies a cluster's tokens into a
folder, as a web server or bucket is to serve it at the cluster's issuer:
.well-known/openid-configuration and openid/v1/jwks. It is for clusters whose
API server AWS cannot reach. The API server must be started with that URL as its
--service-account-issuer. What is published is public: keys to verify with, none
to sign with.

It asks the cluster by kubectl, unless --discovery-file and --jwks-file name
copies of what kubectl get --raw prints for /.well-known/openid-configuration
and /openid/v1/jwks.

To rotate the cluster's signing key, publish the new public key by --next-key
before the API server signs with it, and run publish again afterwards. A key
that the cluster no longer lists stays published for --keep, because pods may
still hold tokens of it; the folder remembers since when it is gone. Run it
after each change of the keys, and then copy the folder:

  daypassctl oidc publish --to issuer
  aws s3 sync issuer s3://BUCKET --content-type application/json`,
		Example: `  daypassctl oidc publish --to issuer
  daypassctl oidc publish --to issuer --next-key sa-2.pub`,
	}
	cli.Bind(c,
		cli.Setting{Flag: "to", Arg: "DIR", Into: &o.to, Help: "folder to write into; it is made if it is not there"},
		cli.Setting{Flag: "issuer", Arg: "URL", Into: &o.issuer, Help: "refuse to publish unless this is the cluster's issuer"},
		cli.Setting{Flag: "discovery-file", Arg: "FILE", Into: &o.discoveryFile, Help: "the cluster's discovery document"},
		cli.Setting{Flag: "jwks-file", Arg: "FILE", Into: &o.keysFile, Help: "the cluster's keys"},
		cli.Setting{Flag: "keep", Arg: "DURATION", Into: &o.keep, Help: "how long keys stay that the cluster no longer lists: the longest life of its tokens"},
		cli.Setting{Flag: "kubeconfig", Arg: "FILE", Into: &o.kubeconfig, Help: "what kubectl is to use, if not its own choice"},
	)
	c.Flags().StringArrayVar(&o.nextKeys, "next-key", nil, "publish this public key (PEM `FILE`), too; may be repeated")
	c.RunE = func(c *cobra.Command, _ []string) error {
		report, err := o.publish(c.Context(), time.Now())
		if err != nil {
			return err
		}
		for _, line := range report {
			fmt.Fprintln(c.OutOrStdout(), line)
		}
		return nil
	}
	return c
}

// publish returns a line for each key and file.
func (o *oidcOptions) publish(ctx context.Context, now time.Time) ([]string, error) {
	switch {
	case o.to == "":
		return nil, cli.Usagef("name a folder", "--to is missing")
	case (o.discoveryFile == "") != (o.keysFile == ""):
		return nil, cli.Usagef("give both or none", "--discovery-file and --jwks-file belong together")
	case o.keep < 0:
		return nil, cli.Usagef("as in --keep 48h", "--keep: %s is in the past", o.keep)
	}
	about, keys, err := o.read(ctx)
	if err != nil {
		return nil, err
	}
	discovery, err := discoveryDocument(about, o.issuer)
	if err != nil {
		return nil, err
	}
	set, err := readIssuerKeys(keys)
	if err != nil {
		return nil, cli.Usagef("give what the API server answers at /openid/v1/jwks", "the cluster's keys: %w", err)
	}
	for _, file := range o.nextKeys {
		key, err := publicKey(file)
		if err != nil {
			return nil, cli.Usagef("give the public key as openssl pkey -pubout writes it", "--next-key %s: %w", file, err)
		}
		set.add(key, "next")
	}
	remembered, err := o.merge(set, now)
	if err != nil {
		return nil, err
	}
	text, err := set.text()
	if err != nil {
		return nil, err
	}
	for _, file := range []struct {
		name string
		text []byte
	}{
		// Keys come before what points to them; memory last, for without it a
		// key stays longer, and with it alone one would go too early.
		{keysPath, text},
		{discoveryPath, discovery},
		{goneFile, remembered},
	} {
		path := filepath.Join(o.to, filepath.FromSlash(file.name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, fmt.Errorf("making the folder: %w", err)
		}
		if err := atomicfile.Write(path, file.text, 0o644); err != nil {
			return nil, fmt.Errorf("publishing: %w", err)
		}
		if file.name != goneFile {
			set.report = append(set.report, "file  "+path)
		}
	}
	return set.report, nil
}

// read fetches the cluster's two documents.
func (o *oidcOptions) read(ctx context.Context) (about, keys []byte, err error) {
	if o.discoveryFile == "" {
		k := kubectl{o.kubeconfig, "install it, or give --discovery-file and --jwks-file",
			"look at the kubeconfig; reading this takes the ClusterRole system:service-account-issuer-discovery"}
		if about, err = k.run(ctx, "get", "--raw", "/"+discoveryPath); err == nil {
			keys, err = k.run(ctx, "get", "--raw", "/"+keysPath)
		}
		return about, keys, err
	}
	if about, err = readFile("the discovery document", o.discoveryFile); err == nil {
		keys, err = readFile("the cluster's keys", o.keysFile)
	}
	return about, keys, err
}
