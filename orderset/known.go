package orderset

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
	"hongbao/orderset/layout"
	"hongbao/orderset/setdb"
)

const selectKnownSets = "SELECT set_number FROM known_set"

// insertKnownSets adds what is not there yet.
func insertKnownSets(numbers []envelope.SetNumber) string {
	b := &layout.Text{}
	b.Add("INSERT INTO known_set (set_number, first_seen) VALUES ")
	for i, n := range numbers {
		if i > 0 {
			b.Add(",")
		}
		b.Add("(")
		b.Int(int64(n))
		b.Add(",UTC_TIMESTAMP(3))")
	}
	b.Add(" ON DUPLICATE KEY UPDATE set_number = VALUES(set_number)")
	return b.String()
}

// MissingSetsError says which SETs the databases know of and the topology does not.
// Their envelopes would be out of reach, and never be settled.
type MissingSetsError struct{ Sets []envelope.SetNumber }

func (e *MissingSetsError) Error() string {
	names := make([]string, len(e.Sets))
	for i, n := range e.Sets {
		names[i] = n.String()
	}
	return fmt.Sprintf("sets: SET %s was part of this deployment and is not listed any more: list it again (minting: false takes no new "+
		"envelopes), or name it under retired_sets once everything in it is settled", strings.Join(names, ", "))
}

// CheckKnown compares the topology with every SET that the databases remember, and
// has them remember those of the topology. It answers a [MissingSetsError] when one
// of them is missing and not retired. A database that does not answer is left to
// the next start; all others know the same.
func (r *Router) CheckKnown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startupTryMax)
	defer cancel()
	absent, err := r.topology.Load().absent(ctx, r.Sets())
	r.absent.Store(&absent)
	if err != nil {
		return err
	}
	return r.beKnown(ctx)
}

// ExamineKnown is the first half of it, for a topology that nothing is served from yet.
func ExamineKnown(ctx context.Context, t Topology, app Account) error {
	ctx, cancel := context.WithTimeout(ctx, startupTryMax)
	defer cancel()
	var sets []*Set
	for _, spec := range t.specs {
		db, err := setdb.OpenPool(spec.Number, spec.Primary, app, 1)
		if err != nil {
			return err
		}
		defer db.Close()
		sets = append(sets, &Set{db: db})
	}
	_, err := t.absent(ctx, sets)
	return err
}

// absent are the SETs that are retired, or that sets which answer know of and the
// topology does not. The error names those that are not retired.
func (t Topology) absent(ctx context.Context, sets []*Set) (setNumbers, error) {
	absent, missing := setNumbers{}, &MissingSetsError{}
	for _, n := range t.retired {
		absent[n] = true
	}
	for _, spec := range t.left {
		absent[spec.Number] = true
	}
	var mistakes []error
	for _, s := range sets {
		numbers, err := s.knownSets(ctx)
		if !isBusy(err) { // what is down is said elsewhere
			mistakes = append(mistakes, err)
		}
		for _, n := range numbers {
			listed := slices.ContainsFunc(t.specs, func(s SetSpec) bool { return s.Number == n })
			if !listed && !absent[n] {
				absent[n] = true
				missing.Sets = append(missing.Sets, n)
			}
		}
	}
	if slices.Sort(missing.Sets); len(missing.Sets) > 0 {
		mistakes = append(mistakes, missing)
	}
	return absent, errors.Join(mistakes...)
}

// beKnown has every database that answers remember the SETs of the topology.
func (r *Router) beKnown(ctx context.Context) error {
	var numbers []envelope.SetNumber
	for _, spec := range r.topology.Load().specs {
		numbers = append(numbers, spec.Number)
	}
	slices.Sort(numbers)
	var errs []error
	for _, s := range r.Sets() {
		if err := s.db.Update(ctx, "remember the SETs", insertKnownSets(numbers)); !isBusy(err) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// knownSets are the SETs this one has been in one topology with.
func (s *Set) knownSets(ctx context.Context) ([]envelope.SetNumber, error) {
	numbers, err := mariadb.Column[envelope.SetNumber](ctx, s.db, selectKnownSets)
	return numbers, s.db.Answer("known SETs", err)
}

// retryAfterGone is for a SET that is back when people have corrected the settings.
const retryAfterGone = 30 * time.Second

// setNumbers are some SETs.
type setNumbers map[envelope.SetNumber]bool

func (s setNumbers) with(n envelope.SetNumber) *setNumbers {
	all := setNumbers{n: true}
	maps.Copy(all, s)
	return &all
}

func (s setNumbers) without(n envelope.SetNumber) *setNumbers {
	rest := maps.Clone(s)
	delete(rest, n)
	return &rest
}

// Unknown is the answer for an ID whose SET is not in the topology: busy when that
// SET has been ours, so that an owner waits and asks again, else not found.
func (r *Router) Unknown(n envelope.SetNumber) error {
	if absent := r.absent.Load(); absent != nil && (*absent)[n] {
		no := &envelope.BusyError{Reason: envelope.ReasonSetUnavailable, RetryAfter: retryAfterGone}
		return fmt.Errorf("SET %v has left the topology: %w", n, no)
	}
	return fmt.Errorf("SET %v: %w", n, envelope.ErrUnknownSet)
}

func isBusy(err error) bool {
	_, busy := errors.AsType[*envelope.BusyError](err)
	return busy
}
