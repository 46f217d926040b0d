package kubetest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// kept is how many failures' folders stay; older ones go.
const kept = 20

// collect writes all that can be known about the namespace into a new folder:
// objects, events, logs of every container (also of the one before), logs of
// the sandbox with its decisions, and of the nodes' programs.
func (n *Namespace) collect() {
	all := filepath.Join(filepath.Dir(n.Cluster.Cache), "failures")
	dir := filepath.Join(all, time.Now().UTC().Format("20060102-150405")+"-"+n.Name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		n.t.Logf("cannot keep what happened: %v", err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // t.Context is over by now
	defer cancel()
	w := witness{n: n, dir: dir, ctx: ctx}
	w.ask("objects.yaml", "get", "pods,services,serviceaccounts,configmaps,deployments,daemonsets,jobs", "--output=yaml")
	w.ask("pods.txt", "describe", "pods")
	w.ask("events.txt", "get", "events", "--sort-by=.lastTimestamp")
	w.ask("nodes.txt", "describe", "nodes")
	w.pods(n.Name)
	w.pods(SandboxNamespace)
	w.ask("decisions.json", "--namespace="+SandboxNamespace, "exec", "deployment/sandbox", "--", "cat", decisions)
	for _, log := range n.Cluster.Logs() {
		w.copy(log)
	}
	n.t.Logf("what happened is in %s", dir)
	prune(all)
}

// A witness writes what it is told; that something cannot be had is told in
// its place.
type witness struct {
	n   *Namespace
	dir string
	ctx context.Context
}

func (w witness) ask(file string, args ...string) {
	out, err := w.n.Cluster.Kubectl(w.ctx, nil, append([]string{"--namespace=" + w.n.Name}, args...)...)
	if err != nil {
		out += "\n" + err.Error() + "\n"
	}
	w.write(file, out)
}

// pods writes the logs of all containers of a namespace.
func (w witness) pods(namespace string) {
	const path = `{range .items[*]}{.metadata.name}{range .spec['initContainers','containers'][*]}{" "}{.name}{end}{"\n"}{end}`
	out, err := w.n.Cluster.Kubectl(w.ctx, nil, "--namespace="+namespace, "get", "pods", "--output=jsonpath="+path)
	if err != nil {
		w.write("logs-of-"+namespace+".txt", err.Error())
		return
	}
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		for _, container := range fields[1:] {
			file := fmt.Sprintf("%s.%s.%s", namespace, fields[0], container)
			w.ask(file+".log", "--namespace="+namespace, "logs", fields[0], "--container="+container)
			w.ask(file+".previous.log", "--namespace="+namespace, "logs", fields[0], "--container="+container, "--previous")
		}
	}
}

func (w witness) copy(log string) {
	text, err := os.ReadFile(log)
	if err != nil {
		text = []byte(err.Error())
	}
	const most = 1 << 20
	text = text[max(0, len(text)-most):]
	w.write(filepath.Base(filepath.Dir(filepath.Dir(log)))+"-"+filepath.Base(log), string(text))
}

func (w witness) write(file, text string) {
	if err := os.WriteFile(filepath.Join(w.dir, file), []byte(text), 0o644); err != nil {
		w.n.t.Log(err)
	}
}

// prune removes the oldest folders; their names begin with their times.
func prune(all string) {
	entries, err := os.ReadDir(all)
	if err != nil || len(entries) <= kept {
		return
	}
	slices.SortFunc(entries, func(a, b os.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	for _, e := range entries[:len(entries)-kept] {
		os.RemoveAll(filepath.Join(all, e.Name()))
	}
}
