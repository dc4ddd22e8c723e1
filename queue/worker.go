package queue

import (
	"errors"
	"fmt"
	"runtime/debug"
	"time"
)

const (
	// bisectDepthMax is how often a failing batch can be halved until only
	// single requests are left: log2 of the largest BatchMax.
	bisectDepthMax = 12

	// bisectFailuresMax bounds the failing calls one batch may cost: enough to
	// find any one poisoned request and usually several. When more calls fail,
	// the trouble is not in the requests, and those not yet alone get the
	// error of the last call they were part of.
	bisectFailuresMax = 2 * (bisectDepthMax + 1)
)

// worker is what the worker goroutine needs for one batch, reused for the next.
type worker[K comparable, Req, Res any] struct {
	cells    []*cell[K, Req, Res]
	items    []Item[K, Req]
	taken    int // how many of cells and items the last batch wrote
	failures int // of calls for this batch
}

// run serves batch after batch until the lane is closed and empty.
func (l *Lane[K, Req, Res]) run() {
	defer close(l.stopped)
	defer l.reaper.Stop()
	for l.next() {
		b := &l.batch
		b.cells, b.items = l.still(b.cells, b.items, l.cfg.WaitMax)
		b.failures = 0
		if n := len(b.cells); n > 0 {
			l.tally.batches.Add(1)
			l.tally.served.Add(uint64(n))
			l.settle(b.cells, b.items)
		}
	}
}

// next waits for requests and takes a batch of them. It reports false when the
// lane is closed and nothing is left.
func (l *Lane[K, Req, Res]) next() bool {
	b := &l.batch
	clear(b.cells[:b.taken])
	clear(b.items[:b.taken])
	b.taken = 0
	l.serving.Store(-1)
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.inService)
	l.inService = l.inService[:0]
	for l.queued.n == 0 {
		if l.closed.Load() {
			return false
		}
		l.work.Wait()
	}
	b.cells = l.queued.take(b.cells[:0], l.cfg.BatchMax, l.cfg.PerKeyTurn)
	l.inService = append(l.inService, b.cells...)
	b.items = b.items[:0]
	b.taken = len(b.cells)
	now := l.now()
	l.serving.Store(int64(now))
	for _, c := range b.cells {
		b.items = append(b.items, c.item)
		l.counts.waits.add(uint64((now - c.admitted) / time.Microsecond))
	}
	l.counts.batches.add(uint64(len(b.cells)))
	return true
}

// still keeps, in place, the requests that are worth serving: callers that
// wait, and that have waited less than waitMax. The others are answered busy,
// which is true because nothing of them has taken effect.
func (l *Lane[K, Req, Res]) still(cells []*cell[K, Req, Res], items []Item[K, Req], waitMax time.Duration) ([]*cell[K, Req, Res], []Item[K, Req]) {
	now, n := l.now(), 0
	for i, c := range cells {
		if c.state.Load() != pending || c.ctx.Err() != nil || now-c.admitted >= waitMax {
			l.tally.expired.Add(1)
			l.finish(c, Answer[Res]{Err: l.expired.next()})
			continue
		}
		cells[n], items[n] = c, items[i]
		n++
	}
	return cells[:n], items[:n]
}

// settle serves a batch and answers every item in it, halving it as often as
// it fails. Left before right keeps admission order (F1).
func (l *Lane[K, Req, Res]) settle(cells []*cell[K, Req, Res], items []Item[K, Req]) {
	if len(cells) == 0 {
		return
	}
	answers, err := l.call(items)
	if err == nil {
		for i, c := range cells {
			l.finish(c, answers[i])
		}
		return
	}
	l.batch.failures++
	if len(cells) == 1 || l.batch.failures >= bisectFailuresMax || isFinal(err) {
		for _, c := range cells {
			l.finish(c, Answer[Res]{Err: err})
		}
		return
	}
	// A re-run is not bound by WaitMax: its requests did reach Serve in time.
	half := len(cells) / 2
	l.settle(l.still(cells[:half], items[:half], noWaitMax))
	l.settle(l.still(cells[half:], items[half:], noWaitMax))
}

// noWaitMax is longer than any lane lives.
const noWaitMax = time.Duration(1<<63 - 1)

// isFinal reports whether err is about the whole call, not about a request in it.
func isFinal(err error) bool {
	_, busy := errors.AsType[*BusyError](err)
	return busy || errors.Is(err, ErrUnknown)
}

// call runs Serve behind the worker's boundary: what comes out is answers to
// all items or an error. After a panic, or an answer that does not fit, it
// is unknown what took effect (FA14).
func (l *Lane[K, Req, Res]) call(items []Item[K, Req]) (answers []Answer[Res], err error) {
	defer func() {
		if p := recover(); p != nil {
			l.tally.panics.Add(1)
			l.cfg.Logger.Error("Serve panicked", "panic", p, "batch", len(items), "stack", string(debug.Stack()))
			answers, err = nil, fmt.Errorf("queue: Serve panicked: %w", ErrUnknown)
		}
	}()
	l.tally.calls.Add(1)
	answers, err = l.serve(l.ctx, items)
	if err == nil && len(answers) != len(items) {
		err = fmt.Errorf("queue: %d answers to %d requests: %w", len(answers), len(items), ErrUnknown)
	}
	return answers, err
}
