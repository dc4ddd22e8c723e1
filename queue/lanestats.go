package queue

import (
	"sync/atomic"
	"time"
)

// LaneStats is a snapshot of a lane. Counters count from the lane's start.
type LaneStats struct {
	Queued int           // requests waiting
	Keys   int           // keys they belong to
	Age    time.Duration // of the oldest request waiting, or of the batch in service

	Admitted  uint64 // requests queued
	Served    uint64 // requests handed to Serve
	Batches   uint64 // batches handed to Serve
	Calls     uint64 // calls of Serve; more than Batches when batches were halved
	Expired   uint64 // requests dropped before service
	QueueFull uint64 // requests refused because their key had QueueMax
	LaneFull  uint64 // requests refused because the lane had LaneMax
	Panics    uint64 // calls of Serve that panicked

	MeanBatch  float64   // Served / Batches, 0 before the first
	BatchSizes Histogram // requests taken from the queues at once
	Waits      Histogram // from admission to being taken, in microseconds
}

// laneCounts are the counters guarded by Lane.mu.
type laneCounts struct {
	admitted, queueFull, laneFull, expired uint64
	batches, waits                         Histogram
}

// tally are the counters the worker keeps outside the mutex, by the batch.
type tally struct {
	served, batches, calls, expired, panics atomic.Uint64
}

// Age returns how long the oldest waiting request has waited, or the batch in
// service has been served, whichever is longer; 0 when the lane is idle. A Serve
// that hangs so grows old even when no request waits behind it. It takes no lock.
func (l *Lane[K, Req, Res]) Age() time.Duration {
	since := l.queued.oldest.Load()
	if began := l.serving.Load(); since < 0 || began >= 0 && began < since {
		since = began
	}
	if since < 0 {
		return 0
	}
	return max(0, l.now()-time.Duration(since))
}

// Stats returns a snapshot.
func (l *Lane[K, Req, Res]) Stats() LaneStats {
	s := LaneStats{
		Age:     l.Age(),
		Served:  l.tally.served.Load(),
		Batches: l.tally.batches.Load(),
		Calls:   l.tally.calls.Load(),
		Expired: l.tally.expired.Load(),
		Panics:  l.tally.panics.Load(),
	}
	if s.Batches > 0 {
		s.MeanBatch = float64(s.Served) / float64(s.Batches)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s.Queued, s.Keys = l.queued.n, len(l.queued.lines)
	s.Admitted, s.QueueFull, s.LaneFull = l.counts.admitted, l.counts.queueFull, l.counts.laneFull
	s.Expired += l.counts.expired
	s.BatchSizes, s.Waits = l.counts.batches, l.counts.waits
	return s
}
