package measure

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"hongbao/loadtest"

	"golang.org/x/sync/errgroup"
)

// Cell is one mode under one crowd.
type Cell struct {
	Mode         string            `json:"open_mode"`
	Scenario     loadtest.Scenario `json:"scenario"`
	Callers      int               `json:"callers"`
	PerSecond    float64           `json:"per_second"` // new shares; echoes, for the echo
	P50          float64           `json:"p50_ms"`
	P99          float64           `json:"p99_ms"`
	Refused      int               `json:"refused"`
	Unknown      int               `json:"unknown"`
	ServiceCPU   float64           `json:"service_us_per_open"`
	DatabasesCPU float64           `json:"databases_us_per_open"`
	CrowdCPU     float64           `json:"crowd_us_per_ask"`
	Dry          bool              `json:"ran_dry,omitempty"`
}

// cell is one crowd of every mode.
type cell struct {
	scenario loadtest.Scenario
	callers  int
}

func (c *comparison) cells() (cells []cell) {
	for _, scenario := range []loadtest.Scenario{loadtest.Hot, loadtest.Spread} {
		for _, callers := range Callers() {
			cells = append(cells, cell{scenario, callers})
		}
	}
	return cells
}

func (c *comparison) measureCell(ctx context.Context, s *Server, one cell) (err error) {
	envelopes := SpreadEnvelopes
	if one.scenario == loadtest.Hot {
		rate := hotSlowRateMax
		if s.Mode == ModeGroup {
			rate = hotRateMax
		}
		envelopes = max(hotEnvelopesMin, int(float64(rate)*(c.spans.warm+c.spans.measure).Seconds())/c.openers)
	}
	c.progress("%s %s, %d callers: send and pay %d envelopes", s.Mode, one.scenario, one.callers, envelopes)
	stage, err := c.stage(ctx, s, one.scenario, envelopes)
	if err != nil {
		return err
	}
	c.progress("%s %s, %d callers: open", s.Mode, one.scenario, one.callers)
	profiled := c.profileCell(ctx, s, one)
	run, spent, err := c.metered(ctx, s, stage, loadtest.Saturation{Callers: one.callers, Warm: c.spans.warm, For: c.spans.measure, Pause: comparePause})
	if err := errors.Join(err, profiled()); err != nil {
		return err
	}
	c.figures.Cells = append(c.figures.Cells, newCell(s.Mode, one.scenario, run, spent))
	c.progress("%s %s, %d callers: audit", s.Mode, one.scenario, one.callers)
	return c.audit(ctx, stage)
}

// profileCell takes a profile of the service while a cell runs, and returns how to
// wait for it.
func (c *comparison) profileCell(ctx context.Context, s *Server, one cell) (wait func() error) {
	if c.profile == nil {
		return func() error { return nil }
	}
	var g errgroup.Group
	g.Go(func() error {
		cpu, err := s.Profile(ctx, max(1, int((c.spans.warm+c.spans.measure).Seconds())))
		if err != nil {
			return fmt.Errorf("profile: %w", err)
		}
		return c.profile(fmt.Sprintf("%s-%s-%d-%d", s.Mode, one.scenario, one.callers, len(c.figures.Cells)+1), cpu)
	})
	return g.Wait
}

// cost is CPU time spent on a run, and meanwhile.
type cost struct {
	service, databases time.Duration
	machine            time.Duration // by everything on it
	wall               time.Duration
}

func spentSoFar(s *Server) (c cost, err error) {
	if c.service, c.databases, err = s.CPU(); err != nil {
		return c, err
	}
	c.machine, err = machineCPU()
	return c, err
}

// metered measures a closed load and what it cost, from its first request to
// its last answer.
func (c *comparison) metered(ctx context.Context, s *Server, stage *loadtest.Stage, load loadtest.Saturation) (*loadtest.Run, cost, error) {
	before, err := spentSoFar(s)
	if err != nil {
		return nil, cost{}, err
	}
	start := time.Now()
	run, err := stage.Saturate(ctx, load)
	if err != nil {
		return nil, cost{}, err
	}
	after, err := spentSoFar(s)
	spent := cost{after.service - before.service, after.databases - before.databases, after.machine - before.machine, time.Since(start)}
	c.measured += spent.wall
	c.strangers += max(0, spent.machine-spent.service-spent.databases-run.CPU)
	return run, spent, err
}

// per spreads a cost over a number of requests, in µs.
func per(d time.Duration, n int) float64 { return float64(d.Microseconds()) / float64(max(1, n)) }

func newCell(mode string, scenario loadtest.Scenario, run *loadtest.Run, spent cost) Cell {
	m, opened := Of(run), 0
	for i := range run.Records {
		if run.Records[i].Outcome == loadtest.Opened {
			opened++
		}
	}
	return Cell{Mode: mode, Scenario: scenario, Callers: run.Callers, PerSecond: m.OpensPerSecond,
		P50: m.Accepted.P50, P99: m.Accepted.P99, Refused: m.Counts.RefusedFast + m.Counts.RefusedSlow, Unknown: m.Counts.Unknown,
		ServiceCPU: per(spent.service, opened), DatabasesCPU: per(spent.databases, opened), CrowdCPU: m.CrowdCPU, Dry: m.Dry}
}

// CellOf is the cell of a mode under a crowd; a zero cell if it was not measured.
func CellOf(cells []Cell, mode string, scenario loadtest.Scenario, callers int) Cell {
	i := slices.IndexFunc(cells, func(c Cell) bool { return c.Mode == mode && c.Scenario == scenario && c.Callers == callers })
	if i < 0 {
		return Cell{}
	}
	return cells[i]
}
