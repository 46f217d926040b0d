// Command cert-manager is cert-manager's controller, or its cainjector if it is
// called by that name, put together from the public packages of its root module:
// its own mains are modules that no proxy serves. It has the CA and self-signed
// issuers, external issuers, approval and everything that keeps Certificates; it
// lacks ACME, Vault and Venafi, and with them the SDKs of several clouds, and
// leader election. It takes the flags that cert-manager's chart gives, and
// follows --cluster-resource-namespace and --controllers.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/cert-manager/cert-manager/pkg/controller"
	"github.com/cert-manager/cert-manager/pkg/controller/cainjector"
	"github.com/go-logr/logr"
	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/klog/v2"
	apiregistration "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/approver"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/ca"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/selfsigned"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/issuing"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/keymanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/metrics"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/readiness"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/requestmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/revisionmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/trigger"
	_ "github.com/cert-manager/cert-manager/pkg/controller/clusterissuers"
	_ "github.com/cert-manager/cert-manager/pkg/controller/issuers"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/ca"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/selfsigned"
)

func main() {
	flags := pflag.NewFlagSet("cert-manager", pflag.ExitOnError)
	flags.ParseErrorsAllowlist.UnknownFlags = true
	namespace := flags.String("cluster-resource-namespace", "cert-manager", "where ClusterIssuers' Secrets lie")
	controllers := flags.StringSlice("controllers", nil, "-NAME leaves a controller out")
	if err := flags.Parse(os.Args[1:]); err != nil {
		klog.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	ctx = logr.NewContext(ctx, klog.Background())
	ctrl.SetLogger(klog.Background())
	factory, err := controller.NewContextFactory(ctx, controller.ContextOptions{
		KubernetesAPIQPS: 100, KubernetesAPIBurst: 200,
		IssuerOptions: controller.IssuerOptions{ClusterResourceNamespace: *namespace},
		CertificateOptions: controller.CertificateOptions{
			CertificateRequestMinimumBackoffDuration: time.Second, // an hour in earnest; tests cannot wait
			CertificateRequestMaximumBackoffDuration: time.Minute,
		},
	})
	if err != nil {
		klog.Fatal(err)
	}
	run := runControllers
	if filepath.Base(os.Args[0]) == "cainjector" {
		run = runInjector
	}
	if err := run(ctx, factory, *controllers); err != nil && ctx.Err() == nil {
		klog.Fatal(err)
	}
}

func runControllers(ctx context.Context, factory *controller.ContextFactory, names []string) error {
	group, ctx := errgroup.WithContext(ctx)
	for name, construct := range controller.Known() {
		if slices.Contains(names, "-"+name) {
			continue
		}
		c, err := construct(factory)
		if err != nil {
			return fmt.Errorf("making controller %s: %w", name, err)
		}
		group.Go(func() error { return c.Run(2, ctx) })
	}
	c, err := factory.Build()
	if err != nil {
		return err
	}
	c.SharedInformerFactory.Start(ctx.Done())
	c.KubeSharedInformerFactory.Start(ctx.Done())
	c.HTTP01ResourceMetadataInformersFactory.Start(ctx.Done())
	return group.Wait()
}

func runInjector(ctx context.Context, factory *controller.ContextFactory, _ []string) error {
	c, err := factory.Build()
	if err != nil {
		return err
	}
	if err := errors.Join(apiregistration.AddToScheme(c.Scheme), apiextensions.AddToScheme(c.Scheme)); err != nil {
		return err
	}
	manager, err := ctrl.NewManager(c.RESTConfig, ctrl.Options{
		Scheme: c.Scheme, Metrics: server.Options{BindAddress: "0"},
		// As cert-manager's own main has it: a cached Secret may be older than
		// the event that tells of it.
		Client: client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}}}},
	})
	if err != nil {
		return err
	}
	err = cainjector.RegisterAllInjectors(ctx, manager, cainjector.SetupOptions{
		EnableCertificatesDataSource: true,
		EnabledReconcilersFor: map[string]bool{
			cainjector.MutatingWebhookConfigurationName:   true,
			cainjector.ValidatingWebhookConfigurationName: true,
			cainjector.APIServiceName:                     true,
			cainjector.CustomResourceDefinitionName:       true,
		},
	})
	if err != nil {
		return err
	}
	return manager.Start(ctx)
}
