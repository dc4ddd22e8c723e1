package relay

import (
	"context"
	"time"
)

const (
	pollEvery = time.Second // after a run that found nothing, without a wake-up
	// gatherFor is the pause after a batch that was not full, so that a busy SET
	// commits tens of larger batches a second instead of hundreds of small ones.
	gatherFor = 20 * time.Millisecond
	// spreadGatherFor is the same between spreads. Rows that are spread together are
	// later paid out, posted and delivered together. It costs no latency on an idle
	// SET, where the pause is over before the next row comes.
	spreadGatherFor = 200 * time.Millisecond
	// After vainMax wake-ups in a row that found nothing, a job ignores wake-ups and
	// polls until a poll finds something: bills, say, while all payouts are in batches.
	vainMax = 16
)

// job is a loop's work. run does one batch and returns its size.
type job struct {
	topic  string
	run    func(ctx context.Context) (done int, err error)
	full   int             // a batch of this size is followed by the next at once
	gather time.Duration   // the pause after a smaller one
	every  time.Duration   // how often to look when nothing is known to wait
	wake   <-chan struct{} // something may be waiting; nil: it only polls
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
