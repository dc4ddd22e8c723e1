package measure

import "time"

// spans are how long each part takes.
type spans struct {
	warm, measure        time.Duration // a cell
	ceilingWarm, ceiling time.Duration // an echo
	refusal, steady      time.Duration
	// The storm: an ordinary load, one that fills the service, ten times the
	// capacity, and the ordinary load again.
	ordinary, filling, storm, after time.Duration
}

// A cell is never shorter than this, however hurried: a thousand callers take a
// while to connect, and a cell in which nothing was opened has no capacity.
const (
	warmMin    = 200 * time.Millisecond
	measureMin = 600 * time.Millisecond
)

// newSpans are the published ones, divided by hurry.
func newSpans(hurry int) spans {
	d := func(ms int) time.Duration { return time.Duration(ms) * time.Millisecond / time.Duration(max(1, hurry)) }
	return spans{warm: max(warmMin, d(700)), measure: max(measureMin, d(4000)), ceilingWarm: d(300), ceiling: d(2000), refusal: d(3000), steady: d(6000),
		ordinary: d(4000), filling: d(3000), storm: d(10_000), after: d(11_000)}
}
