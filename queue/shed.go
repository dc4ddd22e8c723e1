package queue

import (
	"cmp"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/failsafe-go/failsafe-go/adaptivelimiter"
)

// ShedConfig sets when a SET says no. A zero field means its default.
type ShedConfig struct {
	InFlightMax    int // requests admitted and not done, 1..2^20; default 8,192
	HotInFlightMax int // the same while the CPU is hot, 1..InFlightMax; default a quarter of it

	// The adaptive limit moves a few requests a second between LimitMin and
	// InFlightMax. LimitMin must be enough for the usual load (rate × latency):
	// it is where a long storm leaves the limit. Defaults: 1/8 and 1/2 of InFlightMax.
	LimitMin, LimitInitial int

	CPU             func() float64 // share of CPU in use, 0..1; default NewCPU().Busy
	CPUHigh, CPULow float64        // hot above, cool again below, smoothed over 2 s; defaults 0.95, 0.85

	Age    func() time.Duration // of the oldest request or batch in the SET's lanes; default 0
	AgeMax time.Duration        // refuse above, admit again below half of it, 1 ms..1 min; default 500 ms

	LatencyMax   time.Duration // refuse while transactions take longer, smoothed, 1 ms..1 min; default 500 ms
	ErrorRateMax float64       // refuse while a larger share of them fails, 0.01..1; default 0.5
	FailuresMax  int           // refuse after as many failures in a row, 1..1000; default 5
	ProbeEvery   time.Duration // between single requests let through to an ill database, 1 ms..5 s; default 100 ms
	ProbeMax     time.Duration // a probe not done after it is given up, ProbeEvery..1 min; default 5 s

	SampleEvery time.Duration // between looks at CPU and Age, 1 ms..1 s; default 50 ms
	RetryAfter  time.Duration // middle of the jittered Retry-After of refusals; default 1 s
	Logger      *slog.Logger  // hears when the database falls ill and recovers; default slog.Default()
}

func (c *ShedConfig) setDefaults() {
	c.InFlightMax = cmp.Or(c.InFlightMax, 8_192)
	c.HotInFlightMax = cmp.Or(c.HotInFlightMax, max(1, c.InFlightMax/4))
	c.LimitMin = cmp.Or(c.LimitMin, max(1, c.InFlightMax/8))
	c.LimitInitial = cmp.Or(c.LimitInitial, max(c.LimitMin, c.InFlightMax/2))
	c.CPUHigh = cmp.Or(c.CPUHigh, 0.95)
	c.CPULow = cmp.Or(c.CPULow, 0.85)
	c.AgeMax = cmp.Or(c.AgeMax, 500*time.Millisecond)
	c.LatencyMax = cmp.Or(c.LatencyMax, 500*time.Millisecond)
	c.ErrorRateMax = cmp.Or(c.ErrorRateMax, 0.5)
	c.FailuresMax = cmp.Or(c.FailuresMax, 5)
	c.ProbeEvery = cmp.Or(c.ProbeEvery, 100*time.Millisecond)
	c.ProbeMax = cmp.Or(c.ProbeMax, 5*time.Second)
	c.SampleEvery = cmp.Or(c.SampleEvery, 50*time.Millisecond)
	c.RetryAfter = cmp.Or(c.RetryAfter, retryAfterDefault)
	c.Logger = cmp.Or(c.Logger, slog.Default())
	if c.CPU == nil {
		c.CPU = NewCPU().Busy
	}
	if c.Age == nil {
		c.Age = func() time.Duration { return 0 }
	}
}

func (c *ShedConfig) validate() error {
	most := max(1, c.InFlightMax)
	return errors.Join(
		within("ShedConfig.InFlightMax", c.InFlightMax, 1, 1<<20),
		within("ShedConfig.HotInFlightMax", c.HotInFlightMax, 1, most),
		within("ShedConfig.LimitMin", c.LimitMin, 1, most),
		within("ShedConfig.LimitInitial", c.LimitInitial, c.LimitMin, most),
		within("ShedConfig.CPUHigh", c.CPUHigh, 0.01, 1),
		within("ShedConfig.CPULow", c.CPULow, 0, c.CPUHigh),
		within("ShedConfig.AgeMax", c.AgeMax, time.Millisecond, time.Minute),
		within("ShedConfig.LatencyMax", c.LatencyMax, time.Millisecond, time.Minute),
		within("ShedConfig.ErrorRateMax", c.ErrorRateMax, 0.01, 1),
		within("ShedConfig.FailuresMax", c.FailuresMax, 1, 1_000),
		within("ShedConfig.ProbeEvery", c.ProbeEvery, time.Millisecond, 5*time.Second),
		within("ShedConfig.ProbeMax", c.ProbeMax, c.ProbeEvery, time.Minute),
		within("ShedConfig.SampleEvery", c.SampleEvery, time.Millisecond, time.Second),
		within("ShedConfig.RetryAfter", c.RetryAfter, time.Millisecond, time.Hour),
	)
}

// Shedder refuses what one SET cannot take, without waiting and without
// touching what it protects. It has no goroutine: the first Admit after
// SampleEvery reads the slow gauges, for all admissions until the next sample.
type Shedder struct {
	cfg     ShedConfig
	epoch   time.Time
	limiter adaptivelimiter.AdaptiveLimiter[any]

	draining atomic.Bool
	inFlight atomic.Int64
	gauges   gauges
	health   health

	refusals [causes]*refusals
	refused  [causes]atomic.Uint64
}

// cause is why an Admit is refused.
type cause uint32

const (
	well cause = iota
	isDraining
	isOverloaded
	isHot
	isLate
	isSlow
	isDown
	causes
)

// reasons are what callers are told.
func (c cause) reason() Reason {
	return [causes]Reason{
		"", ReasonDraining, ReasonOverloaded, ReasonCPU, ReasonQueueFull, ReasonDatabaseSlow, ReasonDatabaseDown,
	}[c]
}

// NewShedder returns a shedder that admits.
func NewShedder(cfg ShedConfig) (*Shedder, error) {
	cfg.setDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	s := &Shedder{cfg: cfg, epoch: time.Now()}
	s.health.cfg = &s.cfg
	for c := well + 1; c < causes; c++ {
		s.refusals[c] = newRefusals(c.reason(), cfg.RetryAfter)
	}
	// The limiter would tie its limit to a multiple of what is in flight, and a
	// quiet minute would then refuse the burst that follows: an envelope in a
	// large group. The limit follows latency alone.
	s.limiter = adaptivelimiter.NewBuilder[any]().
		WithLimits(uint(cfg.LimitMin), uint(cfg.InFlightMax), uint(cfg.LimitInitial)).
		WithMaxLimitFunc(func(int) float64 { return float64(cfg.InFlightMax) }).
		Build()
	return s, nil
}

// Admit lets a request in or refuses it with a *BusyError, at once. Every
// admission must be given back with Done.
func (s *Shedder) Admit() (Admission, error) { return s.admit(true) }

// AdmitElsewhere is Admit for a request that can go elsewhere: it is never made
// the probe of a database that is down, because a frozen one does not answer.
func (s *Shedder) AdmitElsewhere() (Admission, error) { return s.admit(false) }

// Down reports whether the database is thought to be down: only probes reach it.
func (s *Shedder) Down() bool { return s.health.state() == isDown }

func (s *Shedder) admit(mayProbeDown bool) (Admission, error) {
	if s.draining.Load() {
		return s.refuse(isDraining)
	}
	now := s.now()
	s.gauges.look(&s.cfg, now)
	n := s.inFlight.Load()
	switch {
	case n >= int64(s.cfg.InFlightMax):
		return s.refuse(isOverloaded)
	case n >= int64(s.cfg.HotInFlightMax) && s.gauges.hot.Load():
		return s.refuse(isHot)
	case s.gauges.late.Load():
		return s.refuse(isLate)
	}
	t := Admission{s: s}
	if ill := s.health.state(); ill != well {
		if ill == isDown && !mayProbeDown || !s.health.probe(now) {
			return s.refuse(ill)
		}
		t.probe = true
	} else {
		permit, ok := s.limiter.TryAcquirePermit()
		if !ok {
			return s.refuse(isOverloaded)
		}
		t.permit = permit
	}
	s.inFlight.Add(1) // at most InFlightMax: the limiter gives no more permits
	return t, nil
}

func (s *Shedder) refuse(c cause) (Admission, error) {
	s.refused[c].Add(1)
	return Admission{}, s.refusals[c].next()
}

// Ending is how an admitted request ended, for the adaptive limit.
type Ending uint8

const (
	Served  Ending = iota // it went through the database: its duration counts
	Dropped               // refused further on, answered from memory, or left by its caller
)

// Admission is an admitted request.
type Admission struct {
	s      *Shedder
	permit adaptivelimiter.Permit // nil for a probe
	probe  bool
}

// Done gives the admission back. Doing it again with the same Admission does nothing.
func (t *Admission) Done(e Ending) {
	s := t.s
	if s == nil {
		return
	}
	t.s = nil
	s.inFlight.Add(-1)
	switch {
	case t.probe:
		s.health.probed(s.now())
	case e == Served:
		t.permit.Record()
	default:
		t.permit.Drop()
	}
}

// Drain starts or ends refusing everything.
func (s *Shedder) Drain(on bool) { s.draining.Store(on) }

// Observe takes the duration of one database transaction and its error. Pass
// nil for errors that say nothing about the database, such as a duplicate key.
func (s *Shedder) Observe(latency time.Duration, err error) {
	was, is := s.health.observe(latency, err, s.now())
	switch {
	case was == is:
	case is == well:
		s.cfg.Logger.Info("database recovered")
	default:
		s.cfg.Logger.Warn("database ill, refusing", "reason", is.reason(), "error", err)
	}
}

func (s *Shedder) now() time.Duration { return time.Since(s.epoch) }

// ShedStats is a snapshot of a shedder. Counters count from its start.
type ShedStats struct {
	InFlight  int               // admissions out
	Limit     int               // the adaptive limit
	CPU       float64           // smoothed share, 0..1
	Age       time.Duration     // what Config.Age says
	Latency   time.Duration     // smoothed, of transactions
	ErrorRate float64           // smoothed share of failed transactions, 0..1
	Refusing  Reason            // why Admit refuses everything but probes, "" if it does not
	Refused   map[Reason]uint64 // by reason
}

// Stats returns a snapshot, looking at the gauges if that is due.
func (s *Shedder) Stats() ShedStats {
	s.gauges.look(&s.cfg, s.now())
	st := ShedStats{
		InFlight: int(s.inFlight.Load()),
		Limit:    s.limiter.Limit(),
		Age:      s.cfg.Age(),
		Refused:  make(map[Reason]uint64, causes),
	}
	st.CPU = s.gauges.smoothed()
	st.Latency, st.ErrorRate = s.health.smoothed()
	for c := well + 1; c < causes; c++ {
		st.Refused[c.reason()] = s.refused[c].Load()
	}
	switch ill := s.health.state(); {
	case s.draining.Load():
		st.Refusing = ReasonDraining
	case s.gauges.late.Load():
		st.Refusing = ReasonQueueFull
	default:
		st.Refusing = ill.reason()
	}
	return st
}
