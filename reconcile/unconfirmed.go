package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"hongbao/envelope"
)

// Returner is a SET that gives back payouts that are never confirmed;
// *[orderset.Set] is one.
type Returner interface {
	Number() envelope.SetNumber
	ReturnUnconfirmed(ctx context.Context, after time.Duration) (int, error)
}

// Returns has payouts go to their envelopes' senders that their payees neither
// confirmed in time nor asked for again.
type Returns struct {
	sets  []Returner
	after time.Duration
	log   *slog.Logger
}

// NewReturns gives back what has waited in some SETs for as long as after.
func NewReturns(sets []Returner, after time.Duration, log *slog.Logger) (*Returns, error) {
	if len(sets) == 0 || after <= 0 || log == nil {
		return nil, errors.New("returns: sets, a time above zero and log are required")
	}
	return &Returns{sets: sets, after: after, log: log}, nil
}

// RunOnce gives back what is due now and returns how many payouts that were. A SET
// that fails holds up no other.
func (r *Returns) RunOnce(ctx context.Context) (returned int, err error) {
	ctx, cancel := context.WithTimeout(ctx, runMax)
	defer cancel()
	var errs []error
	for _, set := range r.sets {
		n, err := set.ReturnUnconfirmed(ctx, r.after)
		returned += n
		if err != nil {
			errs = append(errs, fmt.Errorf("returns of SET %v: %w", set.Number(), err))
		}
	}
	if returned > 0 {
		r.log.Info("payouts that were never confirmed go to the senders", "payouts", returned)
	}
	return returned, errors.Join(errs...)
}
