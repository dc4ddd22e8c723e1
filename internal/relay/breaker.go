package relay

import (
	"sync"
	"time"
)

// failuresMax is how many failures in a row look like an outage.
const failuresMax = 16

// A breaker is the circuit breaker in front of one receiver: it keeps a drain from
// sending its backlog to a receiver that is out. It opens at a busy answer, or at
// failuresMax failures in a row. While it is open it allows one piece of work at a
// time, after a wait; the first success closes it.
//
// The breaker of failsafe-go does not serve here. Its delay knows nothing of a call
// that is recorded when it has ended, and here the receiver says how long to wait;
// what was in flight when it opened must still close it or prolong the wait; and a
// permit for a trial that finds nothing due could not be given back.
type breaker struct {
	now     func() time.Time
	changed func(open bool, cause error) // called at every change

	mu       sync.Mutex // guards the fields below
	open     bool
	until    time.Time // while open: nothing before
	failures int       // in a row
}

func betweenProbes() wait { return wait{time.Second, 30 * time.Second} }

// allow is how many of most may be risked now.
func (b *breaker) allow(most int) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case !b.open:
		return most
	case b.now().Before(b.until):
		return 0
	}
	return min(most, 1)
}

// isOpen reports whether work that has not begun should not begin.
func (b *breaker) isOpen() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.open
}

// record takes the outcome of one call of the receiver.
func (b *breaker) record(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil {
		b.failures = 0
		b.set(false, nil)
		return
	}
	b.failures++
	if _, busy := retryAfter(err); busy || b.open || b.failures >= failuresMax {
		b.openFor(err)
	}
}

// trip opens the breaker: err was about the receiver and not about what it was
// given.
func (b *breaker) trip(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures = max(b.failures+1, failuresMax)
	b.openFor(err)
}

// openFor keeps the breaker open for as long as err asks, at least.
func (b *breaker) openFor(err error) {
	d, busy := retryAfter(err)
	if !busy {
		d = betweenProbes().after(b.failures - failuresMax + 1)
	}
	if until := b.now().Add(d); until.After(b.until) {
		b.until = until
	}
	b.set(true, err)
}

func (b *breaker) set(open bool, cause error) {
	if b.open != open {
		b.open = open
		b.changed(open, cause)
	}
}
