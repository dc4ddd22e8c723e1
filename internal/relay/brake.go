package relay

import (
	"sync"
	"time"
)

// failuresMax is how many failures in a row look like an outage.
const failuresMax = 16

// A brake keeps one drain from throwing its backlog at a receiver that is out.
// While it is shut it lets one piece of work through at a time, after a wait; the
// first success opens it.
type brake struct {
	now    func() time.Time
	turned func(shut bool, cause error) // told of every change

	mu       sync.Mutex // guards the fields below
	closed   bool
	until    time.Time // shut: nothing before
	failures int       // in a row
}

func betweenProbes() wait { return wait{time.Second, 30 * time.Second} }

// allow is how many of most may be risked now.
func (b *brake) allow(most int) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case !b.closed:
		return most
	case b.now().Before(b.until):
		return 0
	}
	return min(most, 1)
}

// isShut reports whether work that has not begun should not begin.
func (b *brake) isShut() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed
}

// heard takes the outcome of one call of the receiver.
func (b *brake) heard(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil {
		b.failures = 0
		b.turn(false, nil)
		return
	}
	b.failures++
	if _, busy := retryAfter(err); busy || b.closed || b.failures >= failuresMax {
		b.close(err)
	}
}

// out shuts the brake: err was about the receiver and not about what it was
// given.
func (b *brake) out(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures = max(b.failures+1, failuresMax)
	b.close(err)
}

func (b *brake) close(err error) {
	d, busy := retryAfter(err)
	if !busy {
		d = betweenProbes().after(b.failures - failuresMax + 1)
	}
	if until := b.now().Add(d); until.After(b.until) {
		b.until = until
	}
	b.turn(true, err)
}

func (b *brake) turn(closed bool, cause error) {
	if b.closed != closed {
		b.closed = closed
		b.turned(closed, cause)
	}
}
