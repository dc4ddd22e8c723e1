package measure

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"hongbao/loadtest"
)

// RoundsMax bounds how often a cell is measured in one run.
const RoundsMax = 100

// CellConfig is one cell of a comparison, by itself. Of CompareConfig's ceilings
// neither is measured.
type CellConfig struct {
	CompareConfig
	Mode     string
	Scenario loadtest.Scenario // Hot or Spread
	Callers  int               // 1 to CallersMax
	Rounds   int               // 1 to RoundsMax; the median counts
	For      time.Duration     // measured in each round; 0 is the comparison's time
	// Profile keeps a CPU profile of the service for each round, as pprof reads
	// them; nil takes none. Taking them slows the service by some per cent.
	Profile func(name string, cpu []byte) error
}

// CellRun is a cell, measured in several rounds.
type CellRun struct {
	Session
	Series *Series `json:"series,omitempty"` // absent when the audit failed
}

// Series is the rounds of one cell.
type Series struct {
	Median  float64 `json:"median_per_second"`
	Lowest  float64 `json:"lowest_per_second"`
	Highest float64 `json:"highest_per_second"`
	Cells   []Cell  `json:"rounds"`
}

func newSeries(cells []Cell) *Series {
	rates := make([]float64, len(cells))
	for i := range cells {
		rates[i] = cells[i].PerSecond
	}
	slices.Sort(rates)
	n := len(rates)
	return &Series{Median: (rates[(n-1)/2] + rates[n/2]) / 2, Lowest: rates[0], Highest: rates[n-1], Cells: cells}
}

func (c *CellConfig) validate() error {
	switch {
	case c.Scenario != loadtest.Hot && c.Scenario != loadtest.Spread:
		return fmt.Errorf("scenario %q: want hot or spread", c.Scenario)
	case c.Callers < 1 || c.Callers > loadtest.CallersMax:
		return fmt.Errorf("want 1 <= callers <= %d, have %d", loadtest.CallersMax, c.Callers)
	case c.Rounds < 1 || c.Rounds > RoundsMax:
		return fmt.Errorf("want 1 <= rounds <= %d, have %d", RoundsMax, c.Rounds)
	case c.For < 0:
		return fmt.Errorf("want a time of at least 0, have %v", c.For)
	}
	return nil
}

// RunCell measures one cell of a comparison and audits it.
func RunCell(ctx context.Context, cfg CellConfig) (*CellRun, error) {
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("cell: %w", err)
	}
	c, err := newComparison(cfg.CompareConfig)
	if err != nil {
		return nil, fmt.Errorf("cell: %w", err)
	}
	if c.profile = cfg.Profile; cfg.For > 0 {
		c.spans.measure = cfg.For
	}
	c.steps = stepsOfCell*cfg.Rounds + 1
	r := &CellRun{}
	err = c.on(ctx, cfg.Mode, func(s *Server) error {
		return c.rounds(ctx, s, cfg.Rounds, cell{cfg.Scenario, cfg.Callers})
	})
	if err == nil {
		r.Session, err = c.close(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("cell: %w", err)
	}
	if r.Passed {
		r.Series = newSeries(c.figures.Cells)
	}
	return r, nil
}

// rounds measures some cells in turn, several times.
func (c *comparison) rounds(ctx context.Context, s *Server, n int, cells ...cell) error {
	for range n {
		for _, one := range cells {
			if err := c.measureCell(ctx, s, one); err != nil {
				return fmt.Errorf("%s with %d callers: %w", one.scenario, one.callers, err)
			}
		}
	}
	return nil
}

// StormRun is the storm of a comparison by itself, with the cell that says what
// the capacity is.
type StormRun struct {
	Session
	Capacity *Cell     `json:"capacity,omitempty"` // absent, like the storm, when the audit failed
	Storm    *Overload `json:"storm,omitempty"`
}

// RunStorm measures the capacity in mode group and offers ten times as much.
func RunStorm(ctx context.Context, cfg CompareConfig) (*StormRun, error) {
	c, err := newComparison(cfg)
	if err != nil {
		return nil, fmt.Errorf("storm: %w", err)
	}
	c.steps = stepsOfCell + 1 + 1
	r := &StormRun{}
	err = c.on(ctx, ModeGroup, func(s *Server) error {
		if err := c.measureCell(ctx, s, cell{loadtest.Spread, manyCallers}); err != nil {
			return err
		}
		if c.capacity() == 0 {
			return errors.New("nothing was opened while the capacity was measured")
		}
		return c.overload(ctx, s)
	})
	if err == nil {
		r.Session, err = c.close(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("storm: %w", err)
	}
	if r.Passed {
		r.Capacity, r.Storm = &c.figures.Cells[0], c.figures.Overload
	}
	return r, nil
}
