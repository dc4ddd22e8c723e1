package jobs

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/robfig/cron/v3"
)

// runMax bounds one run over all SETs.
const runMax = 2 * time.Minute

// Job is one thing to be done again and again.
type Job struct {
	Name     string
	Schedule string // in cron's notation, UTC
	// RunOnce does what is due now. It goes on past a SET that fails, and returns
	// what it did with the errors of those that failed.
	RunOnce func(context.Context) (Result, error)
}

// Result is what one run did.
type Result struct {
	Count int
	What  string // was counted: "envelopes expired"
}

// job is a Job whose runs end after runMax at the latest.
func job(name, schedule, what string, run func(context.Context) (int, error)) Job {
	return Job{Name: name, Schedule: schedule, RunOnce: func(ctx context.Context) (Result, error) {
		ctx, cancel := context.WithTimeout(ctx, runMax)
		defer cancel()
		n, err := run(ctx)
		return Result{n, what}, err
	}}
}

// Run runs every job at its time until ctx ends, then waits for the running
// ones.
func Run(ctx context.Context, jobs []Job, log *slog.Logger) error {
	// Skip before Recover: the other way round, one panic keeps the skip's
	// token and the job never runs again.
	c := cron.New(cron.WithLocation(time.UTC),
		cron.WithChain(cron.SkipIfStillRunning(cronLog{log}), cron.Recover(cronLog{log})))
	for _, j := range jobs {
		if _, err := c.AddFunc(j.Schedule, j.logged(ctx, log)); err != nil {
			return fmt.Errorf("job %s: schedule %q: %w", j.Name, j.Schedule, err)
		}
	}
	c.Start()
	<-ctx.Done()
	<-c.Stop().Done()
	return nil
}

// logged is a run that logs what it did, and of failures in a row the first and
// their end.
func (j Job) logged(ctx context.Context, log *slog.Logger) func() {
	failures := 0 // in a row; runs of one job do not overlap
	return func() {
		result, err := j.RunOnce(ctx)
		if result.Count > 0 {
			log.Info("job", "name", j.Name, "count", result.Count, "what", result.What)
		}
		switch {
		case err != nil:
			if failures++; failures == 1 {
				log.Error("job fails; it is run again at its times", "name", j.Name, "error", err)
			}
		case failures > 0:
			log.Info("job is done again", "name", j.Name, "failures", failures)
			failures = 0
		}
	}
}

// cronLog gives cron's messages to slog.
type cronLog struct{ *slog.Logger }

func (l cronLog) Info(msg string, kv ...any) { l.Debug("cron: "+msg, kv...) }

func (l cronLog) Error(err error, msg string, kv ...any) {
	l.Logger.Error("cron: "+msg, append(kv, "error", err)...)
}
