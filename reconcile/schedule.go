package reconcile

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/robfig/cron/v3"
)

// calendarSpec is every hour, off the full hour that everybody uses.
const calendarSpec = "7 * * * *"

// Run runs every job at its time until ctx ends, then waits for the running
// ones.
func Run(ctx context.Context, calendar *Calendar, log *slog.Logger) error {
	// Skip before Recover: the other way round, one panic keeps the skip's
	// token and the job never runs again.
	c := cron.New(cron.WithLocation(time.UTC),
		cron.WithChain(cron.SkipIfStillRunning(cronLog{log}), cron.Recover(cronLog{log})))
	_, err := c.AddFunc(calendarSpec, func() {
		if err := calendar.RunOnce(ctx); err != nil {
			log.Error("job", "name", "calendar", "error", err)
		}
	})
	if err != nil {
		return fmt.Errorf("schedule: %w", err)
	}
	c.Start()
	<-ctx.Done()
	<-c.Stop().Done()
	return nil
}

// cronLog gives cron's messages to slog.
type cronLog struct{ *slog.Logger }

func (l cronLog) Info(msg string, kv ...any) { l.Debug("cron: "+msg, kv...) }

func (l cronLog) Error(err error, msg string, kv ...any) {
	l.Logger.Error("cron: "+msg, append(kv, "error", err)...)
}
