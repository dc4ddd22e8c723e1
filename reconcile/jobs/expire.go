package jobs

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"hongbao/envelope"
)

const (
	// expirySchedule leaves a refund most of the minute it has.
	expirySchedule = "@every 5s"
	// sweepPage is how many envelopes one look at a SET finds at most.
	sweepPage = 1000
	// sweepAtOnce bounds the expiries of one SET under way: they queue with the
	// openers of their lane and must not crowd them out.
	sweepAtOnce = 4
)

// Expirer is a SET whose envelopes end. Expire goes through the envelope's lane,
// so it is serial with opens (I6); to expire what has been expired is a result.
type Expirer interface {
	Number() envelope.SetNumber
	// DueExpiries are active envelopes whose life is over, oldest first.
	DueExpiries(ctx context.Context, max int) ([]envelope.ID, error)
	Expire(ctx context.Context, id envelope.ID) (envelope.Envelope, error)
}

// Expiry ends the life of envelopes and so refunds what is left in them. It goes
// by their state, not by a window of time: a process that was down for hours
// finds all that is due (FG15), and two runs at once do no harm (FG14).
func Expiry[E Expirer](sets []E) (Job, error) {
	if len(sets) == 0 {
		return Job{}, errors.New("expiry: sets are required")
	}
	return job("expiry", expirySchedule, "envelopes expired", func(ctx context.Context) (expired int, err error) {
		var running sync.WaitGroup
		counts, errs := make([]int, len(sets)), make([]error, len(sets))
		for i, set := range sets {
			running.Go(func() { counts[i], errs[i] = sweepSet(ctx, set) })
		}
		running.Wait()
		for _, n := range counts {
			expired += n
		}
		return expired, errors.Join(errs...)
	}), nil
}

// sweepSet goes on while whole pages of envelopes end.
func sweepSet(ctx context.Context, set Expirer) (expired int, err error) {
	for {
		ids, err := set.DueExpiries(ctx, sweepPage)
		if err != nil {
			return expired, fmt.Errorf("expiry of SET %v: %w", set.Number(), err)
		}
		n, err := expireAll(ctx, set, ids)
		expired += n
		if err != nil || n < sweepPage {
			return expired, err
		}
	}
}

func expireAll(ctx context.Context, set Expirer, ids []envelope.ID) (expired int, err error) {
	var mu sync.Mutex // guards expired and errs
	var errs []error
	var g errgroup.Group
	g.SetLimit(sweepAtOnce)
	for _, id := range ids {
		g.Go(func() error {
			e, err := set.Expire(ctx, id)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				errs = append(errs, fmt.Errorf("expire %s: %w", id, err))
			case e.State != envelope.Active: // the databases' clocks decide, and this one was asked twice
				expired++
			}
			return nil
		})
	}
	_ = g.Wait() // the functions above keep their errors
	return expired, errors.Join(errs...)
}
