package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"daypass.dev/deliver"
	"daypass.dev/internal/cli"
	"daypass.dev/kube/inject"
)

type webhookFlags struct {
	program
	listen, authority string
	settings          settings
}

func webhook() *cobra.Command {
	f := &webhookFlags{program: newProgram(), listen: ":10250", authority: "/var/run/daypass/authority.pem"}
	c := &cobra.Command{
		Use:   "webhook",
		Short: "give new pods what they need to use their identity",
		Long: `Webhook answers the API server's reviews of new pods. A pod whose ServiceAccount
has a role, by annotation or PodIdentityAssociation, is given the volumes,
variables and containers with which its SDKs get credentials.

It serves with certificates that it makes by the authority that webhook install
has put into a Secret. It needs no right on Secrets or on webhook
configurations: get, list and watch of serviceaccounts and of
podidentityassociations, and create of events.`,
		Example: `  daypass-kube webhook --cluster-name prod --method web-identity --region eu-west-1
  daypass-kube webhook install --namespace daypass`,
		Args: cobra.NoArgs,
	}
	cli.Bind(c, slices.Concat([]cli.Setting{
		{Flag: "listen", Arg: "HOST:PORT", Into: &f.listen, Help: "where the API server calls; private GKE clusters allow 10250"},
		{Flag: "authority", Arg: "FILE", Into: &f.authority, Help: "PEM file with the authority's certificate and key"},
	}, f.program.table(), f.settings.table())...)
	c.RunE = func(c *cobra.Command, _ []string) error { return runWebhook(c.Context(), f, c.ErrOrStderr()) }
	c.AddCommand(install(), uninstall())
	return c
}

func runWebhook(ctx context.Context, f *webhookFlags, stderr io.Writer) error {
	s, err := f.settings.read()
	if err != nil {
		return err
	}
	l, config, err := f.begin(stderr)
	if err != nil {
		return err
	}
	dir, err := newDirectory(config)
	if err != nil {
		return err
	}
	hook := &inject.Webhook{Settings: s, Directory: dir, Log: l, Refused: newEvents(ctx, "webhook", dir.live, l).refused}
	certificates := &inject.Serving{File: f.authority, Log: l}

	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	go func() { stop(dir.run(ctx)) }()
	mux := http.NewServeMux()
	mux.Handle("/mutate", hook)
	health := &deliver.Health{
		Ready: func(ctx context.Context) error {
			if _, err := certificates.GetCertificate(nil); err != nil {
				return err
			}
			return dir.ready(ctx)
		},
		Metrics: func() []deliver.Metric { return webhookMetrics(hook, certificates) },
	}
	plain, err := net.Listen("tcp", f.health)
	if err != nil {
		return fmt.Errorf("listening for health checks: %w", err)
	}
	open, err := net.Listen("tcp", f.listen)
	if err != nil {
		_ = plain.Close()
		return fmt.Errorf("listening: %w", err)
	}
	l.Info("answering reviews", "address", open.Addr().String(), "health", plain.Addr().String())
	secure := tls.NewListener(open, &tls.Config{
		MinVersion: tls.VersionTLS12, GetCertificate: certificates.GetCertificate, NextProtos: []string{"http/1.1"},
	})
	return serveBoth(ctx, deliver.Server(mux, l), secure, deliver.Server(health, l), plain)
}

// leave is how long reviews that are under way may take when the process is
// asked to end.
const leave = 10 * time.Second

func serveBoth(ctx context.Context, hook *http.Server, secure net.Listener, health *http.Server, plain net.Listener) error {
	failed := make(chan error, 2)
	go func() { failed <- hook.Serve(secure) }()
	go func() { failed <- health.Serve(plain) }()
	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
		if err = context.Cause(ctx); errors.Is(err, context.Canceled) {
			err = nil
		}
	}
	end, cancel := context.WithTimeout(context.Background(), leave)
	defer cancel()
	return errors.Join(err, hook.Shutdown(end), health.Shutdown(end))
}

func webhookMetrics(h *inject.Webhook, s *inject.Serving) []deliver.Metric {
	var all []deliver.Metric
	for _, m := range []struct {
		outcome    int
		name, help string
	}{
		{inject.Given, "given", "Reviews of pods that were given something."},
		{inject.Nothing, "unchanged", "Reviews of pods that there was nothing to give."},
		{inject.Denied, "denied", "Reviews of pods that were denied."},
		{inject.Failed, "failed", "Reviews that got no answer."},
	} {
		all = append(all, deliver.Metric{Name: "daypass_reviews_" + m.name + "_total", Help: m.help, Counter: true, Value: float64(h.Count(m.outcome))})
	}
	if certificate, authority, ok := s.Ends(); ok {
		all = append(all,
			deliver.Metric{Name: "daypass_webhook_certificate_end_timestamp_seconds", Help: "When the certificate that this replica serves with ends.", Value: float64(certificate.Unix())},
			deliver.Metric{Name: "daypass_webhook_authority_end_timestamp_seconds", Help: "When the authority that makes it ends.", Value: float64(authority.Unix())})
	}
	return all
}
