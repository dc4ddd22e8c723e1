package queue

import (
	"sync"
	"sync/atomic"
	"time"
)

// observationWeight is how much one transaction moves the smoothed values: the
// last ten decide. One bad commit is forgiven, a bad second is not.
const observationWeight = 0.2

// health is what a shedder knows of the database. While the database is ill,
// single requests probe it; it is well again when the smoothed values are below
// half of what made it ill, so that it does not flap.
type health struct {
	cfg     *ShedConfig
	ill     atomic.Uint32 // a cause: well, isSlow or isDown
	probeAt atomic.Int64  // when the next probe may go, time.Duration since the epoch

	mu        sync.Mutex
	latency   float64 // ns
	errorRate float64
	failures  int // in a row
}

func (h *health) state() cause { return cause(h.ill.Load()) }

// observe takes one transaction and returns the state before and after.
func (h *health) observe(latency time.Duration, err error, now time.Duration) (was, is cause) {
	h.mu.Lock()
	defer h.mu.Unlock()
	failed := 0.0
	if err != nil {
		failed = 1
		h.failures++
	} else {
		h.failures = 0
	}
	h.errorRate += observationWeight * (failed - h.errorRate)
	// A refused connection fails fast: that is not a fast database.
	if l := float64(latency); err == nil || l > h.latency {
		h.latency += observationWeight * (l - h.latency)
	}
	was, is = h.state(), h.verdict()
	if was == well && is != well {
		h.probeAt.Store(int64(now + h.cfg.ProbeEvery))
	}
	h.ill.Store(uint32(is))
	return was, is
}

// verdict judges the smoothed values. The caller holds h.mu.
func (h *health) verdict() cause {
	rateMax, latencyMax, failuresMax := h.cfg.ErrorRateMax, float64(h.cfg.LatencyMax), h.cfg.FailuresMax
	if h.state() != well {
		rateMax, latencyMax, failuresMax = rateMax/2, latencyMax/2, 1
	}
	slow := h.latency >= latencyMax
	switch {
	case h.failures >= failuresMax || h.errorRate >= rateMax || slow && h.failures > 0:
		return isDown
	case slow:
		return isSlow
	}
	return well
}

// probe gives the one probe to one caller. A probe that is never done does not
// hold the next one for longer than ProbeMax.
func (h *health) probe(now time.Duration) bool {
	at := h.probeAt.Load()
	return int64(now) >= at && h.probeAt.CompareAndSwap(at, int64(now+h.cfg.ProbeMax))
}

// probed ends a probe; the next may go after ProbeEvery.
func (h *health) probed(now time.Duration) { h.probeAt.Store(int64(now + h.cfg.ProbeEvery)) }

func (h *health) smoothed() (latency time.Duration, errorRate float64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return time.Duration(h.latency), h.errorRate
}
