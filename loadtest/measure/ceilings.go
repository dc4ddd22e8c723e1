package measure

import (
	"context"
	"errors"
	"fmt"

	"hongbao/loadtest"
)

// modeEcho names the cells of the echo: the same listener, credential and
// ticket check, and a fixed answer.
const modeEcho = "echo"

// echo measures the ceiling of the HTTP stack and of the crowd itself.
func (c *comparison) echo(ctx context.Context, s *Server) error {
	stage, err := c.stage(ctx, s, loadtest.Spread, 20)
	if err != nil {
		return err
	}
	defer stage.Close()
	for _, callers := range Callers() {
		c.progress("echo, %d callers", callers)
		run, spent, err := c.metered(ctx, s, stage, loadtest.Saturation{Callers: callers, Warm: c.spans.ceilingWarm, For: c.spans.ceiling, Echo: true})
		if err != nil {
			return err
		}
		one := newCell(modeEcho, loadtest.Spread, run, spent)
		if one.PerSecond == 0 {
			return errors.New("the echo does not answer: it is served in playgrounds and drills only")
		}
		c.figures.Echo = append(c.figures.Echo, one)
	}
	return nil
}

// Refusal is what saying no costs, against saying yes.
type Refusal struct {
	PerSecond      float64 `json:"per_second"`
	Fast           float64 `json:"fast_share"` // of the refusals came within RefusedFastMax
	P99            float64 `json:"p99_ms"`
	ServiceCPU     float64 `json:"service_us"`      // of a refusal, HTTP included
	DatabasesCPU   float64 `json:"databases_us"`    // of a refusal
	OpenCPU        float64 `json:"open_us"`         // of an open in mode group: service and databases
	PlainOpenCPU   float64 `json:"plain_open_us"`   // of an open in mode plain
	EchoCPU        float64 `json:"echo_us"`         // of the echo: HTTP, credential and ticket alone
	OverOpen       float64 `json:"over_open"`       // refusal / open, both with their HTTP
	OverPlainOpen  float64 `json:"over_plain"`      // the same for mode plain
	BeyondHTTPOver float64 `json:"beyond_http"`     // what both cost beyond the echo: (refusal − echo) / (open − echo), at least 0
	CrowdCPU       float64 `json:"crowd_us"`        // what asking cost us
	Admitted       int     `json:"admitted_anyway"` // answered although refusing: from memory
}

// refusal makes every open a refusal and measures its CPU.
func (c *comparison) refusal(ctx context.Context, s *Server) error {
	c.progress("refusals")
	stage, err := c.stage(ctx, s, loadtest.Spread, SpreadEnvelopes)
	if err != nil {
		return err
	}
	if err := s.Refuse(ctx, true); err != nil {
		return err
	}
	run, spent, err := c.metered(ctx, s, stage, loadtest.Saturation{Callers: fewCallers, Warm: c.spans.ceilingWarm, For: c.spans.refusal})
	if err := errors.Join(err, s.Refuse(context.WithoutCancel(ctx), false)); err != nil {
		return err
	}
	m, n := Of(run), len(run.Records)
	refused := m.Counts.RefusedFast + m.Counts.RefusedSlow
	if refused == 0 {
		return errors.New("nothing was refused while the service was told to refuse")
	}
	group := CellOf(c.figures.Cells, ModeGroup, loadtest.Spread, typicalCallers)
	plain := CellOf(c.figures.Cells, ModePlain, loadtest.Spread, typicalCallers)
	echo := CellOf(c.figures.Echo, modeEcho, loadtest.Spread, fewCallers)
	r := &Refusal{PerSecond: float64(refused) / m.Seconds, Fast: float64(m.Counts.RefusedFast) / float64(refused), P99: m.Refused.P99,
		ServiceCPU: per(spent.service, n), DatabasesCPU: per(spent.databases, n), CrowdCPU: m.CrowdCPU, Admitted: m.Counts.Asked - refused,
		OpenCPU: group.ServiceCPU + group.DatabasesCPU, PlainOpenCPU: plain.ServiceCPU + plain.DatabasesCPU, EchoCPU: echo.ServiceCPU}
	r.OverOpen, r.OverPlainOpen = over(r.ServiceCPU, r.OpenCPU), over(r.ServiceCPU, r.PlainOpenCPU)
	r.BeyondHTTPOver = over(max(0, r.ServiceCPU-r.EchoCPU), r.OpenCPU-r.EchoCPU)
	c.figures.Refusal = r
	return c.audit(ctx, stage)
}

// capacity is what mode group opens a second for many callers on many envelopes.
func (c *comparison) capacity() float64 {
	return CellOf(c.figures.Cells, ModeGroup, loadtest.Spread, manyCallers).PerSecond
}

// steady offers a share of the capacity in an open loop: the latency that people
// get on an ordinary evening.
func (c *comparison) steady(ctx context.Context, s *Server) error {
	rate := SteadyOf * c.capacity()
	c.progress("open loop at %.0f opens/s", rate)
	stage, err := c.stage(ctx, s, loadtest.Spread, max(SpreadEnvelopes, int(1.2*rate*c.spans.steady.Seconds())/compareOpeners))
	if err != nil {
		return err
	}
	run, err := stage.Offer(ctx, loadtest.Offer{Seed: c.cfg.Seed, Load: []loadtest.Stretch{{Rate: rate, For: c.spans.steady}}, Connections: manyCallers, Retry: loadtest.Retry{TriesMax: 1}})
	if err != nil {
		return err
	}
	c.figures.Steady, c.figures.SteadyOffered = Of(run), rate
	return c.audit(ctx, stage)
}

// ceilings measures what the parts can do without us.
func (c *comparison) ceilings(ctx context.Context) (err error) {
	for _, one := range []struct {
		what    string
		measure func(context.Context) (float64, error)
		into    *float64
	}{{"raw multi-row insert", c.cfg.InsertCeiling, &c.figures.InsertRows}, {"memcached compare-and-swap", c.cfg.CASCeiling, &c.figures.CAS}} {
		c.progress("ceiling: %s", one.what)
		if one.measure == nil {
			continue
		}
		if *one.into, err = one.measure(ctx); err != nil {
			return fmt.Errorf("ceiling: %s: %w", one.what, err)
		}
	}
	return nil
}

// result draws the conclusions, if there is nothing to hide.
func (c *comparison) result(ctx context.Context) (*Comparison, error) {
	session, err := c.close(ctx)
	if err != nil {
		return nil, fmt.Errorf("compare: %w", err)
	}
	r := &Comparison{Session: session}
	if r.Passed {
		r.Figures, r.Ratios = c.figures, c.figures.ratios()
		r.Targets = targets(r.Ratios)
	}
	return r, nil
}
