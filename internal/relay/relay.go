package relay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"hongbao/envelope"
)

// Bounds of the transfers by bill under way at once.
const (
	InFlightDefault = 64
	inFlightMax     = 1024
)

// Config is what a relay works with. All of it is required unless said
// otherwise.
type Config struct {
	Store      Store
	Orders     Orders
	Cashier    envelope.Cashier
	Bookkeeper envelope.Bookkeeper
	Events     Events
	// Gone reports whether an error of Events says that its receiver is gone for
	// good, which pauses the topic until people resume it. Optional.
	Gone func(error) bool
	// Backlog maps topics to what waits under them; nil when another process reports
	// it. Asked every few seconds.
	Backlog   func(ctx context.Context) (map[string]Backlog, error)
	PayWithin time.Duration // from order to closing it unpaid, as in envelope.Limits
	InFlight  int           // transfers by bill at the provider at a time, 16 to 1024; 0 for InFlightDefault
	Now       func() time.Time
	Log       *slog.Logger
}

// validate fills in the default of InFlight, and holds everything to its bounds.
func (c *Config) validate() error {
	c.InFlight = cmp.Or(c.InFlight, InFlightDefault)
	switch {
	case c.Store == nil || c.Orders == nil || c.Cashier == nil || c.Bookkeeper == nil || c.Events == nil:
		return errors.New("relay: store, orders, cashier, bookkeeper and events are all required")
	case c.Backlog == nil || c.Now == nil || c.Log == nil:
		return errors.New("relay: backlog, now and log are all required")
	case c.PayWithin < time.Second || c.PayWithin > 24*time.Hour:
		return fmt.Errorf("relay: want 1s <= pay within <= 24h, have %v", c.PayWithin)
	case c.InFlight < transferClaimMin || c.InFlight > inFlightMax:
		return fmt.Errorf("relay: want %d <= in flight <= %d, have %d", transferClaimMin, inFlightMax, c.InFlight)
	}
	return nil
}

// Relay carries out what one SET has committed.
type Relay struct {
	cfg      Config
	metrics  *metrics
	pauses   *pauses
	recorder *recorder
	jobs     []job
	wakes    []chan struct{} // of the drains of what is spread; buffered 1

	batchDue chan struct{} // one of wakes

	eventsNext int // to be claimed; owned by the drain of events

	book, event, charge *breaker
	transfer            *breaker // of bills and batches: they have one receiver

	bills, batches *inFlight      // at the provider
	calls          sync.WaitGroup // the bills and batches in flight

	notices chan envelope.PayoutBatchStatus
}

// New refuses an incomplete configuration.
func New(cfg Config) (*Relay, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	r := &Relay{
		cfg:      cfg,
		metrics:  newMetrics(),
		pauses:   &pauses{ask: cfg.Store.Paused, now: cfg.Now},
		recorder: newRecorder(cfg.Store.RecordTransfers),
		bills:    newInFlight(cfg.InFlight, transferClaimMin),
		batches:  newInFlight(batchesInFlight, 1),
		notices:  make(chan envelope.PayoutBatchStatus, noticesMax),

		eventsNext: eventsMin,
	}
	r.charge, r.book = r.newBreaker(string(envelope.TopicCharge)), r.newBreaker(string(envelope.TopicBook))
	r.event, r.transfer = r.newBreaker(string(envelope.TopicEvent)), r.newBreaker(topicTransfer)
	r.jobs = []job{
		{topic: topicOutbox, run: r.spreadOnce, full: spreadFull, gather: spreadGatherFor, every: pollEvery, wake: cfg.Store.Touched()},
		{topic: "backlog", run: r.backlogOnce, full: 1, every: backlogEvery},
		// Charges are looked at by their age, and none comes from the outbox.
		{topic: string(envelope.TopicCharge), run: r.chargeOnce, full: chargesMax, gather: gatherFor, every: pollEvery},
	}
	r.drain(string(envelope.TopicBook), r.bookOnce, booksMax)
	r.drain(string(envelope.TopicEvent), r.eventOnce, eventsMin)
	r.drain(topicTransfer, r.transferOnce, transferClaimMin)
	r.batchDue = r.drain(topicTransfer, r.batchOnce, batchesInFlight)
	return r, nil
}

// drain adds a job that carries out what is spread, and returns what wakes it.
func (r *Relay) drain(topic string, run func(context.Context) (int, error), full int) chan struct{} {
	wake := make(chan struct{}, 1)
	r.wakes = append(r.wakes, wake)
	r.jobs = append(r.jobs, job{topic: topic, run: run, full: full, gather: gatherFor, every: pollEvery, wake: wake})
	return wake
}

func wakeUp(wake chan<- struct{}) {
	select {
	case wake <- struct{}{}:
	default: // it has yet to look at an earlier one
	}
}

// newBreaker makes the circuit breaker of one topic's receiver.
func (r *Relay) newBreaker(topic string) *breaker {
	return &breaker{now: r.cfg.Now, changed: func(open bool, cause error) {
		r.metrics.breakerOpen(topic, open)
		if open {
			r.cfg.Log.Warn("a receiver is out; it is only probed until it answers", "topic", topic, "cause", cause)
			return
		}
		r.cfg.Log.Info("a receiver answers again", "topic", topic)
	}}
}

// Run works until ctx ends, and a relay runs once. What has been begun by then is
// finished within its own bounds, some 30 seconds at most; what is cut off there
// is found again when its lease ends.
func (r *Relay) Run(ctx context.Context) {
	var recording, loops sync.WaitGroup
	stop := make(chan struct{})
	recording.Go(func() { r.recorder.run(context.WithoutCancel(ctx), stop) })
	for range noticesInFlight {
		recording.Go(func() { r.recordNotices(context.WithoutCancel(ctx), stop) })
	}
	for _, j := range r.jobs {
		loops.Go(func() { r.loop(ctx, j) })
	}
	loops.Wait()
	r.calls.Wait()
	close(stop)
	recording.Wait()
}

const (
	spreadRowsMax = 1024 // outbox rows in one transaction
	spreadFull    = 512  // envelopes named by so many rows that there may be more
	spreadMax     = 10 * time.Second
)

// spreadOnce turns what was committed into work, and wakes the drains that do it.
func (r *Relay) spreadOnce(ctx context.Context) (int, error) {
	if paused, err := r.pauses.paused(ctx, topicOutbox); paused || err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, spreadMax)
	defer cancel()
	n, err := r.cfg.Store.Spread(ctx, spreadRowsMax)
	if err != nil {
		return 0, fmt.Errorf("spread: %w", err)
	}
	if n > 0 {
		r.metrics.spread.Add(float64(n))
		for _, wake := range r.wakes {
			wakeUp(wake)
		}
	}
	return n, nil
}

const (
	backlogEvery = 5 * time.Second
	backlogMax   = 2 * time.Second
)

func (r *Relay) backlogOnce(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, backlogMax)
	defer cancel()
	all, err := r.cfg.Backlog(ctx)
	if err != nil || all == nil {
		r.metrics.quiet()
	}
	if err != nil {
		return 0, fmt.Errorf("backlog: %w", err)
	}
	for topic, b := range all {
		r.metrics.waiting(topic, b)
	}
	return 0, nil
}

// alarm says what people must look at.
func (r *Relay) alarm(topic, what string, args ...any) {
	r.metrics.alarms.WithLabelValues(topic).Inc()
	r.cfg.Log.Error(what, append([]any{"topic", topic}, args...)...)
}
