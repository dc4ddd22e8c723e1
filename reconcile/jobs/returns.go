package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hongbao/envelope"
)

const returnsSchedule = "23 * * * *"

// Returner is a SET that gives back payouts that are never confirmed.
type Returner interface {
	Number() envelope.SetNumber
	ReturnUnconfirmed(ctx context.Context, after time.Duration) (int, error)
}

// Returns has payouts go to their envelopes' senders that their payees neither
// confirmed within after nor asked for again.
func Returns[R Returner](sets []R, after time.Duration) (Job, error) {
	if len(sets) == 0 || after <= 0 {
		return Job{}, fmt.Errorf("returns: want sets and a time above zero, have %d and %v", len(sets), after)
	}
	return job("returns", returnsSchedule, "payouts given back", func(ctx context.Context) (returned int, err error) {
		var errs []error
		for _, set := range sets {
			n, err := set.ReturnUnconfirmed(ctx, after)
			returned += n
			if err != nil {
				errs = append(errs, fmt.Errorf("returns of SET %v: %w", set.Number(), err))
			}
		}
		return returned, errors.Join(errs...)
	}), nil
}
