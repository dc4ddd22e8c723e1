package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	purgeSchedule = "@every 10m"
	// purgeKeep is how long rows that have been carried out stay readable, for
	// people who look into what happened.
	purgeKeep = time.Hour
)

// Purger is a SET whose carried-out rows can be deleted, under the migrator's
// account: the service itself cannot delete.
type Purger interface {
	// Purge deletes, in small transactions, what was carried out longer ago than
	// keep, and returns how many rows that were.
	Purge(ctx context.Context, keep time.Duration) (int, error)
}

// Purge deletes outbox rows and deliveries that have been carried out.
func Purge[P Purger](sets []P) (Job, error) {
	if len(sets) == 0 {
		return Job{}, errors.New("purge: sets are required")
	}
	return job("purge", purgeSchedule, "carried-out rows deleted", func(ctx context.Context) (deleted int, err error) {
		var errs []error
		for _, set := range sets {
			n, err := set.Purge(ctx, purgeKeep)
			deleted += n
			if err != nil {
				errs = append(errs, fmt.Errorf("purge: %w", err))
			}
		}
		return deleted, errors.Join(errs...)
	}), nil
}
