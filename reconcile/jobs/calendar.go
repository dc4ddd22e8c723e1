package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hongbao/envelope"
)

const (
	// calendarSchedule is every hour, off the full hour at which most schedules
	// fall due.
	calendarSchedule = "7 * * * *"
	// daysAhead is how many days beyond today have tables: a job that fails at
	// every tick of a day has that day to be noticed.
	daysAhead = 1
)

// DayMaker is a SET whose day tables can be made; a day that has them is left as
// it is.
type DayMaker interface {
	MakeDay(context.Context, envelope.Day) error
}

// Calendar makes the tables of today and tomorrow where they are missing.
func Calendar[M DayMaker](sets []M, now func() time.Time) (Job, error) {
	if len(sets) == 0 || now == nil {
		return Job{}, errors.New("calendar: sets and a clock are required")
	}
	return job("calendar", calendarSchedule, "days have tables", func(ctx context.Context) (made int, err error) {
		today := envelope.DayOf(now())
		var errs []error
		for _, m := range sets {
			for ahead := range daysAhead + 1 {
				if err := m.MakeDay(ctx, today.Add(ahead)); err != nil {
					errs = append(errs, fmt.Errorf("calendar: %w", err))
				} else {
					made++
				}
			}
		}
		return made, errors.Join(errs...)
	}), nil
}
