package measure

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hongbao/loadtest"

	"golang.org/x/sync/errgroup"
)

// Phase is one open load, and what became of its backlog.
type Phase struct {
	Rate           float64     `json:"offered_per_second"`
	Seconds        float64     `json:"seconds"` // that the load lasted: shorter than wanted when its backlog grew too large
	OpensPerSecond float64     `json:"opens_per_second"`
	Bounded        bool        `json:"bounded"` // what was left at the end was carried out within five seconds
	BacklogMost    Backlog     `json:"backlog_most"`
	BacklogEnd     Backlog     `json:"backlog_end"`
	DrainSeconds   float64     `json:"drain_s"`            // from the end of the load until nothing was pending
	Carried        float64     `json:"carried_per_second"` // payouts, over load and drain together
	Opens          Latency     `json:"opens"`
	FirstCall      Delay       `json:"commit_to_call"`
	Callback       Delay       `json:"callback"`
	Call           Delay       `json:"call"` // of the provider
	CPU            CPUShares   `json:"cpu"`
	Samples        []PhaseTick `json:"samples"`
}

// Delay is what a histogram of the service says, in milliseconds.
type Delay struct {
	Count float64 `json:"count"`
	P50   float64 `json:"p50_ms"`
	P99   float64 `json:"p99_ms"`
}

func delayOf(b Buckets) Delay { return Delay{b.Count(), b.Quantile(0.5), b.Quantile(0.99)} }

// PhaseTick is the backlog at one moment of a phase.
type PhaseTick struct {
	At float64 `json:"at_s"`
	Backlog
}

// CPUShares are the parts that used the machine while a load and its drain lasted, as
// shares of all its CPUs.
type CPUShares struct {
	Service   float64 `json:"service"`
	Databases float64 `json:"databases"`
	Provider  float64 `json:"provider"`
	Crowd     float64 `json:"crowd"`
}

// phase offers a rate for some time, or until the backlog is too large, and
// waits until all of it has been carried out.
func (p *pipeline) phase(ctx context.Context, s *Server, rate float64, length time.Duration) (*Phase, error) {
	stage, err := p.stage(ctx, s, loadtest.Spread, max(fewCallers, int(pipelineSpare*rate*length.Seconds())/p.count+1))
	if err != nil {
		return nil, err
	}
	if _, err := p.drain(ctx); err != nil {
		return nil, errors.Join(err, p.audit(ctx, stage))
	}
	before, err := p.meters(s)
	if err != nil {
		return nil, err
	}
	delays, err := p.cfg.Delays(ctx)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	r := &Phase{Rate: rate}
	run, err := p.offer(ctx, stage, rate, length, r)
	if err != nil {
		return nil, err
	}
	if r.DrainSeconds, err = p.drain(ctx); err != nil {
		return nil, err
	}
	after, err := p.meters(s)
	if err != nil {
		return nil, err
	}
	later, err := p.cfg.Delays(ctx)
	if err != nil {
		return nil, err
	}
	r.Bounded = r.Seconds >= length.Seconds() && r.DrainSeconds <= pipelineBehind.Seconds()
	r.CPU = sharesOf(before, after, run.CPU, time.Since(start))
	r.FirstCall, r.Callback = delayOf(later.FirstCall.Since(delays.FirstCall)), delayOf(later.Callback.Since(delays.Callback))
	r.Call = delayOf(later.Call.Since(delays.Call))
	r.count(run)
	return r, p.audit(ctx, stage)
}

// offer lets people open while the backlog is watched.
func (p *pipeline) offer(ctx context.Context, stage *loadtest.Stage, rate float64, length time.Duration, r *Phase) (run *loadtest.Run, err error) {
	loading, stop := context.WithCancel(ctx)
	defer stop()
	start := time.Now()
	var g errgroup.Group
	g.Go(func() error {
		defer stop()
		var err error
		run, err = stage.Offer(loading, loadtest.Offer{Seed: p.cfg.Seed, Load: []loadtest.Stretch{{Rate: rate, For: length}}, Connections: pipelineConnections, Patience: stormPatience, Retry: loadtest.Retry{TriesMax: 1}})
		if ctx.Err() == nil && loading.Err() != nil {
			return nil // cut short by us
		}
		return err
	})
	g.Go(func() error {
		defer stop()
		for loadtest.Sleep(loading, pipelineSampleFor/time.Duration(max(1, p.cfg.Hurry))) == nil {
			b, err := p.cfg.Backlog(ctx)
			if err != nil {
				return err
			}
			r.sample(time.Since(start), b)
			if b.Total() > p.backlogMax(rate) {
				return nil
			}
		}
		return nil
	})
	if err := g.Wait(); err != nil {
		return nil, err
	}
	r.Seconds = time.Since(start).Seconds()
	if r.BacklogEnd, err = p.cfg.Backlog(ctx); err != nil {
		return nil, err
	}
	r.sample(time.Since(start), r.BacklogEnd)
	return run, nil
}

func (r *Phase) sample(at time.Duration, b Backlog) {
	r.Samples = append(r.Samples, PhaseTick{at.Seconds(), b})
	m := &r.BacklogMost
	*m = Backlog{Outbox: max(m.Outbox, b.Outbox), Transfers: max(m.Transfers, b.Transfers), Books: max(m.Books, b.Books), Events: max(m.Events, b.Events),
		BooksMs: max(m.BooksMs, b.BooksMs), EventsMs: max(m.EventsMs, b.EventsMs)}
}

func (r *Phase) count(run *loadtest.Run) {
	opened, latencies := 0, newHistogram()
	for i := range run.Records {
		if rec := &run.Records[i]; rec.Outcome == loadtest.Opened {
			opened++
			latencies.add(rec.Due, rec.Got)
		}
	}
	r.Opens = latencies.latency()
	r.OpensPerSecond = over(float64(opened), r.Seconds)
	r.Carried = over(float64(opened), r.Seconds+r.DrainSeconds)
}

// signatures a second, while the load and its drain lasted.
func (r *Phase) signatures() float64 {
	return over(signaturesOfCall*r.Call.Count+signaturesOfCallback*r.Callback.Count, r.Seconds+r.DrainSeconds)
}

// drain waits until nothing is pending, and says how long that took.
func (p *pipeline) drain(ctx context.Context) (seconds float64, err error) {
	start := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, pipelineDrainMax, fmt.Errorf("the backlog is not carried out within %v", pipelineDrainMax))
	defer cancel()
	for {
		b, err := p.cfg.Backlog(ctx)
		if err == nil && b.Total() == 0 {
			return time.Since(start).Seconds(), nil
		}
		p.cfg.Progress(p.step-1, p.steps, fmt.Sprintf("drain: %d transfers, %d books, %d events, %d to be spread", b.Transfers, b.Books, b.Events, b.Outbox))
		if end := loadtest.Sleep(ctx, pipelineSampleFor/4); end != nil {
			return 0, errors.Join(end, err)
		}
	}
}

// meters are the CPU times so far of every part but the crowd.
type meters struct{ service, databases, provider time.Duration }

func (p *pipeline) meters(s *Server) (m meters, err error) {
	if m.service, m.databases, err = s.CPU(); err != nil {
		return m, err
	}
	m.provider, err = p.cfg.ProviderCPU()
	return m, err
}

func sharesOf(before, after meters, crowd, wall time.Duration) CPUShares {
	of := func(d time.Duration) float64 {
		return over(d.Seconds(), wall.Seconds()*float64(ThisMachine().CPUs))
	}
	return CPUShares{of(after.service - before.service), of(after.databases - before.databases), of(after.provider - before.provider), of(crowd)}
}

const (
	refundRounds    = 5 // which meet the sweep at different moments
	refundApart     = 1300 * time.Millisecond
	refundEnvelopes = 40              // in each
	refundWaitMax   = 3 * time.Minute // after the expiry
)

// refunds lets unopened envelopes expire, and measures from the end of
// each life until its sender is shown that the refund is posted.
func (p *pipeline) refunds(ctx context.Context) (err error) {
	s, err := p.cfg.Short(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop(context.WithoutCancel(ctx))) }()
	var stages []*loadtest.Stage
	for range refundRounds {
		stage, err := p.stage(ctx, s, loadtest.Spread, max(1, refundEnvelopes/max(1, p.cfg.Hurry)))
		if err != nil {
			return err
		}
		stages = append(stages, stage)
		if err := loadtest.Sleep(ctx, refundApart); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, p.cfg.ShortLife+refundWaitMax, fmt.Errorf("an expired envelope is not refunded within %v", refundWaitMax))
	defer cancel()
	var g errgroup.Group
	lags := make([][]time.Duration, len(stages))
	for i, stage := range stages {
		g.Go(func() (err error) {
			lags[i], err = stage.AwaitRefunds(ctx)
			return err
		})
	}
	err = g.Wait()
	took := newHistogram()
	for i, stage := range stages {
		for _, lag := range lags[i] {
			took.add(0, int64(lag))
		}
		err = errors.Join(err, p.audit(ctx, stage))
	}
	l := took.latency()
	p.out.Refund = &l
	return err
}
