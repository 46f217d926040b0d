package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"daypass.dev/internal/cli"
	"daypass.dev/sandbox/world"
)

// pods asks the API server of the cluster that this process runs in who a pod
// is. It needs the rights to list pods and to get ServiceAccounts.
type pods struct {
	api, dir string // dir holds the token and the CA of the process's own ServiceAccount
	client   *http.Client
}

const (
	// awaitPod is how long a pod may call before the API server knows its address.
	awaitPod = 5 * time.Second
	// maxAPI bounds an answer of the API server.
	maxAPI = 4 << 20
)

func clusterPods(dir string) (*pods, error) {
	host, port := os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT")
	if host == "" || port == "" {
		return nil, cli.Usagef("leave it out, or run the sandbox in a pod", "--gke: this process runs in no Kubernetes cluster")
	}
	ca, err := os.ReadFile(filepath.Join(dir, "ca.crt"))
	if err != nil {
		return nil, cli.Usagef("let the pod have its ServiceAccount's token", "--gke: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	return &pods{
		api: "https://" + net.JoinHostPort(host, port), dir: dir,
		client: &http.Client{Transport: transport, Timeout: awaitPod},
	}, nil
}

// of finds the pod that has an address now and what its ServiceAccount says.
func (p *pods) of(ctx context.Context, ip string) (world.GooglePod, error) {
	ctx, stop := context.WithTimeout(ctx, awaitPod)
	defer stop()
	for {
		pod, err := p.find(ctx, ip)
		if err != nil || pod.ServiceAccount != "" {
			return pod, err
		}
		select {
		case <-ctx.Done():
			return pod, errors.New("no running pod has this address")
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func (p *pods) find(ctx context.Context, ip string) (world.GooglePod, error) {
	var list struct {
		Items []struct {
			Metadata struct{ Namespace string }
			Spec     struct {
				ServiceAccountName string
				HostNetwork        bool
			}
			Status struct{ Phase string }
		}
	}
	err := p.get(ctx, "/api/v1/pods?"+url.Values{"fieldSelector": {"status.podIP=" + ip}}.Encode(), &list)
	if err != nil {
		return world.GooglePod{}, err
	}
	for _, i := range list.Items {
		if i.Spec.HostNetwork || i.Status.Phase != "Pending" && i.Status.Phase != "Running" {
			continue // its address is the node's, or another pod's by now
		}
		var account struct {
			Metadata struct{ Annotations map[string]string }
		}
		name := i.Spec.ServiceAccountName
		err := p.get(ctx, "/api/v1/namespaces/"+url.PathEscape(i.Metadata.Namespace)+"/serviceaccounts/"+url.PathEscape(name), &account)
		return world.GooglePod{
			Namespace: i.Metadata.Namespace, ServiceAccount: name, Account: account.Metadata.Annotations["iam.gke.io/gcp-service-account"],
		}, err
	}
	return world.GooglePod{}, nil
}

func (p *pods) get(ctx context.Context, path string, into any) error {
	token, err := os.ReadFile(filepath.Join(p.dir, "token"))
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.api+path, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	answer, err := p.client.Do(r)
	if err != nil {
		return fmt.Errorf("asking the API server: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("asking the API server: %s", answer.Status)
	}
	return json.NewDecoder(io.LimitReader(answer.Body, maxAPI)).Decode(into)
}
