package loadtest

import (
	"context"
	"sync/atomic"
	"time"
)

// A source says what a caller wants next and when that was due; false when
// there is nothing more. It waits until then with the caller's own timer.
type source func(ctx context.Context, wait *time.Timer) (Tap, time.Duration, bool)

// closed hands out the next tap until time is up.
type closed struct {
	s     *Stage
	end   time.Duration
	again bool         // start over when the plan is used up: nothing is opened
	dry   atomic.Int64 // when it was used up
}

func (c *closed) take(ctx context.Context, _ *time.Timer) (Tap, time.Duration, bool) {
	now := c.s.now()
	if now >= c.end || ctx.Err() != nil {
		return Tap{}, 0, false
	}
	taps := c.s.cfg.Plan.Taps
	i := c.s.cursor.Add(1) - 1
	if c.again {
		return taps[i%int64(len(taps))], now, true
	}
	if i >= int64(len(taps)) {
		c.dry.CompareAndSwap(0, int64(now))
		return Tap{}, 0, false
	}
	return taps[i], now, true
}

// open hands out arrivals in their order, each when it is due.
type open struct {
	s        *Stage
	from     time.Duration
	due      []time.Duration // since from
	patience time.Duration
	arrival  atomic.Int64
	unsent   atomic.Int64
	dry      atomic.Bool
}

func (o *open) take(ctx context.Context, wait *time.Timer) (Tap, time.Duration, bool) {
	for {
		k := o.arrival.Add(1) - 1
		if k >= int64(len(o.due)) {
			return Tap{}, 0, false
		}
		due := o.from + o.due[k]
		now := o.s.now()
		if o.patience > 0 && now-due > o.patience {
			o.unsent.Add(1)
			continue
		}
		if due > now {
			wait.Reset(due - now)
			select {
			case <-wait.C:
			case <-ctx.Done():
			}
		}
		if ctx.Err() != nil {
			return Tap{}, 0, false
		}
		taps := o.s.cfg.Plan.Taps
		i := o.s.cursor.Add(1) - 1
		if i >= int64(len(taps)) {
			o.dry.Store(true)
			return Tap{}, 0, false
		}
		return taps[i], due, true
	}
}
