package operator

import (
	"context"
	"slices"
	"sync"
)

// SetState is what came of asking one SET.
type SetState struct {
	Set   string `json:"set"`
	Error string `json:"error,omitempty"` // why nothing is known of it
	Code  string `json:"code,omitempty"`  // of the error, from the table
	Cut   bool   `json:"cut,omitempty"`   // there are more rows than are shown
}

// fail marks a SET that did not answer.
func (s *SetState) fail(a *API, err error) {
	if err != nil {
		s.Error, s.Code = err.Error(), a.problems.Code(err)
	}
}

// States say of every SET whether it answered.
type States []SetState

// each asks all SETs at once, each within its bound, and returns what they answer
// in the order of the topology.
func each[T any](ctx context.Context, a *API, ask func(context.Context, Set) T) []T {
	sets := a.cfg.Sets()
	answers := make([]T, len(sets))
	var asking sync.WaitGroup
	for i, set := range sets {
		asking.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, setMax)
			defer cancel()
			answers[i] = ask(ctx, set)
		})
	}
	asking.Wait()
	return answers
}

// list gathers the rows of all SETs, up to listMax of each, and says which did
// not answer and which have more.
func list[T any](ctx context.Context, a *API, read func(ctx context.Context, set Set, max int) ([]T, error)) ([]T, States) {
	type answer struct {
		rows  []T
		state SetState
	}
	all, states := []T{}, States{}
	for _, one := range each(ctx, a, func(ctx context.Context, set Set) answer {
		rows, err := read(ctx, set, listMax+1)
		one := answer{rows[:min(len(rows), listMax)], SetState{Set: set.Number().String(), Cut: len(rows) > listMax}}
		one.state.fail(a, err)
		return one
	}) {
		all, states = append(all, one.rows...), append(states, one.state)
	}
	return all, states
}

// Partial reports whether a SET is missing from an answer, or some of its rows.
func (s States) Partial() bool {
	return slices.ContainsFunc(s, func(one SetState) bool { return one.Error != "" || one.Cut })
}

// and is what two looks at the same SETs say together.
func (s States) and(other States) States {
	both := slices.Clone(s)
	for i := range both {
		switch {
		case i >= len(other) || both[i].Error != "":
		case other[i].Error != "":
			both[i] = other[i]
		default:
			both[i].Cut = both[i].Cut || other[i].Cut
		}
	}
	return both
}
