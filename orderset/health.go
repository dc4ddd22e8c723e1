package orderset

import "sync/atomic"

// downAfter is how many failures in a row, with no success between, make a SET
// a last choice for new envelopes.
const downAfter = 3

// health counts failures to reach a SET. It only orders the choices for sends;
// requests for envelopes that live in the SET are always tried.
type health struct{ failures atomic.Int32 }

func (h *health) failed() {
	if h.failures.Load() < downAfter {
		h.failures.Add(1)
	}
}

func (h *health) worked() {
	if h.failures.Load() != 0 {
		h.failures.Store(0)
	}
}

func (h *health) down() bool { return h.failures.Load() >= downAfter }
