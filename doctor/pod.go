package doctor

// A Pod is what a cluster tells about a pod. Its checks come first: where no
// identity reached the pod, AWS was never asked.
type Pod struct {
	Namespace, Name string
	// Checks were made by who knows the cluster.
	Checks []Check
}

func (d *diagnosis) pod() {
	if d.Pod == nil {
		return
	}
	for _, c := range d.Pod.Checks {
		d.add(c)
	}
}
