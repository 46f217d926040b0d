package identity

import "fmt"

// A Refusal says why a pod gets no identity although something gave it one.
type Refusal struct {
	// Slug names the reason in the catalogue.
	Slug string
	// Detail says what is wrong here: names and values, none of them secret.
	Detail string
}

func (r *Refusal) Error() string { return r.Detail }

func refuse(slug, format string, args ...any) error {
	return &Refusal{Slug: slug, Detail: fmt.Sprintf(format, args...)}
}
