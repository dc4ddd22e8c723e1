package simulator

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"
)

const (
	// couriersMax bounds the notifications under way at once.
	couriersMax = 32
	// heldMax bounds the notifications held back for a later one to pass.
	heldMax = 1024
)

// event is what a notification is about: one charge, refund, payout or batch of
// payouts, once money moved or did not. It has one notification.
type event struct {
	kind string // charge, refund, payout or batch
	no   string // the merchant's number
}

// taken is the kind of the record that the merchant took the notification.
func (e event) taken() string {
	switch e.kind {
	case kindRefund:
		return refundNotified
	case kindPayout:
		return transferNotified
	case kindBatch:
		return batchNotified
	}
	return notified
}

// delivery is one notification on its way. Whoever holds it owns it: the agenda
// or one courier.
type delivery struct {
	event
	deceit   deceit // told with the first attempt
	attempts int    // made so far
	turn     int64  // the order of queueing
	released bool   // owned by dispatch.mu: no longer held back
	first    chan bool
}

// dispatch delivers notifications until they are taken or the schedule is at its
// end. What waits is bounded by the book: an event has at most one delivery.
type dispatch struct {
	*agenda
	deliver  func(ctx context.Context, n *delivery) error // one attempt
	schedule []time.Duration
	log      *slog.Logger

	mu    sync.Mutex
	turns int64
	held  []*delivery // until a later one was attempted
}

func newDispatch(deliver func(context.Context, *delivery) error, schedule []time.Duration, log *slog.Logger) *dispatch {
	return &dispatch{agenda: newAgenda(couriersMax), deliver: deliver, schedule: schedule, log: log}
}

// notify queues the notification of an event and returns where the outcome of
// the first attempt will be told.
func (d *dispatch) notify(e event, how deceit) <-chan bool {
	n := &delivery{event: e, deceit: how, first: make(chan bool, 1)}
	if how.drop {
		n.first <- false
		return n.first
	}
	due := time.Now().Add(how.late)
	if d.enqueue(n) {
		d.at(due, func(ctx context.Context) {
			if d.release(n) {
				d.attempt(ctx, n)
			}
		})
	} else {
		d.at(due, func(ctx context.Context) { d.attempt(ctx, n) })
	}
	return n.first
}

// enqueue gives the delivery its turn, and reports whether it is held back.
func (d *dispatch) enqueue(n *delivery) (held bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.turns++
	n.turn = d.turns
	held = n.deceit.hold && len(d.held) < heldMax
	if held {
		d.held = append(d.held, n)
	}
	return held
}

// release takes a delivery off the held ones; false says that it went already.
func (d *dispatch) release(n *delivery) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n.released {
		return false
	}
	n.released = true
	d.held = slices.DeleteFunc(d.held, func(h *delivery) bool { return h == n })
	return true
}

// passed sends what was held back for a delivery of this turn to go first.
func (d *dispatch) passed(turn int64) {
	d.mu.Lock()
	var free []*delivery
	for _, h := range d.held {
		if h.turn < turn {
			free = append(free, h)
		}
	}
	d.mu.Unlock()
	for _, h := range free {
		if d.release(h) {
			d.at(time.Now(), func(ctx context.Context) { d.attempt(ctx, h) })
		}
	}
}

func (d *dispatch) attempt(ctx context.Context, n *delivery) {
	err := d.deliver(ctx, n)
	n.attempts++
	if n.attempts == 1 {
		n.first <- err == nil
		d.passed(n.turn)
	}
	switch {
	case err == nil:
	case n.attempts > len(d.schedule):
		d.log.Error("notification given up", "kind", n.kind, "no", n.no, "attempts", n.attempts, "error", err)
	default:
		wait := d.schedule[n.attempts-1]
		d.log.Warn("notification not taken", "kind", n.kind, "no", n.no, "attempt", n.attempts, "retry_in", wait, "error", err)
		d.at(time.Now().Add(wait), func(ctx context.Context) { d.attempt(ctx, n) })
	}
}
