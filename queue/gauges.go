package queue

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// cpuSmoothing is the time over which the CPU gauge is smoothed: a burst of a
// few hundred milliseconds is what queues are for.
const cpuSmoothing = 2 * time.Second

// gauges are the signals of a shedder that cost too much to look at for every
// request. Both are switches with two thresholds, so that they do not flap.
type gauges struct {
	lookAt    atomic.Int64 // when a look is due, time.Duration since the epoch
	hot, late atomic.Bool

	mu     sync.Mutex // one looks at a time
	looked time.Duration
	cpu    float64 // smoothed share
}

// look refreshes the signals if that is due and no other call is at it.
func (g *gauges) look(cfg *ShedConfig, now time.Duration) {
	if int64(now) < g.lookAt.Load() || !g.mu.TryLock() {
		return
	}
	defer g.mu.Unlock()
	if int64(now) < g.lookAt.Load() {
		return
	}
	g.lookAt.Store(int64(now + cfg.SampleEvery))
	weight := 1 - math.Exp(-float64(now-g.looked)/float64(cpuSmoothing))
	g.looked = now
	g.cpu += weight * (cfg.CPU() - g.cpu)
	g.hot.Store(turned(g.hot.Load(), g.cpu, cfg.CPUHigh, cfg.CPULow))
	g.late.Store(turned(g.late.Load(), cfg.Age(), cfg.AgeMax, cfg.AgeMax/2))
}

// turned is a switch that goes on at high and off below low.
func turned[T float64 | time.Duration](on bool, v, high, low T) bool {
	return v >= high || on && v >= low
}

func (g *gauges) smoothed() float64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.cpu
}
