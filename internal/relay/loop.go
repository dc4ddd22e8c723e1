package relay

import (
	"context"
	"time"
)

const (
	pollEvery = time.Second // nothing found, and nothing heard
	// gatherFor is the pause after a batch that was not full. A busy SET then pays
	// for tens of transactions a second and not for hundreds.
	gatherFor = 20 * time.Millisecond
	// spreadGatherFor is the same between spreads. What gathers there stays
	// together downstream: in batches of payouts, posts to the books, deliveries.
	// After a pause nothing waits for it: an idle SET spreads at once.
	spreadGatherFor = 200 * time.Millisecond
	// vainMax wake-ups in a row after which nothing was found, and a job goes by its
	// polls until they find something: bills when all payouts are in batches, say.
	vainMax = 16
)

// job is something to be done again and again. run has the logic: it does one
// batch and says how much that was.
type job struct {
	topic  string
	run    func(ctx context.Context) (done int, err error)
	full   int             // more is waiting after a batch of this size
	gather time.Duration   // the pause after a smaller one
	every  time.Duration   // how often to look when nothing is known to wait
	wake   <-chan struct{} // something may be waiting; nil: nobody says so
}

// loop owns the ticking of a job until ctx ends.
func (r *Relay) loop(ctx context.Context, j job) {
	vain := 0 // wake-ups since something was found
	failures := 0
	for ctx.Err() == nil {
		switch done, err := j.run(ctx); {
		case ctx.Err() != nil:
		case err != nil:
			r.metrics.errors.WithLabelValues(j.topic).Inc()
			if failures++; failures == 1 {
				r.cfg.Log.Warn("work does not go on; trying again", "topic", j.topic, "error", err)
			}
			sleep(ctx, jitter(2*j.every), nil)
		case failures > 0:
			r.cfg.Log.Info("work goes on", "topic", j.topic, "failures", failures)
			failures, vain = 0, 0
		case done >= j.full: // go on at once
			vain = 0
		case done > 0:
			vain = 0
			sleep(ctx, j.gather, nil)
		case vain >= vainMax:
			sleep(ctx, j.every, nil)
		case sleep(ctx, j.every, j.wake):
			vain++
		}
	}
}

// sleep reports whether it was woken.
func sleep(ctx context.Context, d time.Duration, wake <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-wake:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// carry is the context of work that was begun: it has a time of its own, and the
// end of ctx does not break it off half way.
func carry(ctx context.Context, most time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), most)
}
