package relay

import (
	"context"

	"golang.org/x/sync/semaphore"
)

// places bounds what is at the provider at once of one kind: bills or batches.
type places struct {
	free  *semaphore.Weighted
	all   int
	least int // free ones worth a claim
}

func newPlaces(all, least int) *places {
	return &places{free: semaphore.NewWeighted(int64(all)), all: all, least: least}
}

// launch puts what is due into flight and does not wait for it: one slow answer
// holds up nothing else. While the provider is out it waits until nothing is in
// flight, neither bills nor batches, and then risks a single one.
func launch[T any](ctx context.Context, r *Relay, own *places, claim func(ctx context.Context, most int) ([]T, error), carryOut func(context.Context, T)) (int, error) {
	if paused, err := r.pauses.paused(ctx, topicTransfer); paused || err != nil {
		return 0, err
	}
	taken, err := r.reserve(ctx, own)
	if taken == 0 {
		return 0, err
	}
	var claimed []T
	if most := r.transfer.allow(taken); most > 0 { // the brake may have been shut meanwhile
		claiming, cancel := context.WithTimeout(ctx, claimMax)
		defer cancel()
		claimed, err = claim(claiming, most)
	}
	own.free.Release(int64(taken - len(claimed)))
	for _, one := range claimed {
		r.flying.Go(func() {
			defer own.free.Release(1)
			carryOut(ctx, one)
		})
	}
	return len(claimed), err
}

// reserve takes places in flight, waiting for the least that is worth a claim.
func (r *Relay) reserve(ctx context.Context, own *places) (int, error) {
	if r.transfer.isShut() {
		return r.reserveAll(ctx, own)
	}
	if err := own.free.Acquire(ctx, int64(own.least)); err != nil {
		return 0, err
	}
	taken := own.least
	for taken+own.least <= own.all && own.free.TryAcquire(int64(own.least)) {
		taken += own.least
	}
	return taken, nil
}

// reserveAll waits until nothing is in flight. Whoever holds all its own places
// keeps the other kind from probing too.
func (r *Relay) reserveAll(ctx context.Context, own *places) (int, error) {
	if r.transfer.allow(1) == 0 {
		return 0, nil
	}
	// Everybody takes them in this order, so no two wait for each other.
	if err := r.bills.free.Acquire(ctx, int64(r.bills.all)); err != nil {
		return 0, err
	}
	if err := r.batches.free.Acquire(ctx, int64(r.batches.all)); err != nil {
		r.bills.free.Release(int64(r.bills.all))
		return 0, err
	}
	other := r.bills
	if own == other {
		other = r.batches
	}
	other.free.Release(int64(other.all))
	return own.all, nil
}
