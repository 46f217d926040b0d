// Daypass-kube runs in a cluster and gives its pods short-lived AWS
// credentials. Each command is a program of its own, with a ServiceAccount and
// rights of its own.
package main

import (
	"io"
	"log/slog"
	"os"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/log"

	registration "k8s.io/api/admissionregistration/v1"
	apps "k8s.io/api/apps/v1"
	certificates "k8s.io/api/certificates/v1"

	"daypass.dev/internal/cli"
	"daypass.dev/kube/api/v1alpha1"
)

func main() { os.Exit(cli.Main(root())) }

func root() *cobra.Command {
	c := &cobra.Command{
		Use:   "daypass-kube",
		Short: "short-lived AWS credentials for the pods of a cluster",
		Long: `Daypass-kube runs in a cluster. Each of its commands is a program of its own,
with a ServiceAccount and rights of its own.`,
	}
	c.AddCommand(webhook(), detector(), signer(), privateCAIssuer(), node())
	return c
}

// scheme knows the objects that these programs read and write.
func scheme() *runtime.Scheme {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		corev1.AddToScheme, registration.AddToScheme, v1alpha1.AddToScheme, apps.AddToScheme, certificates.AddToScheme,
	} {
		utilruntime.Must(add(s)) // of our own tables: the first test would find it
	}
	return s
}

// A program is what those that run for long have alike.
type program struct{ health, kubeconfig, format string }

func newProgram() program { return program{health: ":9912", format: "text"} }

func (p *program) table() []cli.Setting {
	return []cli.Setting{
		{Flag: "health-listen", Arg: "HOST:PORT", Into: &p.health, Help: "answer /healthz, /readyz and /metrics there"},
		kubeconfigSetting(&p.kubeconfig),
		{Flag: "log-format", Arg: "text|json", Into: &p.format, Help: "format of the log"},
	}
}

// begin makes the log, in which controller-runtime writes, too, and finds the
// API server. Errors are of wrong usage.
func (p *program) begin(stderr io.Writer) (*slog.Logger, *rest.Config, error) {
	l, err := logger(p.format, stderr)
	if err != nil {
		return nil, nil, err
	}
	config, err := connect(p.kubeconfig)
	if err != nil {
		return nil, nil, err
	}
	log.SetLogger(logr.FromSlogHandler(l.Handler()))
	return l, config, nil
}

func kubeconfigSetting(into *string) cli.Setting {
	return cli.Setting{Flag: "kubeconfig", Arg: "FILE", Into: into, Help: "file that says how to reach the cluster, if this does not run in it"}
}

// connect finds the API server: by kubeconfig, else as pods do.
func connect(kubeconfig string) (*rest.Config, error) {
	c, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, cli.Usagef("give --kubeconfig (or DAYPASS_KUBECONFIG) where this does not run in a pod", "reaching the cluster: %w", err)
	}
	c.UserAgent = "daypass-kube"
	c.QPS = -1 // the API server's own fairness is the limit
	return c, nil
}

func logger(format string, w io.Writer) (*slog.Logger, error) {
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(w, nil)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, nil)), nil
	}
	return nil, cli.Usagef("give text or json", "--log-format: %.40q is no format", format)
}
