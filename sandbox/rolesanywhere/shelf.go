package rolesanywhere

import (
	"encoding/base64"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"daypass.dev/sandbox/wire"
	"daypass.dev/sandbox/world"
)

// A shelf is one kind of thing in an account, and how it is shown.
type shelf[T any] struct {
	kind         string // in its ARN
	member, list string // in answers
	of           func(*world.Account) map[string]*T
	about        func(*T) about
	show         func(*T) any
	brief        func(*T) any // in lists
}

// about is what all kinds have.
type about struct {
	region, id string
	created    time.Time
	tags       map[string]string
}

// enter authorizes an operation on the thing whose id is in the path, and
// checks the id. Whether there is such a thing is not said before.
func (s shelf[T]) enter(q *request) error {
	if err := q.allowed(q.arnOf(s.kind, q.id), s.tags(q, q.id), nil); err != nil {
		return err
	}
	return q.checkID()
}

// change changes the thing under the world's lock and answers how it is then.
// A change that is refused must not have begun.
func (s shelf[T]) change(q *request, change func(*world.Account, *T) error) error {
	shown, err := s.changed(q, change)
	if err != nil {
		return err
	}
	return s.answer(q, http.StatusOK, shown)
}

func (s shelf[T]) changed(q *request, change func(*world.Account, *T) error) (any, error) {
	q.World.Lock()
	defer q.World.Unlock()
	thing := s.find(q, q.id)
	if thing == nil {
		return nil, missing(q.arnOf(s.kind, q.id))
	}
	if err := change(q.account(), thing); err != nil {
		return nil, err
	}
	q.Changed(world.Thing{Kind: s.kind, Account: q.account().ID, Name: q.id})
	return s.show(thing), nil
}

// get answers the thing as it is.
func (s shelf[T]) get(q *request) error {
	if err := s.enter(q); err != nil {
		return err
	}
	shown := func() any {
		q.World.RLock()
		defer q.World.RUnlock()
		if thing := s.find(q, q.id); thing != nil {
			return s.show(thing)
		}
		return nil
	}()
	if shown == nil {
		return missing(q.arnOf(s.kind, q.id))
	}
	return s.answer(q, http.StatusOK, shown)
}

// one is enter and change for operations with nothing to check between.
func (s shelf[T]) one(q *request, change func(*world.Account, *T)) error {
	if err := s.enter(q); err != nil {
		return err
	}
	return s.change(q, func(a *world.Account, thing *T) error {
		change(a, thing)
		return nil
	})
}

// find needs the world's lock; nil if there is no such thing in this region.
func (s shelf[T]) find(q *request, id string) *T {
	account := q.account()
	if account == nil {
		return nil
	}
	thing := s.of(account)[id]
	if thing == nil || s.about(thing).region != q.Region {
		return nil
	}
	return thing
}

func (s shelf[T]) tags(q *request, id string) map[string]string {
	q.World.RLock()
	defer q.World.RUnlock()
	if thing := s.find(q, id); thing != nil {
		return maps.Clone(s.about(thing).tags)
	}
	return nil
}

// add puts a new thing on the shelf, if there is room, and answers it. A nil
// room has no bounds.
func (s shelf[T]) add(q *request, thing *T, room func(*world.Account) error) error {
	shown, err := s.put(q, thing, room)
	if err != nil {
		return err
	}
	return s.answer(q, http.StatusCreated, shown)
}

func (s shelf[T]) put(q *request, thing *T, room func(*world.Account) error) (any, error) {
	q.World.Lock()
	defer q.World.Unlock()
	if room != nil {
		if err := room(q.account()); err != nil {
			return nil, err
		}
	}
	s.of(q.account())[s.about(thing).id] = thing
	q.Changed(world.Thing{Kind: s.kind, Account: q.account().ID, Name: s.about(thing).id})
	return s.show(thing), nil
}

func (s shelf[T]) answer(q *request, status int, shown any) error {
	return wire.JSON(q.w, status, map[string]any{s.member: shown})
}

// all answers a page of the caller's things in this region, the oldest first.
func (s shelf[T]) all(q *request) error {
	if err := q.allowed(q.arnOf(s.kind, "*"), nil, nil); err != nil {
		return err
	}
	page, next, err := s.page(q)
	if err != nil {
		return err
	}
	answer := map[string]any{s.list: page}
	if next != "" {
		answer["nextToken"] = next
	}
	return wire.JSON(q.w, http.StatusOK, answer)
}

func (s shelf[T]) order(thing *T) string {
	a := s.about(thing)
	return a.created.UTC().Format("20060102150405.000000000") + a.id
}

// page cuts the page out that nextToken and pageSize ask for. A token holds
// the place of the last thing shown.
func (s shelf[T]) page(q *request) (page []any, next string, err error) {
	q.World.RLock()
	defer q.World.RUnlock()
	var things []*T
	for _, thing := range s.of(q.account()) {
		if s.about(thing).region == q.Region {
			things = append(things, thing)
		}
	}
	slices.SortFunc(things, func(a, b *T) int { return strings.Compare(s.order(a), s.order(b)) })
	query := q.r.URL.Query()
	after, err := base64.RawURLEncoding.DecodeString(query.Get("nextToken"))
	if err != nil {
		return nil, "", faultf("anywhere-parameter", "nextToken is not one that was given out")
	}
	size := len(things)
	if text := query.Get("pageSize"); text != "" {
		if size, err = strconv.Atoi(text); err != nil || size < 1 {
			return nil, "", faultf("anywhere-parameter", "pageSize is %q", text)
		}
	}
	page = []any{}
	for _, thing := range things {
		if s.order(thing) <= string(after) {
			continue
		}
		if len(page) == size {
			return page, next, nil
		}
		page = append(page, s.brief(thing))
		next = base64.RawURLEncoding.EncodeToString([]byte(s.order(thing)))
	}
	return page, "", nil
}
