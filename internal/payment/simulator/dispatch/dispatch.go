package dispatch

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"hongbao/internal/payment/simulator/ledger"
	"hongbao/internal/payment/simulator/lies"
)

const (
	// couriersMax bounds the notifications under way at once.
	InFlightMax = 32
	// heldMax bounds the notifications held back for a later one to pass.
	heldMax = 1024
)

// Event is what a notification is about: one charge, refund, payout or batch of
// payouts, once money moved or did not. It has one notification.
type Event struct {
	Kind string // charge, refund, payout or batch
	No   string // the merchant's number
}

// Taken is the kind of the record that the merchant took the notification.
func (e Event) Taken() string {
	switch e.Kind {
	case ledger.KindRefund:
		return ledger.RefundNotified
	case ledger.KindPayout:
		return ledger.TransferNotified
	case ledger.KindBatch:
		return ledger.BatchNotified
	}
	return ledger.ChargeNotified
}

// Delivery is one notification on its way. It is owned by the agenda, or by the
// task that attempts it.
type Delivery struct {
	Event
	Deceit   lies.Deceit // of the first attempt
	Attempts int         // made so far
	turn     int64       // the order of queueing
	released bool        // owned by dispatch.mu: no longer held back
	first    chan bool
}

// Dispatch delivers notifications until they are taken or the schedule is at its
// end. What waits is bounded by the book: an event has at most one delivery.
type Dispatch struct {
	*Agenda
	deliver  func(ctx context.Context, n *Delivery) error // one attempt
	schedule []time.Duration
	log      *slog.Logger

	mu    sync.Mutex
	turns int64
	held  []*Delivery // until a later one was attempted
}

// New delivers by attempts of deliver.
func New(deliver func(context.Context, *Delivery) error, schedule []time.Duration, log *slog.Logger) *Dispatch {
	return &Dispatch{Agenda: NewAgenda(InFlightMax), deliver: deliver, schedule: schedule, log: log}
}

// Notify queues the notification of an event and returns a channel for
// the outcome of the first attempt.
func (d *Dispatch) Notify(e Event, how lies.Deceit) <-chan bool {
	n := &Delivery{Event: e, Deceit: how, first: make(chan bool, 1)}
	if how.Drop {
		n.first <- false
		return n.first
	}
	due := time.Now().Add(how.Late)
	if d.enqueue(n) {
		d.At(due, func(ctx context.Context) {
			if d.release(n) {
				d.attempt(ctx, n)
			}
		})
	} else {
		d.At(due, func(ctx context.Context) { d.attempt(ctx, n) })
	}
	return n.first
}

// enqueue gives the delivery its turn, and reports whether it is held back.
func (d *Dispatch) enqueue(n *Delivery) (held bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.turns++
	n.turn = d.turns
	held = n.Deceit.Hold && len(d.held) < heldMax
	if held {
		d.held = append(d.held, n)
	}
	return held
}

// release takes a delivery off the held ones; false says that it went already.
func (d *Dispatch) release(n *Delivery) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n.released {
		return false
	}
	n.released = true
	d.held = slices.DeleteFunc(d.held, func(h *Delivery) bool { return h == n })
	return true
}

// passed sends what was held back for a delivery of this turn to go first.
func (d *Dispatch) passed(turn int64) {
	d.mu.Lock()
	var free []*Delivery
	for _, h := range d.held {
		if h.turn < turn {
			free = append(free, h)
		}
	}
	d.mu.Unlock()
	for _, h := range free {
		if d.release(h) {
			d.At(time.Now(), func(ctx context.Context) { d.attempt(ctx, h) })
		}
	}
}

func (d *Dispatch) attempt(ctx context.Context, n *Delivery) {
	err := d.deliver(ctx, n)
	n.Attempts++
	if n.Attempts == 1 {
		n.first <- err == nil
		d.passed(n.turn)
	}
	switch {
	case err == nil:
	case n.Attempts > len(d.schedule):
		d.log.Error("notification given up", "kind", n.Kind, "no", n.No, "attempts", n.Attempts, "error", err)
	default:
		wait := d.schedule[n.Attempts-1]
		d.log.Warn("notification not taken", "kind", n.Kind, "no", n.No, "attempt", n.Attempts, "retry_in", wait, "error", err)
		d.At(time.Now().Add(wait), func(ctx context.Context) { d.attempt(ctx, n) })
	}
}

// DefaultSchedule is the real provider's shape, 16 deliveries, compressed from a
// day to about an hour and a half.
func DefaultSchedule() []time.Duration {
	return []time.Duration{
		time.Second, 2 * time.Second, 5 * time.Second, 15 * time.Second, 30 * time.Second,
		time.Minute, time.Minute, 2 * time.Minute, 3 * time.Minute, 5 * time.Minute,
		5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 20 * time.Minute, 30 * time.Minute,
	}
}
