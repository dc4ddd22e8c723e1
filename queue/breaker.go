package queue

import (
	"sync/atomic"
	"time"
)

// breaker is a circuit breaker in front of a store. It opens after failuresMax
// failures in a row; while it is open one caller per probeEvery probes, and any
// success closes it, also of a call that began before. A library's would take a
// mutex for every opener and read its own clock; this takes one atomic load.
type breaker struct {
	failuresMax int32
	probeEvery  time.Duration

	failures atomic.Int32
	open     atomic.Bool
	probeAt  atomic.Int64 // time.Duration since the gate's epoch
}

// report takes the outcome of an operation and reports whether it changed the state.
func (b *breaker) report(err error, now time.Duration) (changed bool) {
	if err == nil {
		if b.failures.Load() != 0 {
			b.failures.Store(0)
		}
		return b.open.Load() && b.open.CompareAndSwap(true, false)
	}
	if b.failures.Add(1) < b.failuresMax || !b.open.CompareAndSwap(false, true) {
		return false
	}
	b.probeAt.Store(int64(now + b.probeEvery))
	return true
}

// probeDue gives the next probe to one caller.
func (b *breaker) probeDue(now time.Duration) bool {
	at := b.probeAt.Load()
	return int64(now) >= at && b.probeAt.CompareAndSwap(at, int64(now+b.probeEvery))
}
