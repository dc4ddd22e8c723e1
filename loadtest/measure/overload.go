package measure

import (
	"context"
	"time"

	"hongbao/loadtest"
)

// The storm: an ordinary load, one that fills the service, ten times the
// capacity, and the ordinary load again, with clients that ask again at once
// when they are refused (FH18).
const (
	ordinary         = 0.7 // of the capacity
	filling          = 1.5
	stormTimes       = 10.0
	stormConnections = 8000
	stormPatience    = time.Second // an arrival that could not be sent by then leaves
	stormTriesMax    = 4
	stormWindows     = 40  // in the storm itself
	settling         = 4   // windows at the start, not looked at
	stormOpensSpare  = 1.2 // envelopes prepared, over what the capacity would use up

	// Recovered: most of what is offered is served again, about as fast as before.
	recoveredShare = 0.9
	recoveredP99   = 50.0 // ms; or what the worst moment of the ordinary load had
)

// Overload is how the service fared in the storm.
type Overload struct {
	PeakPerSecond    float64   `json:"peak_per_second"`    // the best goodput without a storm
	OfferedPerSecond float64   `json:"offered_per_second"` // arrivals in the storm
	AskedPerSecond   float64   `json:"asked_per_second"`   // requests that the crowd could put on the wire
	Goodput          float64   `json:"goodput_per_second"` // new shares in the storm
	Over             float64   `json:"goodput_over_peak"`
	RecoverySeconds  float64   `json:"recovery_s"` // after the storm; -1: not within the run
	OrdinaryP99      float64   `json:"ordinary_p99_ms"`
	From             float64   `json:"storm_from_s"`
	To               float64   `json:"storm_to_s"`
	StormP99         float64   `json:"storm_p99_ms"` // of accepted requests, the worst moment
	Measured         *Measured `json:"run"`
}

// overload offers the storm.
func (c *comparison) overload(ctx context.Context, s *Server) error {
	peak := c.capacity()
	load := []loadtest.Stretch{{Rate: ordinary * peak, For: c.spans.ordinary}, {Rate: filling * peak, For: c.spans.filling}, {Rate: stormTimes * peak, For: c.spans.storm}, {Rate: ordinary * peak, For: c.spans.after}}
	c.progress("storm: %.0f opens/s offered to a capacity of %.0f", stormTimes*peak, peak)
	opens := stormOpensSpare * filling * peak * loadtest.Length(load).Seconds()
	stage, err := c.stage(ctx, s, loadtest.Spread, max(SpreadEnvelopes, int(opens)/compareOpeners))
	if err != nil {
		return err
	}
	run, err := stage.Offer(ctx, loadtest.Offer{Seed: c.cfg.Seed, Load: load, Connections: max(1, stormConnections/max(1, c.cfg.Hurry)), Patience: stormPatience, Retry: loadtest.Retry{TriesMax: stormTriesMax}})
	if err != nil {
		return err
	}
	c.figures.Overload = newOverload(run, peak)
	return c.audit(ctx, stage)
}

// newOverload reads a storm. The peak is the best the service did in any other
// way: with a thousand callers, or with arrivals that fill it.
func newOverload(run *loadtest.Run, capacity float64) *Overload {
	m := Of(run)
	width := (run.Load[2].For / stormWindows).Round(windowWidthStep / 10)
	m.Windows = cut(run, width)
	full := run.Load[0].For
	storm := full + run.Load[1].For
	after := storm + run.Load[2].For
	o := &Overload{
		From: storm.Seconds(), To: after.Seconds(),
		PeakPerSecond:    max(capacity, goodput(m.Windows, full, storm)),
		OfferedPerSecond: run.Load[2].Rate, AskedPerSecond: asked(m.Windows, storm, after),
		Goodput:     goodput(m.Windows, storm, after),
		OrdinaryP99: worstP99(m.Windows, settling*width, full), StormP99: worstP99(m.Windows, storm, after),
		Measured: m,
	}
	o.Over = over(o.Goodput, o.PeakPerSecond)
	o.RecoverySeconds = recovery(m.Windows, after, run.Load[3].Rate, max(recoveredP99, o.OrdinaryP99))
	return o
}

// between adds up what count says about the windows from..to.
func between(windows []Window, from, to time.Duration, count func(*Window) int) float64 {
	total, seconds := 0, 0.0
	for i := range windows {
		if w := &windows[i]; w.At >= from.Seconds() && w.At+w.Seconds <= to.Seconds()+1e-9 {
			total += count(w)
			seconds += w.Seconds
		}
	}
	return float64(total) / max(seconds, 1e-9)
}

func goodput(windows []Window, from, to time.Duration) float64 {
	return between(windows, from, to, func(w *Window) int { return w.Opened })
}

func asked(windows []Window, from, to time.Duration) float64 {
	return between(windows, from, to, func(w *Window) int { return w.Opened + w.Answered + w.Refused + w.Unknown })
}

// worstP99 is the longest p99 of any window within from..to.
func worstP99(windows []Window, from, to time.Duration) (worst float64) {
	for i := range windows {
		if w := &windows[i]; w.At >= from.Seconds() && w.At+w.Seconds <= to.Seconds()+1e-9 {
			worst = max(worst, w.P99)
		}
	}
	return worst
}

// recovery is how long after the storm the service is itself again, for two
// windows in a row.
func recovery(windows []Window, after time.Duration, offered, p99 float64) float64 {
	good := func(w *Window) bool { return float64(w.Opened)/w.Seconds >= recoveredShare*offered && w.P99 <= p99 }
	for i := range windows {
		if windows[i].At >= after.Seconds() && i+1 < len(windows) && good(&windows[i]) && good(&windows[i+1]) {
			return windows[i].At - after.Seconds()
		}
	}
	return -1
}
