package queue_test

import (
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hongbao/queue"
)

var errDown = errors.New("connection refused")

// dials are the gauges of a shedder in the hands of a test.
type dials struct {
	cpu atomic.Int64 // percent
	age atomic.Int64 // time.Duration
}

func quietShedder(t *testing.T, d *dials, cfg queue.ShedConfig) *queue.Shedder {
	t.Helper()
	cfg.CPU = func() float64 { return float64(d.cpu.Load()) / 100 }
	if cfg.Age == nil {
		cfg.Age = func() time.Duration { return time.Duration(d.age.Load()) }
	}
	cfg.Logger = slog.New(slog.DiscardHandler)
	return newShedder(t, cfg)
}

func admit(t *testing.T, s *queue.Shedder) queue.Admission {
	t.Helper()
	admission, err := s.Admit()
	if err != nil {
		t.Fatalf("Admit: %v", err)
	}
	return admission
}

func wantRefused(t *testing.T, s *queue.Shedder, reason queue.Reason) {
	t.Helper()
	_, err := s.Admit()
	wantBusy(t, err, reason)
}

func TestAHealthyShedderAdmitsAndCounts(t *testing.T) {
	s := quietShedder(t, new(dials), queue.ShedConfig{})
	a, b := admit(t, s), admit(t, s)
	if st := s.Stats(); st.InFlight != 2 || st.Refusing != "" {
		t.Errorf("stats %+v, want 2 in flight", st)
	}
	a.Done(queue.Served)
	a.Done(queue.Served) // again, to no effect
	b.Done(queue.Dropped)
	if st := s.Stats(); st.InFlight != 0 {
		t.Errorf("%d in flight, want none", st.InFlight)
	}
	new(queue.Admission).Done(queue.Served)
}

func TestDrainingRefusesEverything(t *testing.T) {
	s := quietShedder(t, new(dials), queue.ShedConfig{})
	s.Drain(true)
	wantRefused(t, s, queue.ReasonDraining)
	if st := s.Stats(); st.Refusing != queue.ReasonDraining || st.Refused[queue.ReasonDraining] != 1 {
		t.Errorf("stats %+v", st)
	}
	s.Drain(false)
	admit(t, s)
}

func TestCeilingInFlightIsAbsolute(t *testing.T) {
	s := quietShedder(t, new(dials), queue.ShedConfig{InFlightMax: 10, LimitInitial: 10})
	var in atomic.Int64
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			if _, err := s.Admit(); err == nil {
				in.Add(1)
			}
		})
	}
	wg.Wait()
	if in.Load() != 10 {
		t.Errorf("%d admitted, want 10", in.Load())
	}
	wantRefused(t, s, queue.ReasonOverloaded)
}

func TestAdaptiveLimitIsBelowTheCeiling(t *testing.T) {
	s := quietShedder(t, new(dials), queue.ShedConfig{InFlightMax: 100, LimitMin: 1, LimitInitial: 2})
	admit(t, s)
	b := admit(t, s)
	wantRefused(t, s, queue.ReasonOverloaded)
	b.Done(queue.Served)
	admit(t, s)
}

func TestHotCPULowersTheCeiling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := new(dials)
		s := quietShedder(t, d, queue.ShedConfig{InFlightMax: 8, HotInFlightMax: 2, LimitInitial: 8})
		admit(t, s)
		admit(t, s)
		third := admit(t, s)
		step := func(percent int64, d2 time.Duration) {
			d.cpu.Store(percent)
			for range d2 / (100 * time.Millisecond) {
				time.Sleep(100 * time.Millisecond)
				s.Stats() // a look, as traffic would
			}
		}
		step(100, time.Second) // a burst is smoothed away
		fourth := admit(t, s)
		step(100, 9*time.Second)
		wantRefused(t, s, queue.ReasonCPU)
		step(90, 5*time.Second) // between the thresholds: still hot
		wantRefused(t, s, queue.ReasonCPU)
		third.Done(queue.Served)
		fourth.Done(queue.Served)
		wantRefused(t, s, queue.ReasonCPU)
		step(0, 2*time.Second)
		admit(t, s)
	})
}

func TestSlowQueuesRefuseUntilTheyMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := new(dials)
		s := quietShedder(t, d, queue.ShedConfig{AgeMax: 400 * time.Millisecond})
		look := func(age time.Duration) {
			d.age.Store(int64(age))
			time.Sleep(50 * time.Millisecond)
		}
		look(399 * time.Millisecond)
		admit(t, s)
		look(400 * time.Millisecond)
		wantRefused(t, s, queue.ReasonQueueFull)
		look(200 * time.Millisecond)
		wantRefused(t, s, queue.ReasonQueueFull)
		if r := s.Stats().Refusing; r != queue.ReasonQueueFull {
			t.Errorf("refusing %q", r)
		}
		look(199 * time.Millisecond)
		admit(t, s)
	})
}

func TestDeadDatabaseIsProbedOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := quietShedder(t, new(dials), queue.ShedConfig{FailuresMax: 3, ProbeEvery: 100 * time.Millisecond, ProbeMax: 5 * time.Second})
		for range 20 {
			s.Observe(time.Millisecond, nil)
		}
		s.Observe(time.Millisecond, errDown)
		s.Observe(time.Millisecond, errDown)
		ok := admit(t, s)
		ok.Done(queue.Dropped)
		s.Observe(time.Millisecond, errDown)
		wantRefused(t, s, queue.ReasonDatabaseDown)
		time.Sleep(100 * time.Millisecond)
		probe := admit(t, s)
		time.Sleep(time.Second)
		wantRefused(t, s, queue.ReasonDatabaseDown) // one at a time
		s.Observe(time.Second, errDown)
		probe.Done(queue.Served)
		wantRefused(t, s, queue.ReasonDatabaseDown)
		time.Sleep(100 * time.Millisecond)
		admit(t, s) // a probe that is not given back
		time.Sleep(5*time.Second - time.Millisecond)
		wantRefused(t, s, queue.ReasonDatabaseDown)
		time.Sleep(time.Millisecond)
		probe = admit(t, s)
		probes := 0
		for ; s.Stats().Refusing != ""; probes++ { // good ones heal, and a single one does not
			s.Observe(time.Millisecond, nil)
			probe.Done(queue.Served)
			time.Sleep(100 * time.Millisecond)
			probe = admit(t, s)
		}
		if probes < 2 || probes > 20 {
			t.Errorf("recovered after %d probes, want a few", probes)
		}
		admit(t, s)
	})
}

func TestReroutableRequestIsNeverTheProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := quietShedder(t, new(dials), queue.ShedConfig{ProbeEvery: 100 * time.Millisecond, LatencyMax: 500 * time.Millisecond})
		s.Observe(4*time.Second, errDown) // frozen: the first failure came late, which is enough
		if !s.Down() {
			t.Fatal("a transaction that failed after 4 s did not make the database down")
		}
		time.Sleep(time.Second)
		if _, err := s.AdmitElsewhere(); err == nil {
			t.Error("admitted to a dead database though it could go elsewhere")
		}
		admit(t, s) // the one that cannot is the probe
	})
}

func TestAMostlyFailingDatabaseIsDown(t *testing.T) {
	s := quietShedder(t, new(dials), queue.ShedConfig{FailuresMax: 1_000})
	for range 10 {
		s.Observe(time.Millisecond, nil)
		s.Observe(time.Millisecond, errDown)
		s.Observe(time.Millisecond, errDown)
	}
	wantRefused(t, s, queue.ReasonDatabaseDown)
}

func TestFastFailuresDoNotHideASlowDatabase(t *testing.T) {
	s := quietShedder(t, new(dials), queue.ShedConfig{LatencyMax: 500 * time.Millisecond})
	for range 20 {
		s.Observe(600*time.Millisecond, nil)
		s.Observe(600*time.Millisecond, nil)
		if s.Stats().Refusing == "" {
			s.Observe(time.Millisecond, errDown)
		}
	}
	wantRefused(t, s, queue.ReasonDatabaseSlow)
}

func TestSlowDatabaseRefusesUntilFast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := quietShedder(t, new(dials), queue.ShedConfig{LatencyMax: 500 * time.Millisecond})
		for range 50 {
			s.Observe(10*time.Millisecond, nil)
		}
		s.Observe(2*time.Second, nil) // one stall is forgiven
		first := admit(t, s)
		first.Done(queue.Served)
		s.Observe(2*time.Second, nil)
		wantRefused(t, s, queue.ReasonDatabaseSlow)
		start := time.Now()
		for s.Stats().Refusing != "" {
			time.Sleep(100 * time.Millisecond)
			if probe, err := s.Admit(); err == nil {
				s.Observe(10*time.Millisecond, nil)
				probe.Done(queue.Served)
			}
		}
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("recovery took %v", took)
		}
	})
}

// crowd sends requests to a database that does one at a time, 200 a second.
// A refused client comes back after RetryAfter, three times, as naive clients do.
type crowd struct {
	s  *queue.Shedder
	wg sync.WaitGroup

	mu        sync.Mutex
	free      time.Time // when the database has done all it was given
	refusedAt time.Time
	served    int
}

func (c *crowd) ask() {
	for range 4 {
		admission, err := c.s.Admit()
		if busy, refused := errors.AsType[*queue.BusyError](err); refused {
			c.mu.Lock()
			c.refusedAt = time.Now()
			c.mu.Unlock()
			time.Sleep(busy.RetryAfter)
			continue
		}
		wait := c.enqueue()
		time.Sleep(wait)
		c.s.Observe(time.Second/200, nil) // the transaction, without the queue before it
		admission.Done(queue.Served)
		c.mu.Lock()
		c.served++
		c.mu.Unlock()
		return
	}
}

func (c *crowd) enqueue() (wait time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if c.free.Before(now) {
		c.free = now
	}
	c.free = c.free.Add(time.Second / 200)
	return c.free.Sub(now)
}

// age is how long the request whose turn it is has waited.
func (c *crowd) age() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return max(0, time.Until(c.free))
}

// send sends perSecond requests a second for a while.
func (c *crowd) send(perSecond int, length time.Duration) {
	for range int(length.Seconds()) * perSecond {
		c.wg.Go(c.ask)
		time.Sleep(time.Second / time.Duration(perSecond))
	}
}

func TestStormIsOverWithinTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := new(crowd)
		c.s = quietShedder(t, new(dials), queue.ShedConfig{InFlightMax: 400, Age: c.age})
		c.send(5*200, 30*time.Second)
		c.mu.Lock()
		if c.served < 30*200*85/100 {
			t.Errorf("%d served in a storm of five times the capacity, want 85%% of 6000", c.served)
		}
		if c.refusedAt.IsZero() {
			t.Error("nothing was refused in the storm")
		}
		c.mu.Unlock()
		end := time.Now()
		c.send(7*200/10, 20*time.Second)
		c.wg.Wait()
		if after := c.refusedAt.Sub(end); after > 10*time.Second {
			t.Errorf("still refusing %v after the storm", after)
		}
	})
}

func TestRefusalsSpreadTheReturn(t *testing.T) {
	s := quietShedder(t, new(dials), queue.ShedConfig{RetryAfter: 2 * time.Second})
	s.Drain(true)
	seen := make(map[time.Duration]bool)
	for range 1_000 {
		_, err := s.Admit()
		busy, _ := errors.AsType[*queue.BusyError](err)
		if busy.RetryAfter < time.Second || busy.RetryAfter >= 3*time.Second {
			t.Fatalf("RetryAfter %v, want 1s to 3s", busy.RetryAfter)
		}
		seen[busy.RetryAfter] = true
	}
	if len(seen) < 8 {
		t.Errorf("%d different RetryAfter, want them spread", len(seen))
	}
}

func TestShedderRefusesNonsense(t *testing.T) {
	for want, cfg := range map[string]queue.ShedConfig{
		"queue: ShedConfig.InFlightMax -1 < 1":       {InFlightMax: -1},
		"queue: ShedConfig.HotInFlightMax 9 > 8":     {InFlightMax: 8, HotInFlightMax: 9},
		"queue: ShedConfig.LimitInitial 2 < 4":       {InFlightMax: 8, LimitMin: 4, LimitInitial: 2},
		"queue: ShedConfig.CPULow 0.9 > 0.5":         {CPUHigh: 0.5, CPULow: 0.9},
		"queue: ShedConfig.ErrorRateMax 2 > 1":       {ErrorRateMax: 2},
		"queue: ShedConfig.ProbeMax 50ms < 100ms":    {ProbeMax: 50 * time.Millisecond},
		"queue: ShedConfig.SampleEvery 1µs < 1ms":    {SampleEvery: time.Microsecond},
		"queue: ShedConfig.LatencyMax 2h0m0s > 1m0s": {LatencyMax: 2 * time.Hour},
		"queue: ShedConfig.RetryAfter 10µs < 1ms":    {RetryAfter: 10 * time.Microsecond},
	} {
		if _, err := queue.NewShedder(cfg); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
