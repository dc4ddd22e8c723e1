package simulator

import (
	"container/heap"
	"context"
	"log/slog"
	"sync"
	"time"
)

// couriersMax bounds the notifications under way at once.
const couriersMax = 32

// delivery is the notification of one payment. Whoever holds it owns it: the
// queue, the scheduler or one courier.
type delivery struct {
	orderNo  string
	attempts int // made so far
	due      time.Time
	first    chan bool // buffered; told whether the first attempt was taken
}

// dispatch delivers notifications until they are taken or the schedule is at its
// end. What waits is bounded by the book: an order has at most one delivery.
type dispatch struct {
	deliver  func(ctx context.Context, orderNo string) error // one attempt
	schedule []time.Duration
	log      *slog.Logger

	mu     sync.Mutex
	queue  dueFirst
	change chan struct{} // buffered 1: the queue has a new first
}

func newDispatch(deliver func(context.Context, string) error, schedule []time.Duration, log *slog.Logger) *dispatch {
	return &dispatch{deliver: deliver, schedule: schedule, log: log, change: make(chan struct{}, 1)}
}

// notify queues the notification of an order and returns where the outcome of
// the first attempt will be told.
func (d *dispatch) notify(orderNo string) <-chan bool {
	n := &delivery{orderNo: orderNo, due: time.Now(), first: make(chan bool, 1)}
	d.push(n)
	return n.first
}

func (d *dispatch) push(n *delivery) {
	d.mu.Lock()
	heap.Push(&d.queue, n)
	d.mu.Unlock()
	select {
	case d.change <- struct{}{}:
	default: // the scheduler has yet to look at an earlier change
	}
}

// pop takes what is due, or says how long until something is.
func (d *dispatch) pop() (n *delivery, wait time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.queue) == 0 {
		return nil, scheduleWaitMax
	}
	if wait = time.Until(d.queue[0].due); wait > 0 {
		return nil, wait
	}
	return heap.Pop(&d.queue).(*delivery), 0
}

// run delivers until ctx ends. The attempts under way have their time to finish,
// which is callbackMax, so that what a merchant takes is written down as taken.
func (d *dispatch) run(ctx context.Context) {
	work := make(chan *delivery)
	var couriers sync.WaitGroup
	for range couriersMax {
		couriers.Go(func() {
			for n := range work {
				d.attempt(context.WithoutCancel(ctx), n)
			}
		})
	}
	defer couriers.Wait()
	defer close(work)
	for {
		n, wait := d.pop()
		if n == nil && !d.sleep(ctx, wait) {
			return
		}
		if n == nil {
			continue
		}
		select {
		case work <- n:
		case <-ctx.Done():
			return
		}
	}
}

// sleep waits for a change of the queue or the time; false is the end of ctx.
func (d *dispatch) sleep(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-d.change:
	case <-ctx.Done():
		return false
	}
	return true
}

func (d *dispatch) attempt(ctx context.Context, n *delivery) {
	err := d.deliver(ctx, n.orderNo)
	n.attempts++
	if n.attempts == 1 {
		n.first <- err == nil
	}
	switch {
	case err == nil:
	case n.attempts > len(d.schedule):
		d.log.Error("notification given up", "order_no", n.orderNo, "attempts", n.attempts, "err", err)
	default:
		wait := d.schedule[n.attempts-1]
		d.log.Warn("notification not taken", "order_no", n.orderNo, "attempt", n.attempts, "retry_in", wait, "err", err)
		n.due = time.Now().Add(wait)
		d.push(n)
	}
}

// dueFirst is a heap.
type dueFirst []*delivery

func (q dueFirst) Len() int           { return len(q) }
func (q dueFirst) Less(i, j int) bool { return q[i].due.Before(q[j].due) }
func (q dueFirst) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *dueFirst) Push(x any)        { *q = append(*q, x.(*delivery)) }
func (q *dueFirst) Pop() any {
	last := len(*q) - 1
	n := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return n
}
