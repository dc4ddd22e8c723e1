package measure

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"hongbao/envelope"
	"hongbao/loadtest"
	"hongbao/loadtest/past"
)

// FullConfig is what measuring with full tables takes; all of it is required, of
// CompareConfig only what [Compare] requires.
type FullConfig struct {
	CompareConfig
	Rounds int // of each cell, before and after, 1 to RoundsMax; the median counts
	Past   past.Config
	// Fill writes a past into the databases and calls wrote with the number of
	// envelopes in each batch, from any goroutine.
	Fill   func(ctx context.Context, filled *past.Past, wrote func(envelopes int)) ([]Stock, error)
	Ticket func(envelope.ID) string
}

func (c *FullConfig) validate() error {
	switch {
	case c.Fill == nil || c.Ticket == nil:
		return errors.New("fill and ticket are required")
	case c.Rounds < 1 || c.Rounds > RoundsMax:
		return fmt.Errorf("want 1 <= rounds <= %d, have %d", RoundsMax, c.Rounds)
	}
	return nil
}

// Stock is what one SET's tables were filled with.
type Stock struct {
	Set       string `json:"set"`
	Envelopes int    `json:"envelopes"`
	Shares    int    `json:"shares"`
	Before    int64  `json:"bytes_before"` // data and indexes of all its tables
	After     int64  `json:"bytes_after"`
}

// The names of the ratios in a full run's JSON.
const (
	ratioSpreadFull = "spread_full_over_empty"
	ratioHotFull    = "hot_full_over_empty"
	ratioIdleBytes  = "heap_bytes_per_idle_envelope"
)

// Full is what filled tables change.
type Full struct {
	Session
	Envelopes   int                `json:"envelopes"` // the tables were filled with
	FillSeconds float64            `json:"fill_seconds"`
	Stocks      []Stock            `json:"stocks"`
	Ratios      map[string]float64 `json:"ratios,omitempty"` // absent, like the figures, when the audit failed
	Targets     []Target           `json:"targets,omitempty"`
	Figures     *FullFigures       `json:"figures,omitempty"`
}

// FullFigures are what was measured before and after the fill, by one process of
// the service.
type FullFigures struct {
	SpreadEmpty *Series `json:"spread_empty"`
	SpreadFull  *Series `json:"spread_full"`
	HotEmpty    *Series `json:"hot_empty"`
	HotFull     *Series `json:"hot_full"`
	Idle        struct {
		Before Memory `json:"before"`
		After  Memory `json:"after"`
	} `json:"idle"` // the service around the fill
	Warm *Warming `json:"warm"`
}

// RunFull measures mode group with the tables as they are, fills them, and
// measures the same again; then what an envelope costs the service's memory.
func RunFull(ctx context.Context, cfg FullConfig) (*Full, error) {
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("full: %w", err)
	}
	filled, err := past.New(cfg.Past)
	if err != nil {
		return nil, fmt.Errorf("full: %w", err)
	}
	if len(filled.Active(1)) == 0 {
		return nil, fmt.Errorf("full: none of %d envelopes is active: fill in more", cfg.Past.Envelopes)
	}
	c, err := newComparison(cfg.CompareConfig)
	if err != nil {
		return nil, fmt.Errorf("full: %w", err)
	}
	c.steps = 2*2*cfg.Rounds*stepsOfCell + stepsOfWarming + 2
	r := &Full{Envelopes: cfg.Past.Envelopes, Figures: &FullFigures{}}
	err = c.on(ctx, ModeGroup, func(s *Server) error { return c.beforeAndAfter(ctx, s, &cfg, filled, r) })
	if err == nil {
		err = c.on(ctx, ModeGroup, func(s *Server) error {
			var err error
			r.Figures.Warm, err = c.warm(ctx, s, filled, cfg.Ticket)
			return err
		})
	}
	if err == nil {
		r.Session, err = c.close(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("full: %w", err)
	}
	r.judge()
	return r, nil
}

// beforeAndAfter measures around the fill. The service keeps running: whatever
// the rows cost it shows.
func (c *comparison) beforeAndAfter(ctx context.Context, s *Server, cfg *FullConfig, filled *past.Past, r *Full) (err error) {
	f := r.Figures
	if f.SpreadEmpty, f.HotEmpty, err = c.spreadAndHot(ctx, s, cfg.Rounds); err != nil {
		return err
	}
	if f.Idle.Before, err = s.Memory(ctx); err != nil {
		return err
	}
	c.progress("fill: %d envelopes", cfg.Past.Envelopes)
	var mu sync.Mutex // guards written
	written, start := 0, time.Now()
	r.Stocks, err = cfg.Fill(ctx, filled, func(n int) {
		mu.Lock()
		defer mu.Unlock()
		written += n
		c.cfg.Progress(c.step-1, c.steps, fmt.Sprintf("fill: %d of %d envelopes", written, cfg.Past.Envelopes))
	})
	if err != nil {
		return err
	}
	r.FillSeconds = time.Since(start).Seconds()
	if f.Idle.After, err = s.Memory(ctx); err != nil {
		return err
	}
	f.SpreadFull, f.HotFull, err = c.spreadAndHot(ctx, s, cfg.Rounds)
	return err
}

func (c *comparison) spreadAndHot(ctx context.Context, s *Server, rounds int) (spread, hot *Series, err error) {
	c.figures.Cells = nil
	if err := c.rounds(ctx, s, rounds, cell{loadtest.Spread, typicalCallers}, cell{loadtest.Hot, typicalCallers}); err != nil {
		return nil, nil, err
	}
	of := map[loadtest.Scenario][]Cell{}
	for _, one := range c.figures.Cells {
		of[one.Scenario] = append(of[one.Scenario], one)
	}
	if len(of[loadtest.Spread]) == 0 || len(of[loadtest.Hot]) == 0 {
		return nil, nil, errors.New("nothing was measured")
	}
	return newSeries(of[loadtest.Spread]), newSeries(of[loadtest.Hot]), nil
}

// judge draws the conclusions, if there is nothing to hide.
func (r *Full) judge() {
	f := r.Figures
	if !r.Passed {
		r.Figures = nil
		return
	}
	r.Ratios = map[string]float64{
		ratioSpreadFull: over(f.SpreadFull.Median, f.SpreadEmpty.Median),
		ratioHotFull:    over(f.HotFull.Median, f.HotEmpty.Median),
		// What a collection gives back later is no envelope's.
		ratioIdleBytes: over(max(0, float64(f.Idle.After.Heap-f.Idle.Before.Heap)), float64(r.Envelopes)),
	}
	r.Targets = held(r.Ratios, []Target{
		{Ratio: ratioSpreadFull, AtLeast: 0.9, What: "500 envelopes, 200 callers, tables full against before"},
		{Ratio: ratioHotFull, AtLeast: 0.9, What: "one hot envelope, 200 callers, the same"},
		{Ratio: ratioIdleBytes, AtMost: 1, What: "growth of the service's heap over the fill, bytes an envelope"},
	})
}
