package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"golang.org/x/sync/errgroup"

	"hongbao/envelope"
)

const (
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

// Sweep ends the life of envelopes and so refunds what is left in them. It goes
// by their state, not by a window of time: a process that was down for hours
// finds all that is due (FG15), and two sweeps at once do no harm (FG14).
type Sweep struct {
	sets []Expirer
	log  *slog.Logger
}

// NewSweep sweeps some SETs.
func NewSweep(sets []Expirer, log *slog.Logger) (*Sweep, error) {
	if len(sets) == 0 || log == nil {
		return nil, errors.New("sweep: sets and log are required")
	}
	return &Sweep{sets: sets, log: log}, nil
}

// RunOnce expires everything that is due now and returns how much that was. A
// SET that fails holds up no other.
func (s *Sweep) RunOnce(ctx context.Context) (expired int, err error) {
	ctx, cancel := context.WithTimeout(ctx, runMax)
	defer cancel()
	var sets sync.WaitGroup
	counts, errs := make([]int, len(s.sets)), make([]error, len(s.sets))
	for i, set := range s.sets {
		sets.Go(func() { counts[i], errs[i] = sweepSet(ctx, set) })
	}
	sets.Wait()
	for _, n := range counts {
		expired += n
	}
	if expired > 0 {
		s.log.Info("expired", "envelopes", expired)
	}
	return expired, errors.Join(errs...)
}

// sweepSet goes on while whole pages of envelopes end.
func sweepSet(ctx context.Context, set Expirer) (expired int, err error) {
	for {
		ids, err := set.DueExpiries(ctx, sweepPage)
		if err != nil {
			return expired, fmt.Errorf("sweep of SET %v: %w", set.Number(), err)
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
