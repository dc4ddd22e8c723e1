package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"hongbao/envelope"
	"hongbao/orderset"
)

// daysAhead is how many days beyond today have tables: a job that fails at
// every tick of a day has that day to be noticed.
const daysAhead = 1

// runMax bounds one run over all SETs.
const runMax = 2 * time.Minute

// Calendar makes day tables ahead of their day.
type Calendar struct {
	migrators []*orderset.Migrator
	now       func() time.Time
	log       *slog.Logger
}

// NewCalendar looks after the day tables of some SETs.
func NewCalendar(migrators []*orderset.Migrator, now func() time.Time, log *slog.Logger) (*Calendar, error) {
	if len(migrators) == 0 || now == nil || log == nil {
		return nil, errors.New("calendar: migrators, now and log are required")
	}
	return &Calendar{migrators: migrators, now: now, log: log}, nil
}

// RunOnce makes the tables of today and tomorrow where they are missing. It
// goes on past a SET that fails and returns what failed.
func (c *Calendar) RunOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, runMax)
	defer cancel()
	today := envelope.DayOf(c.now())
	var errs []error
	for _, m := range c.migrators {
		for ahead := range daysAhead + 1 {
			if err := m.MakeDay(ctx, today.Add(ahead)); err != nil {
				errs = append(errs, fmt.Errorf("calendar: %w", err))
			}
		}
	}
	c.log.Info("day tables", "today", today.String(), "sets", len(c.migrators), "failed", len(errs))
	return errors.Join(errs...)
}
