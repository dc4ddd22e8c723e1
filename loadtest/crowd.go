package loadtest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// CallersMax bounds the connections of one crowd.
const CallersMax = 20_000

// dialsMax is how many connect at the same time before a load.
const dialsMax = 64

// unreachedPause keeps a crowd whose server is down from doing nothing but dial.
const unreachedPause = 10 * time.Millisecond

// Retry is how a request that was not served is retried.
type Retry struct {
	TriesMax int // requests for one tap, at least 1
	// PauseMax is the longest wait before asking again, where the service
	// usually asks for more: 0 is the naive client that asks again at once.
	PauseMax time.Duration
}

// Saturation is a closed load: so many callers, each with one request at a time
// and the next as soon as it is answered. It finds what the service can do, and
// hides how long people would have waited: its latencies are not those of a load.
type Saturation struct {
	Callers int           // 1 to CallersMax
	Warm    time.Duration // not measured
	For     time.Duration // measured
	Pause   time.Duration // the longest wait after a refusal; 0 asks on at once
	Echo    bool          // ask the echo instead of opening: the ceiling of the HTTP stack
}

func (l *Saturation) validate() error {
	switch {
	case l.Callers < 1 || l.Callers > CallersMax:
		return fmt.Errorf("want 1 <= callers <= %d, have %d", CallersMax, l.Callers)
	case l.For <= 0:
		return fmt.Errorf("want 0 < measured time, have %v", l.For)
	case l.Warm < 0 || l.Pause < 0:
		return fmt.Errorf("want 0 <= warm-up and 0 <= pause, have %v and %v", l.Warm, l.Pause)
	}
	return nil
}

// Offer is an open load: arrivals do not wait for answers.
type Offer struct {
	Seed        uint64
	Load        []Stretch
	Connections int           // 1 to CallersMax; an arrival that finds none free waits, and that counts
	Patience    time.Duration // an arrival that could not be sent within it leaves; 0 never leaves
	Retry       Retry
}

func (l *Offer) validate() error {
	if err := l.Retry.validate(); err != nil {
		return err
	}
	switch {
	case l.Connections < 1 || l.Connections > CallersMax:
		return fmt.Errorf("want 1 <= connections <= %d, have %d", CallersMax, l.Connections)
	case l.Patience < 0:
		return fmt.Errorf("want 0 <= patience, have %v", l.Patience)
	}
	return nil
}

func (r *Retry) validate() error {
	if r.TriesMax < 1 || r.PauseMax < 0 {
		return fmt.Errorf("want 1 <= tries and 0 <= pause, have %d and %v", r.TriesMax, r.PauseMax)
	}
	return nil
}

// Run is one load as it was carried out.
type Run struct {
	Callers  int
	Open     bool          // arrivals did not wait for answers
	From, To time.Duration // what is measured, since the stage began
	Load     []Stretch     // of an open load
	Arrivals int           // due in it
	Unsent   int           // arrivals that left before a connection was free
	Dry      bool          // every tap of the plan was used up early
	Records  []Record      // everything asked in it, also outside From and To
	CPU      time.Duration // our own process spent on it
}

// Saturate runs a closed load. Refused requests are retried until it ends.
func (s *Stage) Saturate(ctx context.Context, load Saturation) (*Run, error) {
	if err := load.validate(); err != nil {
		return nil, fmt.Errorf("saturate: %w", err)
	}
	verb := "open"
	if load.Echo {
		verb = "echo"
	}
	c := s.gather(load.Callers, verb, Retry{TriesMax: math.MaxInt, PauseMax: load.Pause})
	from := s.now() + load.Warm
	src := &closed{s: s, end: from + load.For, again: load.Echo}
	for _, one := range c.callers {
		one.until = src.end
	}
	run := &Run{Callers: load.Callers, From: from, To: src.end}
	c.tapAll(ctx, run, src.take)
	if dry := src.dry.Load(); dry > 0 {
		run.To, run.Dry = time.Duration(dry), true
	}
	if run.To <= run.From {
		return nil, errors.New("saturate: the plan was used up before measuring began: plan more envelopes")
	}
	if !load.Echo {
		s.keep(run.Records)
	}
	return run, ctx.Err()
}

// Offer runs an open load. It returns when every arrival has been answered or
// has left.
func (s *Stage) Offer(ctx context.Context, load Offer) (*Run, error) {
	if err := load.validate(); err != nil {
		return nil, fmt.Errorf("offer: %w", err)
	}
	due, err := Arrivals(load.Seed, load.Load)
	if err != nil {
		return nil, err
	}
	c := s.gather(load.Connections, "open", load.Retry)
	src := &open{s: s, from: s.now(), due: due, patience: load.Patience}
	run := &Run{Callers: load.Connections, Open: true, From: src.from, To: src.from + Length(load.Load), Load: load.Load, Arrivals: len(due)}
	c.tapAll(ctx, run, src.take)
	s.keep(run.Records)
	run.Unsent, run.Dry = int(src.unsent.Load()), src.dry.Load()
	return run, ctx.Err()
}

func (s *Stage) keep(records []Record) {
	s.mu.Lock()
	s.records = append(s.records, records...)
	s.mu.Unlock()
}

// crowd is people with a connection each, ready to tap.
type crowd struct {
	callers []*caller
	heads   [][]byte // by gift: the beginning of every request about it
}

// gather makes the callers and lets them connect, so that a load is not a storm
// of handshakes: callers of an API keep their connections. One that cannot connect
// tries again at the first request, which counts.
func (s *Stage) gather(n int, verb string, retry Retry) *crowd {
	c := &crowd{callers: make([]*caller, n), heads: make([][]byte, len(s.lives))}
	for gift := range s.lives {
		c.heads[gift] = s.head(gift, verb)
	}
	var g errgroup.Group
	g.SetLimit(dialsMax)
	for i := range c.callers {
		c.callers[i] = newCaller(s, retry)
		g.Go(func() error {
			_ = c.callers[i].wire.Dial(s.now())
			return nil
		})
	}
	_ = g.Wait() // nothing in it fails
	return c
}

// tapAll lets the callers take and tap until there is nothing to take.
func (c *crowd) tapAll(ctx context.Context, run *Run, take source) {
	c.carryOut(run, func(one *caller) bool {
		tap, due, ok := take(ctx, one.wait)
		if ok {
			one.tap(ctx, tap, c.heads[tap.Gift], due)
		}
		return ok
	})
}

// carryOut lets each caller go on until it says false, and collects what they
// wrote down.
func (c *crowd) carryOut(run *Run, goOn func(*caller) bool) {
	var wg sync.WaitGroup
	before := ownCPU()
	for _, one := range c.callers {
		wg.Go(func() {
			for goOn(one) {
			}
			one.wire.Close()
		})
	}
	wg.Wait()
	run.CPU = ownCPU() - before
	all := make([][]Record, len(c.callers))
	for i, one := range c.callers {
		all[i] = one.records
	}
	run.Records = slices.Concat(all...)
}

// ownCPU is the CPU time this process has used so far.
func ownCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0 // the kernel knows us; there is nothing else to say
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
