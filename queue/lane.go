package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Serve carries out a batch and answers it: as many answers as items, in the
// same order. Items of one key come in admission order. The batch is the
// lane's and must not be kept.
//
// An error means that nothing of the batch took effect. The lane then halves
// the batch and calls again, down to single items, so that a poisoned request
// fails alone with its error (FA8). Two errors end it for the whole call:
// one wrapping ErrUnknown, because running again might do things twice, and a
// *BusyError, because it is about the resource and not about a request.
//
// ctx ends when Close has given up waiting; Serve bounds its own waits.
type Serve[K comparable, Req, Res any] func(ctx context.Context, batch []Item[K, Req]) ([]Answer[Res], error)

// LaneConfig sets the bounds of a lane. A zero field means its default.
type LaneConfig struct {
	BatchMax   int           // requests in one call of Serve, 1..4096; default 256
	QueueMax   int           // waiting requests of one key, 1..LaneMax; default 2,000 or LaneMax
	LaneMax    int           // waiting requests of all keys; default 20,000
	PerKeyTurn int           // requests a key may take before the next ready key, 1..BatchMax; default 32 or BatchMax
	WaitMax    time.Duration // longest wait for service, 1 ms..1 min; default 1 s
	RetryAfter time.Duration // middle of the jittered Retry-After of refusals; default 1 s
	Logger     *slog.Logger  // hears of panics in Serve; default slog.Default()
}

func (c *LaneConfig) setDefaults() {
	c.BatchMax = cmp.Or(c.BatchMax, 256)
	c.LaneMax = cmp.Or(c.LaneMax, 20_000)
	c.QueueMax = cmp.Or(c.QueueMax, max(1, min(2_000, c.LaneMax)))
	c.PerKeyTurn = cmp.Or(c.PerKeyTurn, max(1, min(32, c.BatchMax)))
	c.WaitMax = cmp.Or(c.WaitMax, time.Second)
	c.RetryAfter = cmp.Or(c.RetryAfter, retryAfterDefault)
	c.Logger = cmp.Or(c.Logger, slog.Default())
}

func (c *LaneConfig) validate() error {
	return errors.Join(
		within("LaneConfig.BatchMax", c.BatchMax, 1, 1<<bisectDepthMax),
		within("LaneConfig.LaneMax", c.LaneMax, 1, 1<<24),
		within("LaneConfig.QueueMax", c.QueueMax, 1, max(1, c.LaneMax)),
		within("LaneConfig.PerKeyTurn", c.PerKeyTurn, 1, max(1, c.BatchMax)),
		within("LaneConfig.WaitMax", c.WaitMax, time.Millisecond, time.Minute),
		within("LaneConfig.RetryAfter", c.RetryAfter, time.Millisecond, time.Hour),
	)
}

// Lane is a bounded FIFO per key in front of one worker that serves ready keys
// round-robin, many requests a call. It never waits for company: an idle lane
// serves a single request at once, and batches form while Serve is running.
//
// One mutex guards the queues; it is held for pointer moves only, never while
// serving, answering or logging. The worker owns the batch.
type Lane[K comparable, Req, Res any] struct {
	cfg   LaneConfig
	serve Serve[K, Req, Res]
	epoch time.Time // ages are durations since it: one monotonic read each

	ctx     context.Context // of Serve
	cancel  context.CancelFunc
	stopped chan struct{} // closed when the worker has gone

	full, laneFull, expired, draining *refusals
	cells                             sync.Pool

	mu        sync.Mutex
	queued    queues[K, Req, Res]
	work      sync.Cond // the worker waits here for a request or for Close
	inService []*cell[K, Req, Res]
	reaper    *time.Timer // expires requests while Serve is busy
	reaping   bool        // the reaper is set
	counts    laneCounts
	closed    atomic.Bool // written under mu

	batch   worker[K, Req, Res] // the worker goroutine's own
	serving atomic.Int64        // when the batch in service began, -1 when idle: the worker's, read by all
	tally   tally
}

// NewLane starts the worker of a new lane. Close ends it.
func NewLane[K comparable, Req, Res any](cfg LaneConfig, serve Serve[K, Req, Res]) (*Lane[K, Req, Res], error) {
	if serve == nil {
		return nil, errors.New("queue: a lane needs a Serve")
	}
	cfg.setDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	l := &Lane[K, Req, Res]{
		cfg: cfg, serve: serve, epoch: time.Now(), stopped: make(chan struct{}),
		full:     newRefusals(ReasonQueueFull, cfg.RetryAfter),
		laneFull: newRefusals(ReasonLaneFull, cfg.RetryAfter),
		expired:  newRefusals(ReasonExpired, cfg.RetryAfter),
		draining: newRefusals(ReasonDraining, cfg.RetryAfter),
	}
	l.serving.Store(-1)
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.cells.New = func() any {
		c := &cell[K, Req, Res]{done: make(chan struct{}, 1)}
		c.inLine.owner, c.inAge.owner = c, c
		return c
	}
	l.queued.init()
	l.work.L = &l.mu
	l.reaper = time.AfterFunc(time.Hour, l.reap)
	l.reaper.Stop()
	go l.run()
	return l, nil
}

// Do queues req behind the requests of key already admitted and waits for its
// answer. Errors:
//   - *BusyError: not admitted, or dropped before service because it waited
//     WaitMax or ctx ended; it did not take effect;
//   - ErrClosed: the lane is closing; it did not take effect;
//   - wrapping ErrUnknown: ctx ended, Serve panicked or Close gave up while it
//     was being served;
//   - anything else: what Serve answered.
func (l *Lane[K, Req, Res]) Do(ctx context.Context, key K, req Req) (Res, error) {
	c := l.cells.Get().(*cell[K, Req, Res])
	c.item, c.ctx = Item[K, Req]{key, req}, ctx
	c.state.Store(pending)
	if err := l.admit(c); err != nil {
		l.recycle(c)
		var none Res
		return none, err
	}
	select {
	case <-c.done:
	case <-ctx.Done():
		if err := l.leave(ctx, c); err != nil {
			var none Res
			return none, err
		}
	}
	answer := c.answer
	l.recycle(c)
	return answer.Res, answer.Err
}

// admit queues c or says why not.
func (l *Lane[K, Req, Res]) admit(c *cell[K, Req, Res]) error {
	c.admitted = l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed.Load():
		return ErrClosed
	case l.queued.n >= l.cfg.LaneMax:
		l.counts.laneFull++
		return l.laneFull.next()
	case !l.queued.push(c, l.cfg.QueueMax):
		l.counts.queueFull++
		return l.full.next()
	}
	l.counts.admitted++
	if !l.reaping {
		l.reaping = true
		l.reaper.Reset(l.cfg.WaitMax)
	}
	l.work.Signal()
	return nil
}

// leave is the caller of c giving up. No error means that an answer was there
// first. Only a request that may have reached Serve is unknown; its cell is the
// worker's from then on.
func (l *Lane[K, Req, Res]) leave(ctx context.Context, c *cell[K, Req, Res]) error {
	l.mu.Lock()
	queued := c.line != nil
	if queued {
		l.queued.remove(c)
		l.queued.noteOldest()
		l.counts.expired++
	}
	l.mu.Unlock()
	if queued {
		l.recycle(c)
		return l.expired.next()
	}
	if c.state.CompareAndSwap(pending, left) {
		return fmt.Errorf("queue: caller left while being served: %w: %w", ErrUnknown, context.Cause(ctx))
	}
	<-c.done
	return nil
}

// finish answers c, once. If the caller has left, the cell is the lane's again;
// if Close has answered before, the lane is closed and keeps no cells.
func (l *Lane[K, Req, Res]) finish(c *cell[K, Req, Res], a Answer[Res]) {
	if c.state.CompareAndSwap(pending, answered) {
		c.answer = a
		c.done <- struct{}{}
		return
	}
	l.recycle(c)
}

// recycle returns a cell without references. A closed lane pools nothing: Close
// may have answered a cell that the worker still holds.
func (l *Lane[K, Req, Res]) recycle(c *cell[K, Req, Res]) {
	if l.closed.Load() {
		return
	}
	c.item, c.ctx, c.answer = Item[K, Req]{}, nil, Answer[Res]{}
	l.cells.Put(c)
}

// reap answers the requests that have waited WaitMax, so that a Serve that
// hangs holds no request in the queue (FA11). It is set while requests wait and
// runs about once a WaitMax, whatever the load.
func (l *Lane[K, Req, Res]) reap() {
	var late []*cell[K, Req, Res]
	l.mu.Lock()
	now := l.now()
	c := l.queued.byAge.front()
	for ; c != nil && now-c.admitted >= l.cfg.WaitMax; c = l.queued.byAge.front() {
		l.queued.remove(c)
		late = append(late, c)
	}
	l.queued.noteOldest()
	l.counts.expired += uint64(len(late))
	if l.reaping = c != nil; l.reaping {
		l.reaper.Reset(c.admitted + l.cfg.WaitMax - now)
	}
	l.mu.Unlock()
	for _, c := range late {
		l.finish(c, Answer[Res]{Err: l.expired.next()})
	}
}

// Close refuses new requests and waits until everything admitted has been
// served. When ctx ends first, waiting requests are answered busy, the ones
// being served ErrUnknown, and Serve's context ends; Close then returns without
// waiting for Serve. No request is left without an answer (FA15). It may be called
// again.
func (l *Lane[K, Req, Res]) Close(ctx context.Context) error {
	l.mu.Lock()
	l.closed.Store(true)
	l.mu.Unlock()
	l.work.Signal()
	select {
	case <-l.stopped:
		l.cancel()
		return nil
	case <-ctx.Done():
		l.cancel()
		unserved, served := l.abandon()
		return fmt.Errorf("queue: lane closed with %d requests waiting and %d in service: %w", unserved, served, context.Cause(ctx))
	}
}

// abandon answers every request still in the lane.
func (l *Lane[K, Req, Res]) abandon() (unserved, served int) {
	l.mu.Lock()
	waiting := l.queued.take(nil, l.queued.n, l.queued.n)
	serving := l.inService
	l.inService = nil
	l.counts.expired += uint64(len(waiting))
	l.mu.Unlock()
	for _, c := range waiting {
		l.finish(c, Answer[Res]{Err: l.draining.next()})
	}
	unknown := fmt.Errorf("queue: lane closed while serving: %w", ErrUnknown)
	for _, c := range serving {
		l.finish(c, Answer[Res]{Err: unknown})
	}
	return len(waiting), len(serving)
}

func (l *Lane[K, Req, Res]) now() time.Duration { return time.Since(l.epoch) }
