package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"daypass.dev/sandbox/world"
)

// TestPodsAreFoundByTheirAddresses has a server in the place of the API
// server: pods that have ended, and those on the node's network, do not count.
func TestPodsAreFoundByTheirAddresses(t *testing.T) {
	type object = map[string]any
	pod := func(name, phase string, host bool) object {
		return object{
			"metadata": object{"namespace": "shop", "name": name}, "status": object{"phase": phase},
			"spec": object{"serviceAccountName": name, "hostNetwork": host},
		}
	}
	running := map[string][]object{
		"status.podIP=10.0.0.1": {pod("old", "Succeeded", false), pod("node", "Running", true), pod("web", "Pending", false)},
		"status.podIP=10.0.0.3": {pod("gone", "Running", false)},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/pods", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer of-the-sandbox" {
			t.Errorf("the API server is shown %q", r.Header.Get("Authorization"))
		}
		_ = json.NewEncoder(w).Encode(object{"items": running[r.URL.Query().Get("fieldSelector")]})
	})
	mux.HandleFunc("GET /api/v1/namespaces/shop/serviceaccounts/web", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(object{"metadata": object{"annotations": object{"iam.gke.io/gcp-service-account": "a@b"}}})
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "token"), []byte("of-the-sandbox\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cluster := &pods{api: server.URL, dir: dir, client: server.Client()}
	got, err := cluster.of(t.Context(), "10.0.0.1")
	if want := (world.GooglePod{Namespace: "shop", ServiceAccount: "web", Account: "a@b"}); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := cluster.find(t.Context(), "10.0.0.2"); err != nil || got.ServiceAccount != "" {
		t.Errorf("nobody's address: %+v, %v", got, err)
	}
	if _, err := cluster.of(t.Context(), "10.0.0.3"); err == nil {
		t.Error("a ServiceAccount that is not there")
	}
}
