package page

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

// perPage is how many entries a page shows.
const perPage = 50

// A Choice is what the reader chose: filters, which page of what is left, and
// whether to follow what happens.
type Choice struct {
	path string
	of   map[string]string
	page int
	// Live says that the browser asks again and again.
	Live bool
}

// Choose reads a request for the page at path, whose form has these filters.
func Choose(r *http.Request, path string, filters ...string) Choice {
	q := r.URL.Query()
	c := Choice{path: path, of: map[string]string{}, Live: q.Get("live") == "on"}
	for _, name := range filters {
		c.of[name] = q.Get(name)
	}
	c.page, _ = strconv.Atoi(q.Get("page")) // else the first
	return c
}

// Of is what was chosen of a filter; empty: all.
func (c Choice) Of(filter string) string { return c.of[filter] }

// Any tells whether a filter is set.
func (c Choice) Any() bool {
	for _, value := range c.of {
		if value != "" {
			return true
		}
	}
	return false
}

// Toggle is the link that turns following on or off.
func (c Choice) Toggle() string {
	c.page, c.Live = 0, !c.Live
	return c.link()
}

func (c Choice) link() string {
	to := url.Values{}
	for name, value := range c.of {
		if value != "" {
			to.Set(name, value)
		}
	}
	if c.Live {
		to.Set("live", "on")
	}
	if c.page > 0 {
		to.Set("page", strconv.Itoa(c.page))
	}
	return c.path + "?" + to.Encode()
}

// A Part is one page's share of many entries, From to To, with links to those
// before and after; empty: there are none.
type Part struct {
	From, To       int
	Before, Behind string
}

// Part is what of n entries is to be shown.
func (c Choice) Part(n int) Part {
	if c.page < 0 || c.page > (n-1)/perPage {
		c.page = 0
	}
	p := Part{From: c.page * perPage, To: min(n, (c.page+1)*perPage)}
	page := func(n int) string {
		other := c
		other.page = n
		return other.link()
	}
	if c.page > 0 {
		p.Before = page(c.page - 1)
	}
	if p.To < n {
		p.Behind = page(c.page + 1)
	}
	return p
}

// Follow has the browser come back after so many seconds, if the reader wants
// that.
func (c Choice) Follow(w http.ResponseWriter, seconds int) {
	if c.Live {
		w.Header().Set("Refresh", strconv.Itoa(seconds))
	}
}

// Sorted are the keys of a map, as choices of a form.
func Sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
