package relay

import (
	"context"

	"golang.org/x/sync/semaphore"
)

// inFlight bounds the calls of one kind, bills or batches, that are in flight to the
// provider.
type inFlight struct {
	free  *semaphore.Weighted
	all   int
	least int // free ones worth a claim
}

func newInFlight(all, least int) *inFlight {
	return &inFlight{free: semaphore.NewWeighted(int64(all)), all: all, least: least}
}

// launch claims what is due, begins to carry it out and does not wait for the
// answers: a slow one delays nothing else. While the breaker is open, a single call
// is made, and only when no other is in flight, of either kind.
func launch[T any](ctx context.Context, r *Relay, own *inFlight, claim func(ctx context.Context, most int) ([]T, error), carryOut func(context.Context, T)) (int, error) {
	if paused, err := r.pauses.paused(ctx, topicTransfer); paused || err != nil {
		return 0, err
	}
	taken, err := r.reserve(ctx, own)
	if taken == 0 {
		return 0, err
	}
	var claimed []T
	if most := r.transfer.allow(taken); most > 0 { // the breaker may have opened meanwhile
		claiming, cancel := context.WithTimeout(ctx, claimMax)
		defer cancel()
		claimed, err = claim(claiming, most)
	}
	own.free.Release(int64(taken - len(claimed)))
	for _, one := range claimed {
		r.calls.Go(func() {
			defer own.free.Release(1)
			carryOut(ctx, one)
		})
	}
	return len(claimed), err
}

// reserve acquires permits for calls in flight, and waits for as many as are worth a
// claim.
func (r *Relay) reserve(ctx context.Context, own *inFlight) (int, error) {
	if r.transfer.isOpen() {
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

// reserveAll waits until nothing is in flight, and acquires all permits of one kind.
// The other kind cannot begin a trial then: it would need these as well.
func (r *Relay) reserveAll(ctx context.Context, own *inFlight) (int, error) {
	if r.transfer.allow(1) == 0 {
		return 0, nil
	}
	// Both kinds acquire in this order, so that there is no deadlock.
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
