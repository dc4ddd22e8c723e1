package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hongbao/envelope"
	"hongbao/internal/relay"
	"hongbao/orderset"
	"hongbao/orderset/decision"
	"hongbao/orderset/upkeep"
	"hongbao/reconcile/jobs"
)

// Config is what a worker works with. All of it is required unless said otherwise.
type Config struct {
	Set        *orderset.Set
	Expirer    jobs.Expirer         // ends lives in the order of the SET's lanes
	Maintainer *upkeep.Maintainer   // the worker's own: Close closes it
	Cashier    envelope.Cashier     // moves the money
	Bookkeeper envelope.Bookkeeper  // writes users' books
	Events     relay.Events         // sends events to the IM backend
	Gone       func(err error) bool // of Events: the receiver is gone for good. Optional
	PayWithin  time.Duration        // from order to closing it unpaid, 1 s to 24 h
	// ReturnAfter is after how long a payout that is not confirmed goes back to the
	// sender; 0: never.
	ReturnAfter time.Duration
	Now         func() time.Time
	Log         *slog.Logger
}

func (c *Config) validate() error {
	switch {
	case c.Set == nil || c.Expirer == nil || c.Maintainer == nil:
		return errors.New("worker: set, expirer and maintainer are required")
	case c.Set.Number() != c.Maintainer.Number() || c.Set.Number() != c.Expirer.Number():
		return fmt.Errorf("worker: want one SET, have set %v, expirer %v and maintainer %v", c.Set.Number(), c.Expirer.Number(), c.Maintainer.Number())
	case c.ReturnAfter < 0:
		return fmt.Errorf("worker: want 0 <= return after, have %v", c.ReturnAfter)
	case c.Now == nil || c.Log == nil:
		return errors.New("worker: now and log are required")
	}
	return nil
}

// Worker does the background work of one SET.
type Worker struct {
	cfg   Config
	relay *relay.Relay
	jobs  []jobs.Job

	stop    context.CancelFunc // of what Start began
	running sync.WaitGroup
}

// New makes the worker of a SET. Close ends it.
func New(cfg Config) (*Worker, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	w := &Worker{cfg: cfg, stop: func() {}}
	var err error
	w.relay, err = relay.New(relay.Config{
		Store: cfg.Set.Owed(), Orders: cfg.Set, Cashier: cfg.Cashier, Bookkeeper: cfg.Bookkeeper, Events: cfg.Events, Gone: cfg.Gone,
		Backlog: w.backlog, PayWithin: cfg.PayWithin, Now: cfg.Now, Log: cfg.Log,
	})
	if err != nil {
		return nil, err
	}
	return w, w.addJobs()
}

// addJobs makes what is due by the clock.
func (w *Worker) addJobs() error {
	calendar, err := jobs.Calendar([]*upkeep.Maintainer{w.cfg.Maintainer}, w.cfg.Now)
	if err != nil {
		return err
	}
	expiry, err := jobs.Expiry([]jobs.Expirer{w.cfg.Expirer})
	if err != nil {
		return err
	}
	purge, err := jobs.Purge([]*upkeep.Maintainer{w.cfg.Maintainer})
	if err != nil {
		return err
	}
	w.jobs = []jobs.Job{calendar, expiry, purge}
	if w.cfg.ReturnAfter > 0 {
		returns, err := jobs.Returns([]*decision.Desk{w.cfg.Set.Desk()}, w.cfg.ReturnAfter)
		if err != nil {
			return err
		}
		w.jobs = append(w.jobs, returns)
	}
	return nil
}

// Register adds the metrics of the worker and of its maintainer to reg, whose labels
// name the SET.
func (w *Worker) Register(reg prometheus.Registerer) error {
	return errors.Join(w.relay.Register(reg), w.cfg.Maintainer.Register(reg))
}

// Start begins the work. A worker starts once.
func (w *Worker) Start() {
	ctx, stop := context.WithCancel(context.Background())
	w.stop = stop
	w.running.Go(func() { w.relay.Run(ctx) })
	w.running.Go(func() {
		for _, j := range w.jobs { // what fell due while nothing ran; a new SET has no tables
			if _, err := j.RunOnce(ctx); err != nil {
				w.cfg.Log.Error("job at the start", "name", j.Name, "error", err)
			}
		}
		if err := jobs.Run(ctx, w.jobs, w.cfg.Log); err != nil {
			w.cfg.Log.Error("jobs", "error", err)
		}
	})
}

// Close begins nothing more, waits for what was begun, some 30 seconds at most, and
// closes the maintainer. When ctx ends first the rest ends by itself; what is cut off
// then is found again when its lease ends.
func (w *Worker) Close(ctx context.Context) error {
	w.stop()
	done := make(chan struct{})
	go func() {
		w.running.Wait()
		close(done)
	}()
	var err error
	select {
	case <-done:
	case <-ctx.Done():
		err = fmt.Errorf("worker of SET %v: closed while it worked: %w", w.cfg.Set.Number(), context.Cause(ctx))
	}
	return errors.Join(err, w.cfg.Maintainer.Close())
}

// topicDispute is the topic under which metrics have what the provider and the
// books disagree about: it waits for people, as what is stuck does.
const topicDispute = "dispute"

// backlog asks what waits in the SET, in the one process that reports on it.
func (w *Worker) backlog(ctx context.Context) (map[string]relay.Backlog, error) {
	set := w.cfg.Set
	if ours, err := set.Reports(ctx); err != nil || !ours {
		return nil, err
	}
	waiting, err := set.Owed().Backlog(ctx)
	if err != nil {
		return nil, err
	}
	paused, err := set.Owed().Paused(ctx)
	if err != nil {
		return nil, err
	}
	disputes, err := set.Desk().CountDisputes(ctx)
	if err != nil {
		return nil, err
	}
	all := map[string]relay.Backlog{topicDispute: {Stuck: disputes}}
	for topic, b := range waiting {
		_, stopped := paused[topic]
		all[topic] = relay.Backlog{Pending: b.Pending, Oldest: b.Oldest, Stuck: b.Stuck, Paused: stopped}
	}
	return all, nil
}
