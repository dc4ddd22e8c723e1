package reconcile

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/robfig/cron/v3"
)

// When each job runs, in UTC. The calendar's is every hour, off the full hour
// that everybody uses; the sweep's leaves a refund most of the minute it has.
const (
	calendarSpec = "7 * * * *"
	sweepSpec    = "@every 5s"
	janitorSpec  = "@every 10m"
	returnsSpec  = "23 * * * *"
)

// Jobs are what is scheduled; nil ones are not.
type Jobs struct {
	Calendar *Calendar
	Sweep    *Sweep
	Janitor  *Janitor
	Returns  *Returns
}

// Run runs every job at its time until ctx ends, then waits for the running
// ones.
func Run(ctx context.Context, jobs Jobs, log *slog.Logger) error {
	// Skip before Recover: the other way round, one panic keeps the skip's
	// token and the job never runs again.
	c := cron.New(cron.WithLocation(time.UTC),
		cron.WithChain(cron.SkipIfStillRunning(cronLog{log}), cron.Recover(cronLog{log})))
	for _, job := range jobs.list() {
		failures := 0 // in a row; runs of one job do not overlap
		_, err := c.AddFunc(job.spec, func() {
			switch err := job.runOnce(ctx); {
			case err != nil:
				if failures++; failures == 1 {
					log.Error("job fails; it is run again at its times", "name", job.name, "error", err)
				}
			case failures > 0:
				log.Info("job is done again", "name", job.name, "failures", failures)
				failures = 0
			}
		})
		if err != nil {
			return fmt.Errorf("schedule: %s: %w", job.name, err)
		}
	}
	c.Start()
	<-ctx.Done()
	<-c.Stop().Done()
	return nil
}

type job struct {
	name, spec string
	runOnce    func(context.Context) error
}

func (j Jobs) list() (list []job) {
	if j.Calendar != nil {
		list = append(list, job{"calendar", calendarSpec, j.Calendar.RunOnce})
	}
	if j.Sweep != nil {
		list = append(list, job{"sweep", sweepSpec, func(ctx context.Context) error {
			_, err := j.Sweep.RunOnce(ctx)
			return err
		}})
	}
	if j.Janitor != nil {
		list = append(list, job{"janitor", janitorSpec, func(ctx context.Context) error {
			_, err := j.Janitor.RunOnce(ctx)
			return err
		}})
	}
	if j.Returns != nil {
		list = append(list, job{"returns", returnsSpec, func(ctx context.Context) error {
			_, err := j.Returns.RunOnce(ctx)
			return err
		}})
	}
	return list
}

// cronLog gives cron's messages to slog.
type cronLog struct{ *slog.Logger }

func (l cronLog) Info(msg string, kv ...any) { l.Debug("cron: "+msg, kv...) }

func (l cronLog) Error(err error, msg string, kv ...any) {
	l.Logger.Error("cron: "+msg, append(kv, "error", err)...)
}
