package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"
	registration "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"daypass.dev/internal/cli"
	"daypass.dev/kube/inject"
)

type installFlags struct {
	kubeconfig, namespace, service, secret string
	rotate                                 bool
}

func install() *cobra.Command {
	f := &installFlags{service: "daypass-webhook", secret: "daypass-webhook-authority"}
	c := &cobra.Command{
		Use:   "install",
		Short: "make the webhook's authority, and let the API server ask it",
		Long: `Install writes the webhook configuration and the Secret with the authority by
which the webhook makes its certificates. Run it at every installation and
upgrade, with rights that no running program keeps: get, create and update of
this one Secret and of the mutatingwebhookconfiguration daypass.

It keeps an authority that has more than a year left. With --rotate it makes a
new one all the same: the API server trusts both at first, so that no review
fails, and needs no restart.`,
		Args: cobra.NoArgs,
	}
	cli.Bind(c,
		cli.Setting{Flag: "namespace", Arg: "NAME", Into: &f.namespace, Help: "namespace of the webhook"},
		cli.Setting{Flag: "service", Arg: "NAME", Into: &f.service, Help: "its Service"},
		cli.Setting{Flag: "secret", Arg: "NAME", Into: &f.secret, Help: "the Secret for its authority"},
		cli.Setting{Flag: "rotate", Into: &f.rotate, Help: "make a new authority though the old one would last"},
		kubeconfigSetting(&f.kubeconfig))
	c.RunE = func(c *cobra.Command, _ []string) error {
		to, err := f.client()
		if err != nil {
			return err
		}
		i := installer{to: to, registration: inject.Registration{Namespace: f.namespace, Service: f.service}, secret: f.secret, settle: settle}
		return i.install(c.Context(), f.rotate, time.Now(), c.OutOrStdout())
	}
	return c
}

func uninstall() *cobra.Command {
	f := &installFlags{secret: "daypass-webhook-authority"}
	c := &cobra.Command{
		Use:   "uninstall",
		Short: "let the API server ask the webhook no more",
		Long: `Uninstall deletes what webhook install has written. Run it before the webhook
goes, else labelled pods wait for it for ever. Pods that run are left alone. It
needs delete of this one Secret and of the mutatingwebhookconfiguration daypass.`,
		Args: cobra.NoArgs,
	}
	cli.Bind(c,
		cli.Setting{Flag: "namespace", Arg: "NAME", Into: &f.namespace, Help: "namespace of the webhook"},
		cli.Setting{Flag: "secret", Arg: "NAME", Into: &f.secret, Help: "the Secret with its authority"},
		kubeconfigSetting(&f.kubeconfig))
	c.RunE = func(c *cobra.Command, _ []string) error {
		to, err := f.client()
		if err != nil {
			return err
		}
		for _, o := range []client.Object{
			inject.Configuration(inject.Registration{Namespace: f.namespace}),
			&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: f.namespace, Name: f.secret}},
		} {
			if err := to.Delete(c.Context(), o); client.IgnoreNotFound(err) != nil {
				return fmt.Errorf("deleting %T %s: %w", o, o.GetName(), err)
			}
		}
		return nil
	}
	return c
}

// client checks what both need.
func (f *installFlags) client() (client.Client, error) {
	if f.namespace == "" {
		return nil, cli.Usagef("give --namespace (or DAYPASS_NAMESPACE)", "--namespace is missing")
	}
	config, err := connect(f.kubeconfig)
	if err != nil {
		return nil, err
	}
	to, err := client.New(config, client.Options{Scheme: scheme()})
	if err != nil {
		return nil, fmt.Errorf("reaching the cluster: %w", err)
	}
	return to, nil
}

const (
	authorityKey = "authority.pem"
	// settle is time for all API servers to see what they trust.
	settle = 5 * time.Second
	// lasting authorities are kept.
	lasting = 365 * 24 * time.Hour
)

type installer struct {
	to           client.Client
	registration inject.Registration
	secret       string
	settle       time.Duration
}

// install brings configuration and Secret to where they belong, from wherever
// they are: also where another install was cut off. Whatever the Secret holds
// meanwhile, the API server trusts it.
func (i installer) install(ctx context.Context, rotate bool, now time.Time, stdout io.Writer) error {
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: i.registration.Namespace, Name: i.secret}}
	err := i.to.Get(ctx, client.ObjectKeyFromObject(secret), secret)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("reading Secret %s: %w", i.secret, err)
	}
	there := err == nil
	old, err := inject.ParseAuthority(secret.Data[authorityKey])
	usable := err == nil && slices.Contains(old.Certificate.PermittedDNSDomains, i.registration.Name())
	if usable && !rotate && old.Certificate.NotAfter.Sub(now) > lasting {
		// A replica may not have seen the Secret of a moment ago: what is trusted
		// beside it stays trusted.
		if err := i.register(ctx, func(before []byte) []byte { return old.Trust(before, now) }); err != nil {
			return err
		}
		return say(stdout, "kept", old)
	}
	next, err := inject.NewAuthority([]string{i.registration.Name()}, now)
	if err != nil {
		return err
	}
	var before []byte
	if usable {
		before = old.Trust(nil, now)
	}
	if err := i.register(ctx, func([]byte) []byte { return next.Trust(before, now) }); err != nil {
		return err
	}
	if usable {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(i.settle):
		}
	}
	text, err := next.PEM()
	if err != nil {
		return err
	}
	secret.Data = map[string][]byte{authorityKey: text}
	if there {
		err = i.to.Update(ctx, secret)
	} else {
		err = i.to.Create(ctx, secret)
	}
	if err != nil {
		return fmt.Errorf("writing Secret %s: %w", i.secret, err)
	}
	return say(stdout, "made", next)
}

func say(stdout io.Writer, done string, a inject.Authority) error {
	_, err := fmt.Fprintf(stdout, "%s authority until %s\n", done, a.Certificate.NotAfter.UTC().Format(time.DateOnly))
	return err
}

// register writes the configuration, with what the API server is to trust made
// of what it trusted before. Labels and annotations of others stay.
func (i installer) register(ctx context.Context, trust func(before []byte) []byte) error {
	is := &registration.MutatingWebhookConfiguration{}
	want := inject.Configuration(i.registration)
	err := i.to.Get(ctx, client.ObjectKeyFromObject(want), is)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("reading the webhook configuration: %w", err)
	}
	there := err == nil
	var before []byte
	if len(is.Webhooks) > 0 {
		before = is.Webhooks[0].ClientConfig.CABundle
	}
	i.registration.CABundle = trust(before)
	want = inject.Configuration(i.registration)
	if there {
		is.Webhooks = want.Webhooks
		err = i.to.Update(ctx, is)
	} else {
		err = i.to.Create(ctx, want)
	}
	if err != nil {
		return fmt.Errorf("writing the webhook configuration: %w", err)
	}
	return nil
}
