package measure

import (
	"context"
	"errors"
	"time"

	"hongbao/envelope"
	"hongbao/loadtest"
	"hongbao/loadtest/past"
)

// Memory is what a process of the service occupies.
type Memory struct {
	RSS  int64 `json:"rss_bytes"`
	Heap int64 `json:"heap_bytes"`     // after a garbage collection
	Warm int   `json:"warm_envelopes"` // that it remembers
}

// Warming is what envelopes cost a fresh process that gets to know them.
type Warming struct {
	EnvelopeBytes float64 `json:"heap_bytes_per_warm_envelope"` // without shares
	ShareBytes    float64 `json:"heap_bytes_per_remembered_share"`
	Asked         int     `json:"envelopes_asked_for"`       // different ones
	WarmMost      int     `json:"envelopes_remembered_most"` // the bound, when more were asked for
	RSSMost       int64   `json:"rss_bytes_most"`
	Steps         struct {
		Begun    Memory `json:"begun"`     // connections, tokens and a few envelopes are there
		Some     Memory `json:"some"`      // warmSome envelopes more, without shares
		All      Memory `json:"all"`       // as many as there are, up to warmMax
		Shared   Memory `json:"shared"`    // then warmShared envelopes with shares
		ShareSum int    `json:"share_sum"` // so many
	} `json:"steps"`
}

const (
	stepsOfWarming = 4
	warmBegin      = 20 // opened to the last share, so that every token of the crowd is known to HTTP
	warmSome       = 4096
	warmMax        = 40_000      // more than two SETs remember
	warmShared     = 200         // opened to the last share
	warmSharedMin  = 5           // in a hurry
	warmRunMax     = time.Minute // until every tap of a stage has been answered
)

// warm looks at active envelopes of the past on a fresh server: first so few that
// all of them stay, then more than there is room for, then opens some with many
// shares. The past has an active one.
func (c *comparison) warm(ctx context.Context, s *Server, filled *past.Past, ticket func(envelope.ID) string) (*Warming, error) {
	ids := filled.Active(warmMax)
	some := min(warmSome, len(ids))
	w := &Warming{Asked: len(ids)}
	t := &w.Steps
	open := func(n int) (err error) { t.ShareSum, err = c.openAll(ctx, s, n); return err }
	for _, step := range []struct {
		what string
		do   func() error
		then *Memory
	}{
		{"a fresh service", func() error { return open(warmBegin) }, &t.Begun},
		{"some envelopes", func() error { return loadtest.Grab(ctx, s.API, c.users, ids[:some], ticket) }, &t.Some},
		{"more than there is room for", func() error { return loadtest.Grab(ctx, s.API, c.users, ids[some:], ticket) }, &t.All},
		{"shares", func() error { return open(max(warmSharedMin, warmShared/max(1, c.cfg.Hurry))) }, &t.Shared},
	} {
		c.progress("memory: %s", step.what)
		if err := step.do(); err != nil {
			return nil, err
		}
		var err error
		if *step.then, err = s.Memory(ctx); err != nil {
			return nil, err
		}
		w.WarmMost, w.RSSMost = max(w.WarmMost, step.then.Warm), max(w.RSSMost, step.then.RSS)
	}
	w.EnvelopeBytes = over(float64(t.Some.Heap-t.Begun.Heap), float64(t.Some.Warm-t.Begun.Warm))
	fresh := float64(t.Shared.Warm - t.All.Warm) // where there was room, they are new beside their shares
	w.ShareBytes = over(max(0, float64(t.Shared.Heap-t.All.Heap)-fresh*w.EnvelopeBytes), float64(t.ShareSum))
	return w, nil
}

// openAll sends envelopes and opens every share of them.
func (c *comparison) openAll(ctx context.Context, s *Server, envelopes int) (shares int, err error) {
	stage, err := c.stage(ctx, s, loadtest.Spread, envelopes)
	if err != nil {
		return 0, err
	}
	run, err := stage.Saturate(ctx, loadtest.Saturation{Callers: typicalCallers, For: warmRunMax, Pause: comparePause})
	if err != nil {
		return 0, errors.Join(err, c.audit(ctx, stage))
	}
	for i := range run.Records {
		if run.Records[i].Outcome == loadtest.Opened {
			shares++
		}
	}
	return shares, c.audit(ctx, stage)
}
