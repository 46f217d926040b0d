package secrets

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"daypass.dev"
)

// A Principal is who reads.
type Principal struct {
	// Key names what AWS's answers depend on: role, session policy, tags. Values
	// are never shared between two keys.
	Key string
	// Account is the principal's own; empty: not known.
	Account string
	// Source gives its credentials.
	Source daypass.Source
	// Tags are the session tags that policies may compare; nil: not known.
	Tags map[string]string
}

// A Reader reads values. Its fields must not change once it is used; it is safe
// for concurrent use.
type Reader struct {
	// Endpoint is a base URL in the place of AWS's; empty: AWS's.
	Endpoint        string
	FIPS, DualStack bool
	// Client makes the calls; nil: http.DefaultClient.
	Client *http.Client
	// Keep is how old a value may be for who has it already, beside a minute for
	// all others: how long values are remembered. Zero: a minute.
	Keep time.Duration
	// Log is told what is not an error. Nil: silent.
	Log *slog.Logger
	// Observe is told of each call: the operation, nil or what went wrong, and
	// how long it took. Nil: nobody is.
	Observe func(operation string, err error, took time.Duration)

	mu      sync.Mutex
	held    map[heldKey]*held
	refused map[string]time.Time // :: principal and region → until when batches are not tried
	onward  map[string]*onward   // :: principal and role

	now func() time.Time // nil: time.Now
}

func (r *Reader) clock() time.Time {
	if r.now != nil {
		return r.now()
	}
	return time.Now()
}

const (
	// lasting is how long after AWS authorized it a value is given to others of
	// the same principal.
	lasting = time.Minute
	// patience bounds one reading, however many wait for it.
	patience = 40 * time.Second
)

type heldKey struct {
	principal, region string
	item              Item
}

// A held value is on its way, or has come.
type held struct {
	done  chan struct{}
	asked time.Time
	value Value
	err   error
}

// Read returns the values of a class's objects in their order, for region where
// the class names none. It is all or nothing. Who has the values already, and
// wants to know whether they have changed, may get ones that are as old as Keep,
// or a little less, so that not all ask at once. Errors are *Error, several
// joined; any other means that no credentials came, or that ctx was done.
func (r *Reader) Read(ctx context.Context, p Principal, c *Class, region string, again bool) ([]Value, error) {
	age := lasting
	if again && r.Keep > lasting {
		age = r.Keep - rand.N(r.Keep/5+1)
	}
	regions, err := c.regions(region)
	if err != nil {
		return nil, err
	}
	p = r.goOn(p, c, regions[0])
	wanted := make([]Item, len(c.Objects))
	for i, o := range c.Objects {
		wanted[i] = o.Item
	}
	values, errs := r.values(ctx, p, regions[0], wanted, age)
	if len(regions) == 2 {
		r.failOver(ctx, p, c, regions[1], values, errs, age)
	}
	total := 0
	for _, v := range values {
		total += len(v.Data)
	}
	if total > maxTotal || slices.ContainsFunc(errs, isCut) { // it would be remembered in vain
		r.forget(p, regions, c)
		return nil, tooLarge()
	}
	if err := join(errs); err != nil {
		return nil, err
	}
	return values, nil
}

// errCut is what was not read because there was too much beside it.
var errCut = errors.New("not read to its end")

func isCut(err error) bool { return errors.Is(err, errCut) }

// forget drops what a class has brought.
func (r *Reader) forget(p Principal, regions []string, c *Class) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, o := range c.Objects {
		for _, region := range regions {
			delete(r.held, heldKey{p.Key, region, o.Item})
			delete(r.held, heldKey{p.Key, region, o.Failover})
		}
	}
}

// failOver asks the second region for what the first had no answer to.
func (r *Reader) failOver(ctx context.Context, p Principal, c *Class, region string, values []Value, errs []error, age time.Duration) {
	var wanted []Item
	var at []int
	for i, o := range c.Objects {
		if errs[i] == nil || answered(errs[i]) {
			continue
		}
		second := o.Failover
		if second == (Item{}) {
			second = o.Item
		}
		wanted, at = append(wanted, second), append(at, i)
	}
	if len(wanted) == 0 {
		return
	}
	if r.Log != nil {
		r.Log.Warn("asking the failover region", "region", region, "objects", len(wanted), "error", errs[at[0]].Error())
	}
	more, failed := r.values(ctx, p, region, wanted, age)
	for k, i := range at {
		values[i] = more[k]
		if failed[k] != nil {
			errs[i] = errors.Join(errs[i], failed[k])
		} else {
			errs[i] = nil
		}
	}
}

// answered tells errors with which the region did its work.
func answered(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Status >= 400 && e.Status < 500 || isCut(err)
}

// regions are the one or two to ask, held against the ARNs.
func (c *Class) regions(region string) ([]string, error) {
	if c.Region != "" {
		region = c.Region
	}
	if region == "" {
		return nil, wrong("secrets-region", "", "no region is known: neither the parameter region, nor the provider's, nor the node's label topology.kubernetes.io/region names one of AWS's")
	}
	all := []string{region}
	if c.FailoverRegion != "" {
		if c.FailoverRegion == region {
			return nil, wrong("secrets-region", "", "failoverRegion is the same as the region, %s", region)
		}
		all = append(all, c.FailoverRegion)
	}
	for _, o := range c.Objects {
		second := o.Failover
		if second == (Item{}) {
			second = o.Item
		}
		for i, item := range []Item{o.Item, second}[:len(all)] {
			if at := regionOf(item.Name); at != "" && at != all[i] {
				return nil, wrong("secrets-region", o.Name, "the ARN %s is of region %s, and %s is asked: name the object there by failoverObject or by its bare name", item.Name, at, all[i])
			}
		}
	}
	return all, nil
}

// values returns for each item its value or an error. What somebody else is
// reading for the same principal is waited for, not read again.
func (r *Reader) values(ctx context.Context, p Principal, region string, wanted []Item, age time.Duration) ([]Value, []error) {
	all := make([]*held, len(wanted))
	mine := map[Item]*held{}
	r.mu.Lock()
	now := r.clock()
	r.sweep(now)
	for i, item := range wanted {
		key := heldKey{p.Key, region, item}
		h := r.held[key]
		if h == nil || mine[item] == nil && now.Sub(h.asked) >= age {
			h = &held{done: make(chan struct{}), asked: now}
			if r.held == nil {
				r.held = map[heldKey]*held{}
			}
			r.held[key], mine[item] = h, h
		}
		all[i] = h
	}
	r.mu.Unlock()
	if len(mine) > 0 {
		go r.fetch(context.WithoutCancel(ctx), p, region, mine)
	}
	values, errs := make([]Value, len(wanted)), make([]error, len(wanted))
	for i, h := range all {
		select {
		case <-h.done:
			values[i], errs[i] = h.value, h.err
		case <-ctx.Done():
			errs[i] = context.Cause(ctx)
		}
	}
	var again []Item // another class was too large, which is nothing to this one
	var at []int
	for i, h := range all {
		if isCut(errs[i]) && mine[wanted[i]] != h {
			again, at = append(again, wanted[i]), append(at, i)
		}
	}
	if len(again) > 0 {
		more, failed := r.values(ctx, p, region, again, 0)
		for k, i := range at {
			values[i], errs[i] = more[k], failed[k]
		}
	}
	return values, errs
}

// sweep drops what must not be given out any more. mu is held.
func (r *Reader) sweep(now time.Time) {
	for key, h := range r.held {
		select {
		case <-h.done:
			if h.err != nil || now.Sub(h.asked) >= max(lasting, r.Keep) {
				delete(r.held, key)
			}
		default:
		}
	}
	for key, o := range r.onward {
		if o.idle(now) {
			delete(r.onward, key)
		}
	}
	for key, until := range r.refused {
		if now.After(until) {
			delete(r.refused, key)
		}
	}
}

// fetch reads items and lets those go on that wait for them.
func (r *Reader) fetch(ctx context.Context, p Principal, region string, mine map[Item]*held) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	total := 0
	s := &session{reader: r, region: region, principal: p, done: func(i Item, v Value, err error) {
		h := mine[i]
		r.mu.Lock()
		defer r.mu.Unlock()
		select {
		case <-h.done: // the first answer counts
			return
		default:
		}
		if total += len(v.Data); total > maxTotal { // nor is the rest of any use
			v, err = Value{}, errCut
			cancel()
		}
		h.value, h.err = v, err
		close(h.done)
	}}
	items := make([]Item, 0, len(mine))
	for i := range mine {
		items = append(items, i)
	}
	s.read(ctx, items)
	for i := range mine { // whatever happens, nobody waits for ever
		s.done(i, Value{}, errUnanswered)
	}
}

var errUnanswered = errors.New("AWS left it out of its answer")

// mayBatch tells whether the principal has not been refused batches lately.
func (r *Reader) mayBatch(principal, region string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.clock().After(r.refused[principal+"\n"+region])
}

// noBatch remembers that it was refused; policies may be mended within the hour.
func (r *Reader) noBatch(principal, region string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refused == nil {
		r.refused = map[string]time.Time{}
	}
	r.refused[principal+"\n"+region] = r.clock().Add(time.Hour)
}

// join is nil if nothing went wrong. The same error of many objects counts once.
func join(errs []error) error {
	seen := map[string]bool{}
	var all []error
	for _, err := range errs {
		if err != nil && !seen[err.Error()] {
			seen[err.Error()] = true
			all = append(all, err)
		}
	}
	if len(all) == 1 {
		return all[0]
	}
	return errors.Join(all...)
}
