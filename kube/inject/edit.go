package inject

import (
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"daypass.dev/kube/identity"
)

// An Operation of a JSON patch (RFC 6902). Op is always "add".
type Operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

// An editor finds out what of an addition a pod lacks.
type editor struct {
	pod      *corev1.Pod
	addition addition
	skip     map[string]bool // containers to leave alone
	patch    []Operation
	given    []string // containers that the identity is for
	added    []string // what they got beside mounts and variables
}

func (e *editor) edit() error {
	if err := e.volumes(); err != nil {
		return err
	}
	for i := range e.pod.Spec.Containers {
		e.workload("/spec/containers/"+strconv.Itoa(i), &e.pod.Spec.Containers[i])
	}
	for i := range e.pod.Spec.InitContainers {
		e.workload("/spec/initContainers/"+strconv.Itoa(i), &e.pod.Spec.InitContainers[i])
	}
	e.containers() // last: it moves the others
	if len(e.patch) > 0 {
		e.mark()
	}
	return nil
}

func (e *editor) add(path string, value any) {
	e.patch = append(e.patch, Operation{Op: "add", Path: path, Value: value})
}

// list appends values to the list at path, which is made if it is not there.
func list[T any](e *editor, path string, length int, values []T) {
	if length == 0 && len(values) > 0 {
		e.add(path, values)
		return
	}
	for _, v := range values {
		e.add(path+"/-", v)
	}
}

func (e *editor) volumes() error {
	var missing []corev1.Volume
	for _, want := range e.addition.volumes {
		i := slices.IndexFunc(e.pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == want.Name })
		switch {
		case i < 0:
			missing = append(missing, want.Volume)
			e.added = append(e.added, "volume "+want.Name)
		case !want.same(e.pod.Spec.Volumes[i].VolumeSource):
			return refuse("name-taken", "the pod has a volume %s of another kind than %s needs", want.Name, e.addition.delivery)
		}
	}
	list(e, "/spec/volumes", len(e.pod.Spec.Volumes), missing)
	return nil
}

// workload gives a container of the pod's author mounts and variables.
func (e *editor) workload(path string, c *corev1.Container) {
	if e.skip[c.Name] || e.ours(c.Name) {
		return
	}
	e.given = append(e.given, c.Name)
	var mounts []corev1.VolumeMount
	for _, want := range e.addition.mounts {
		if !slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool {
			return m.Name == want.Name || strings.TrimRight(m.MountPath, `/\`) == want.MountPath
		}) {
			mounts = append(mounts, want)
		}
	}
	list(e, path+"/volumeMounts", len(c.VolumeMounts), mounts)
	var variables []corev1.EnvVar
	for _, g := range e.addition.variables {
		names := slices.Clone(g.unless)
		for _, v := range g.variables {
			names = append(names, v.Name)
		}
		if !slices.ContainsFunc(names, func(n string) bool { return has(c, n) }) {
			variables = append(variables, g.variables...)
		}
	}
	list(e, path+"/env", len(c.Env), variables)
}

func has(c *corev1.Container, name string) bool {
	return slices.ContainsFunc(c.Env, func(v corev1.EnvVar) bool { return v.Name == name })
}

func (e *editor) ours(name string) bool {
	return slices.ContainsFunc(e.addition.containers, func(c corev1.Container) bool { return c.Name == name })
}

// containers puts ours before all others, so that init containers have
// credentials, too.
func (e *editor) containers() {
	var missing []corev1.Container
	for _, want := range e.addition.containers {
		is := func(c corev1.Container) bool { return c.Name == want.Name }
		if !slices.ContainsFunc(e.pod.Spec.InitContainers, is) && !slices.ContainsFunc(e.pod.Spec.Containers, is) {
			missing = append(missing, want)
			e.added = append(e.added, "container "+want.Name)
		}
	}
	if len(e.pod.Spec.InitContainers) == 0 {
		list(e, "/spec/initContainers", 0, missing)
		return
	}
	for i, c := range missing {
		e.add("/spec/initContainers/"+strconv.Itoa(i), c)
	}
}

// mark tells on the pod what was done to it.
func (e *editor) mark() {
	entry(e, "/metadata/annotations", e.pod.Annotations, Injected, string(e.addition.delivery))
	if key, value, ok := strings.Cut(e.addition.label, "="); ok {
		entry(e, "/metadata/labels", e.pod.Labels, key, value)
	}
}

// entry adds to a map, which is made if it is not there.
func entry(e *editor, path string, all map[string]string, key, value string) {
	if _, ok := all[key]; ok {
		return
	}
	if len(all) == 0 {
		e.add(path, map[string]string{key: value})
		return
	}
	e.add(path+"/"+strings.NewReplacer("~", "~0", "/", "~1").Replace(key), value)
}

// skipped reads which containers the pod's author wants left alone.
func skipped(p *corev1.Pod) (map[string]bool, error) {
	all := map[string]bool{}
	for _, key := range []string{"daypass.dev/skip-containers", "eks.amazonaws.com/skip-containers"} {
		r := csv.NewReader(strings.NewReader(p.Annotations[key]))
		for {
			names, err := r.Read()
			if err == io.EOF {
				break
			}
			if err != nil {
				return nil, refuse("annotation-malformed", "annotation %s of the pod is no list of names joined by commas", key)
			}
			for _, n := range names {
				all[strings.TrimSpace(n)] = true
			}
		}
	}
	return all, nil
}

// warnings tell whoever created the pod what was added to it, and which of
// their own variables SDKs heed instead.
func (e *editor) warnings(id identity.Identity) []string {
	if len(e.patch) == 0 {
		return nil
	}
	by := id.Rule
	if id.Association != "" {
		by += " " + id.Association
	}
	all := []string{
		fmt.Sprintf("daypass: %s for containers %s (%s)", id.Role(), strings.Join(e.given, ", "), by),
		fmt.Sprintf("daypass: %s: added %s", e.addition.delivery, strings.Join(append(e.added, "variables"), ", ")),
	}
	if e.addition.note != "" {
		all = append(all, "daypass: "+e.addition.note)
	}
	for _, c := range slices.Concat(e.pod.Spec.Containers, e.pod.Spec.InitContainers) {
		for _, name := range e.addition.louder {
			if has(&c, name) && slices.Contains(e.given, c.Name) {
				all = append(all, fmt.Sprintf("daypass: container %s sets %s, which SDKs heed before what was added", c.Name, name))
			}
		}
	}
	return clip(all)
}

// The API server cuts off a warning of more than 256 bytes, and all of them
// together at 4096.
const mostWarnings, longestWarning = 10, 256

func clip(all []string) []string {
	all = all[:min(len(all), mostWarnings)]
	for i, s := range all {
		if len(s) > longestWarning {
			all[i] = strings.ToValidUTF8(s[:longestWarning-3], "") + "..."
		}
	}
	return all
}
