package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// keepSpread is how long rows that have been carried out stay readable, for
// people who look into what happened.
const keepSpread = time.Hour

// Purger is a SET whose carried-out rows can be deleted; *[orderset.Migrator] is
// one.
type Purger interface {
	// Purge deletes, in small transactions, what was carried out longer ago than
	// keep, and returns how many rows that were.
	Purge(ctx context.Context, keep time.Duration) (int, error)
}

// Janitor deletes outbox rows and deliveries that nobody needs any more. It
// works under the migrator's account: the service itself cannot delete.
type Janitor struct {
	sets []Purger
	log  *slog.Logger
}

// NewJanitor cleans some SETs.
func NewJanitor(sets []Purger, log *slog.Logger) (*Janitor, error) {
	if len(sets) == 0 || log == nil {
		return nil, errors.New("janitor: sets and log are required")
	}
	return &Janitor{sets: sets, log: log}, nil
}

// RunOnce deletes what is old enough and returns how many rows that were.
func (j *Janitor) RunOnce(ctx context.Context) (deleted int, err error) {
	ctx, cancel := context.WithTimeout(ctx, runMax)
	defer cancel()
	var errs []error
	for _, m := range j.sets {
		n, err := m.Purge(ctx, keepSpread)
		deleted += n
		if err != nil {
			errs = append(errs, fmt.Errorf("janitor: %w", err))
		}
	}
	j.log.Info("deleted what was carried out", "rows", deleted, "failed", len(errs))
	return deleted, errors.Join(errs...)
}
