package orderset

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"hongbao/envelope"
)

// Registry maps the numbers of SETs to what a process keeps of each, while SETs are
// added, replaced and removed. A value is replaced as a whole; readers load one
// pointer, take no lock, and may use what they got for as long as they need it. The
// zero Registry is empty.
type Registry[T any] struct {
	changing sync.Mutex // one change at a time
	current  atomic.Pointer[roster[T]]
}

// roster is a registry at one time. It does not change.
type roster[T any] struct {
	bySet map[envelope.SetNumber]T
	all   []T // in the order in which their numbers came
	order []envelope.SetNumber
}

func (r *Registry[T]) roster() *roster[T] {
	if now := r.current.Load(); now != nil {
		return now
	}
	return &roster[T]{}
}

// Get is what there is of a SET.
func (r *Registry[T]) Get(n envelope.SetNumber) (T, bool) {
	v, there := r.roster().bySet[n]
	return v, there
}

// All is what there is of all SETs, in the order in which they were added. It must
// not be changed.
func (r *Registry[T]) All() []T { return r.roster().all }

// Put adds a SET, or replaces what there was of it and returns that.
func (r *Registry[T]) Put(n envelope.SetNumber, v T) (old T, replaced bool) {
	r.changing.Lock()
	defer r.changing.Unlock()
	now := r.roster()
	old, replaced = now.bySet[n]
	order := now.order
	if !replaced {
		order = append(slices.Clone(order), n)
	}
	bySet := make(map[envelope.SetNumber]T, len(order))
	maps.Copy(bySet, now.bySet)
	bySet[n] = v
	r.store(bySet, order)
	return old, replaced
}

// Remove takes a SET out and returns what there was of it.
func (r *Registry[T]) Remove(n envelope.SetNumber) (old T, removed bool) {
	r.changing.Lock()
	defer r.changing.Unlock()
	now := r.roster()
	if old, removed = now.bySet[n]; !removed {
		return old, false
	}
	bySet := maps.Clone(now.bySet)
	delete(bySet, n)
	r.store(bySet, slices.DeleteFunc(slices.Clone(now.order), func(o envelope.SetNumber) bool { return o == n }))
	return old, true
}

// store publishes a roster. The caller holds r.changing.
func (r *Registry[T]) store(bySet map[envelope.SetNumber]T, order []envelope.SetNumber) {
	all := make([]T, len(order))
	for i, n := range order {
		all[i] = bySet[n]
	}
	r.current.Store(&roster[T]{bySet: bySet, all: all, order: order})
}
