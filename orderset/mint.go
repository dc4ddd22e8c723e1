package orderset

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sony/sonyflake/v2"

	"hongbao/envelope"
)

// stepBackMax is how far the clock may step back before minting is refused.
// sonyflake waits out small steps; a large one would hold it for as long.
const stepBackMax = 50 * time.Millisecond

const retryAfterMint = time.Second

var (
	errNoLease     = &envelope.BusyError{Reason: envelope.ReasonNoLease, RetryAfter: retryAfterMint}
	errClockBehind = &envelope.BusyError{Reason: envelope.ReasonClockBehind, RetryAfter: retryAfterMint}
)

// mint makes bodies under one leased machine number at a time. Every body's
// millisecond lies inside the lease, and the next owner of the number starts
// after it; that, not the clocks' agreement, is what keeps bodies unique.
type mint struct {
	now func() time.Time

	mu    sync.Mutex // guards the fields below
	flake *sonyflake.Sonyflake
	lease lease
	last  time.Time // of the newest body, or where the lease starts: the high-water mark
}

// take starts minting under a lease.
func (m *mint) take(l lease) error {
	flake, err := sonyflake.New(sonyflake.Settings{
		BitsSequence:  envelope.BodySequenceBits,
		BitsMachineID: envelope.BodyMachineBits,
		TimeUnit:      time.Millisecond,
		StartTime:     envelope.BodyEpoch(),
		MachineID:     func() (int, error) { return l.machine, nil },
	})
	if err != nil {
		return fmt.Errorf("mint under machine number %d: %w", l.machine, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.flake, m.lease = flake, l
	if m.last.Before(l.since) {
		m.last = l.since
	}
	return nil
}

// extend moves the end of the current lease.
func (m *mint) extend(until time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lease.until = until
}

// stop ends minting and returns the lease with the time up to which it was
// used.
func (m *mint) stop() (lease, time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.lease
	m.flake, m.lease = nil, lease{}
	return l, m.last
}

// body mints one. It refuses rather than waits: without a lease, past its end,
// or when the clock has stepped back.
func (m *mint) body() (envelope.Body, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	switch {
	case m.flake == nil || now.After(m.lease.until):
		return 0, errNoLease
	case now.Before(m.last.Add(-stepBackMax)):
		return 0, errClockBehind
	}
	n, err := m.flake.NextID()
	if err != nil {
		return 0, fmt.Errorf("mint: %w", err)
	}
	b := envelope.Body(n)
	switch at := b.Time(); {
	case at.After(m.lease.until):
		return 0, errNoLease
	case !at.After(m.lease.since):
		return 0, errClockBehind
	default:
		m.last = at
	}
	return b, nil
}

// remaining is how long the lease lasts; below zero without one.
func (m *mint) remaining() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.flake == nil {
		return -1
	}
	return m.lease.until.Sub(m.now())
}

// state tells readiness whether this process can mint, and why not.
func (m *mint) state() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch now := m.now(); {
	case m.flake == nil || now.After(m.lease.until):
		return errors.New("no machine number is leased")
	case now.Before(m.last.Add(-stepBackMax)):
		return fmt.Errorf("the clock stepped back by %v", m.last.Sub(now))
	}
	return nil
}

// Mint makes a body that no other envelope has or will have.
func (r *Router) Mint(context.Context) (envelope.Body, error) { return r.mint.body() }
