package measure

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hongbao/loadtest"
)

// PipelineConfig is a measurement of everything that follows from opens; all of
// it is required, of CompareConfig only Users and Key.
type PipelineConfig struct {
	CompareConfig
	Server  *Server // the one that is measured; Start is not called
	Payouts string  // the product they go by, for the report
	Count   int     // shares that it allows an envelope
	Share   float64 // of the peak, that is to be sustained, 0 to 1
	For     time.Duration
	// Short starts a server on the same databases whose envelopes live for ShortLife.
	Short     func(ctx context.Context) (*Server, error)
	ShortLife time.Duration
	// HoldBack keeps what follows from opens from being carried out, until LetGo.
	HoldBack func(ctx context.Context) (letGo func(context.Context) error, err error)
	Backlog  func(ctx context.Context) (Backlog, error)
	Delays   func(ctx context.Context) (Delays, error)
	// ProviderCPU is what the simulated provider has used so far.
	ProviderCPU func() (time.Duration, error)
	// Signature is what one RSA-2048 signature costs on this machine.
	Signature func() (time.Duration, error)
}

// Backlog is what waits at one moment, all SETs together.
type Backlog struct {
	Outbox    int   `json:"outbox"` // touched envelopes not yet spread
	Transfers int   `json:"transfers"`
	Books     int   `json:"books"`
	Events    int   `json:"events"`
	BooksMs   int64 `json:"books_oldest_ms"`
	EventsMs  int64 `json:"events_oldest_ms"`
}

// Total counts all of it.
func (b Backlog) Total() int { return b.Outbox + b.Transfers + b.Books + b.Events }

// Delays are histograms of the service, since it started.
type Delays struct {
	FirstCall Buckets // from the commit of a share to the first call of the provider about its payout
	Callback  Buckets // the provider's callbacks, answered
	Call      Buckets // our calls of the provider
}

const (
	peakWarm            = 400 * time.Millisecond
	peakFor             = 3 * time.Second
	pipelineOpeners     = 1.02 // people for each share: some must find it empty
	pipelineOver        = 1.01 // of the rate that is aimed at: arrivals are random
	pipelineSpare       = 1.2  // shares prepared, over what is tapped
	pipelineConnections = 1000
	pipelineProbes      = 5
	pipelineProbeFor    = 15 * time.Second
	pipelineNear        = 1.15 // the rate is known well enough
	pipelineGuess       = 0.9  // of what was carried while saturated
	// The backlog that ends a load which cannot be sustained, and is then drained:
	// so much, or what is opened in so many seconds.
	pipelineBacklogMax     = 8000
	pipelineBacklogSeconds = 5
	pipelineDrainMax       = 10 * time.Minute
	pipelineSampleFor      = 2 * time.Second // counting costs the databases something
	// A backlog is bounded if what is left at the end is carried out so soon: what
	// the service lets gather included.
	pipelineBehind = 5 * time.Second

	stepsOfPipeline = stepsOfCell + 1 + pipelineProbes + 1 + 1 + 1
)

// A call of the provider is signed by us, and its answer by the provider; so is
// its callback.
const (
	signaturesOfCall     = 2
	signaturesOfCallback = 1
)

// Pipeline is how much of what opens leave behind a machine carries out.
type Pipeline struct {
	Session
	Payouts     string             `json:"payouts"`        // by bills or by batches
	Peak        *Cell              `json:"peak,omitempty"` // opens alone; absent, like all figures, when the audit failed
	Target      *Phase             `json:"at_target,omitempty"`
	Probes      []*Phase           `json:"probes,omitempty"`
	Main        *Phase             `json:"sustained,omitempty"`
	Refund      *Latency           `json:"refund,omitempty"` // from expiry until it is shown as posted, ms
	SignatureMs float64            `json:"rsa2048_signature_ms,omitempty"`
	Ratios      map[string]float64 `json:"ratios,omitempty"`
	Targets     []Target           `json:"targets,omitempty"`
}

// The names of the ratios in a pipeline's JSON.
const (
	ratioSustained     = "sustained_opens_per_s"
	ratioSustainedPeak = "sustained_over_peak"
	ratioFirstCall     = "commit_to_call_p99_ms"
	ratioCallback      = "callback_p99_ms"
	ratioRefund        = "refund_p99_s"
	RatioSignatures    = "rsa_share_of_cpu"
)

func (c *PipelineConfig) validate() error {
	switch {
	case c.Server == nil || c.Short == nil || c.HoldBack == nil || c.Backlog == nil || c.Delays == nil || c.ProviderCPU == nil || c.Signature == nil:
		return errors.New("server, short, hold back, backlog, delays, provider's CPU and signature are all required")
	case c.Share <= 0 || c.Share > 1:
		return fmt.Errorf("want 0 < share <= 1, have %v", c.Share)
	case c.For < time.Second || c.For > time.Hour:
		return fmt.Errorf("want 1s <= duration <= 1h, have %v", c.For)
	case c.Count < 1 || c.Count > loadtest.CountMax:
		return fmt.Errorf("want 1 <= count <= %d, have %d", loadtest.CountMax, c.Count)
	case c.ShortLife <= 0 || c.ShortLife > loadtest.LifetimeSeenMax:
		return fmt.Errorf("want 0 < short life <= %v, have %v", loadtest.LifetimeSeenMax, c.ShortLife)
	}
	return nil
}

// pipeline is a measurement under way.
type pipeline struct {
	*comparison
	cfg PipelineConfig
	out *Pipeline
}

// RunPipeline measures the peak of opens alone, then how many opens a second
// can go on for ever with payouts, books and events behind them: the share of
// the peak that was asked for, or else the most that a few probes find.
func RunPipeline(ctx context.Context, cfg PipelineConfig) (*Pipeline, error) {
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("pipeline: %w", err)
	}
	cfg.Start = func(context.Context, string) (*Server, error) { return cfg.Server, nil }
	c, err := newComparison(cfg.CompareConfig)
	if err != nil {
		return nil, fmt.Errorf("pipeline: %w", err)
	}
	c.steps, c.count = stepsOfPipeline, cfg.Count
	// Short: each second of a peak takes more than a minute to carry out.
	c.spans.warm = max(warmMin, peakWarm/time.Duration(max(1, cfg.Hurry)))
	c.spans.measure = max(measureMin, peakFor/time.Duration(max(1, cfg.Hurry)))
	c.openers = min(int(float64(cfg.Count)*pipelineOpeners)+1, compareUsers)
	p := &pipeline{c, cfg, &Pipeline{Payouts: cfg.Payouts}}
	err = c.on(ctx, ModeGroup, func(s *Server) error { return p.run(ctx, s) })
	if err == nil {
		p.out.Session, err = c.close(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("pipeline: %w", err)
	}
	p.judge()
	return p.out, nil
}

func (p *pipeline) run(ctx context.Context, s *Server) error {
	sign, err := p.cfg.Signature()
	if err != nil {
		return err
	}
	p.out.SignatureMs = float64(sign.Microseconds()) / 1e3
	if err := p.peak(ctx, s); err != nil {
		return fmt.Errorf("peak: %w", err)
	}
	if p.out.Peak.PerSecond == 0 {
		return errors.New("nothing was opened while the peak was measured")
	}
	rate, err := p.find(ctx, s)
	if err != nil {
		return err
	}
	p.progress("%.0f opens/s for %v, and everything after them", rate, p.cfg.For)
	if p.out.Main, err = p.phase(ctx, s, rate, p.cfg.For/time.Duration(max(1, p.cfg.Hurry))); err != nil {
		return err
	}
	p.progress("refunds")
	return p.refunds(ctx)
}

func (p *pipeline) backlogMax(rate float64) int {
	return max(pipelineBacklogMax, int(pipelineBacklogSeconds*rate)) / max(1, p.cfg.Hurry)
}

// peak is what opens alone come to, with everything after them held back, and
// then drained.
func (p *pipeline) peak(ctx context.Context, s *Server) (err error) {
	letGo, err := p.cfg.HoldBack(ctx)
	if err != nil {
		return err
	}
	err = p.measureCell(ctx, s, cell{loadtest.Spread, manyCallers})
	if err := errors.Join(err, letGo(context.WithoutCancel(ctx))); err != nil {
		return err
	}
	p.out.Peak = &p.figures.Cells[0]
	_, err = p.drain(ctx)
	return err
}

// find is the highest rate whose backlog stays bounded: the one that is aimed
// at, or one that some probes find below it.
func (p *pipeline) find(ctx context.Context, s *Server) (rate float64, err error) {
	aim := p.cfg.Share * p.out.Peak.PerSecond * pipelineOver * p.taps()
	length := pipelineProbeFor / time.Duration(max(1, p.cfg.Hurry))
	p.progress("%.0f opens/s, %.0f %% of the peak", aim, 100*p.cfg.Share)
	if p.out.Target, err = p.phase(ctx, s, aim, length); err != nil {
		return 0, err
	}
	if p.out.Target.Bounded {
		return aim, nil
	}
	low, high, next := 0.0, aim, min(aim, pipelineGuess*p.out.Target.Carried*p.taps())
	for range pipelineProbes {
		p.progress("probe %.0f opens/s", next)
		one, err := p.phase(ctx, s, next, length)
		if err != nil {
			return 0, err
		}
		p.out.Probes = append(p.out.Probes, one)
		if one.Bounded {
			low, next = next, min((next+high)/2, next*pipelineNear)
		} else {
			high, next = next, max((low+next)/2, next/pipelineNear/pipelineNear)
		}
		if low > 0 && high/low <= pipelineNear {
			break
		}
	}
	if low == 0 {
		low = next // what the probes have come down to; whether it is bounded, its own run shows
	}
	return low, nil
}

// taps are how many come for each share: some find it empty, and some
// tap twice.
func (p *pipeline) taps() float64 {
	return float64(p.openers) / float64(p.count) * (1 + 1.0/loadtest.RepeatOneIn)
}

// judge draws the conclusions, if there is nothing to hide.
func (p *pipeline) judge() {
	r := p.out
	if !r.Passed {
		*r = Pipeline{Session: r.Session, Payouts: r.Payouts}
		return
	}
	sustained := r.Main.OpensPerSecond
	if !r.Main.Bounded {
		sustained = r.Main.Carried
	}
	r.Ratios = map[string]float64{
		ratioSustained: sustained, ratioSustainedPeak: over(sustained, r.Peak.PerSecond),
		ratioFirstCall: r.Main.FirstCall.P99, ratioCallback: r.Main.Callback.P99, ratioRefund: r.Refund.P99 / 1e3,
		RatioSignatures: r.Main.signatures() * r.SignatureMs / 1e3 / float64(r.Machine.CPUs),
	}
	r.Targets = held(r.Ratios, []Target{
		{Ratio: ratioSustainedPeak, AtLeast: p.cfg.Share, What: "opens a second with everything behind them carried out, against opens alone"},
		{Ratio: ratioFirstCall, AtMost: 2000, What: "from an open's commit to the first call of the provider about its payout, ms"},
		{Ratio: ratioCallback, AtMost: 200, What: "the provider's callbacks, answered, ms"},
		{Ratio: ratioRefund, AtMost: 60, What: "from an envelope's expiry until its refund is posted, s"},
	})
}
