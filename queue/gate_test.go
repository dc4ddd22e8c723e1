package queue_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hongbao/queue"
)

// quietGate is a gate that does not log and, unless the test is about time,
// waits long enough for its store that a busy machine does not matter.
func quietGate(t testing.TB, cfg queue.GateConfig) *queue.Gate {
	t.Helper()
	if cfg.LeaseFor == 0 && cfg.AcquireMax == 0 {
		cfg.AcquireMax = 800 * time.Millisecond
	}
	cfg.Logger = slog.New(slog.DiscardHandler)
	return newGate(t, cfg)
}

func newLocalStore(t testing.TB) *queue.LocalStore {
	t.Helper()
	s, err := queue.NewLocalStore(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func enter(t *testing.T, g *queue.Gate, key string) queue.Permit {
	t.Helper()
	p, err := g.Enter(t.Context(), key)
	if err != nil {
		t.Fatalf("Enter(%s): %v", key, err)
	}
	return p
}

func refused(t *testing.T, g *queue.Gate, key string, reason queue.Reason) {
	t.Helper()
	_, err := g.Enter(t.Context(), key)
	wantBusy(t, err, reason)
}

// countingStore counts the round trips and lets a test hold them up.
type countingStore struct {
	queue.Store
	trips atomic.Int64
	down  atomic.Bool
	hold  chan struct{} // nil: do not wait
}

func (s *countingStore) trip(ctx context.Context) error {
	s.trips.Add(1)
	if s.down.Load() {
		return errDown
	}
	if s.hold == nil {
		return nil
	}
	select {
	case <-s.hold:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *countingStore) Get(ctx context.Context, key string) ([]byte, uint64, bool, error) {
	if err := s.trip(ctx); err != nil {
		return nil, 0, false, err
	}
	return s.Store.Get(ctx, key)
}

func (s *countingStore) Add(ctx context.Context, key string, value []byte, ttl time.Duration) (bool, error) {
	if err := s.trip(ctx); err != nil {
		return false, err
	}
	return s.Store.Add(ctx, key, value, ttl)
}

func (s *countingStore) CompareAndSwap(ctx context.Context, key string, value []byte, token uint64, ttl time.Duration) (bool, error) {
	if err := s.trip(ctx); err != nil {
		return false, err
	}
	return s.Store.CompareAndSwap(ctx, key, value, token, ttl)
}

func TestGateCapsHoldersAcrossProcesses(t *testing.T) {
	onEveryStore(t, func(t *testing.T, s queue.Store) {
		var gates []*queue.Gate
		for i := range 3 {
			gates = append(gates, quietGate(t, queue.GateConfig{Store: s, Holder: fmt.Sprint("server", i), HoldersMax: 2}))
		}
		enter(t, gates[0], "k")
		enter(t, gates[1], "k").Leave()
		refused(t, gates[2], "k", queue.ReasonOverCap)
		enter(t, gates[2], "other")
		enter(t, gates[0], "k")
	})
}

func TestGateCapHoldsUnderContention(t *testing.T) {
	onEveryStore(t, func(t *testing.T, s queue.Store) {
		for round := range 20 {
			var in atomic.Int32
			var wg sync.WaitGroup
			for range 12 {
				g := quietGate(t, queue.GateConfig{Store: s, HoldersMax: 3})
				wg.Go(func() {
					if _, err := g.Enter(t.Context(), fmt.Sprint(round)); err == nil {
						in.Add(1)
					}
				})
			}
			wg.Wait()
			if n := in.Load(); n < 1 || n > 3 {
				t.Errorf("round %d: %d holders, want 1 to 3", round, n)
			}
		}
	})
}

func TestWarmKeyCostsNoRoundTrip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &countingStore{Store: newLocalStore(t)}
		g := quietGate(t, queue.GateConfig{Store: s, LeaseFor: 4 * time.Second})
		enter(t, g, "k").Leave()
		if n := s.trips.Load(); n != 1 {
			t.Errorf("%d round trips for a new key, want 1", n)
		}
		for range 99 { // just under a quarter of the lease
			time.Sleep(10 * time.Millisecond)
			enter(t, g, "k").Leave()
		}
		if n := s.trips.Load(); n != 1 {
			t.Errorf("%d round trips in the first quarter of the lease, want 1", n)
		}
		s.hold = make(chan struct{})
		time.Sleep(1_010 * time.Millisecond) // half of it is over
		start := time.Now()
		for range 5 {
			enter(t, g, "k").Leave()
		}
		if time.Since(start) != 0 {
			t.Error("a caller waited for the renewal")
		}
		close(s.hold)
		synctest.Wait()
		if n := s.trips.Load(); n != 3 { // one look, one swap
			t.Errorf("%d round trips after renewal, want 3", n)
		}
		s.down.Store(true)
		time.Sleep(3 * time.Second) // past the end of the first lease
		enter(t, g, "k").Leave()
		if st := g.Stats(); st.Granted != 106 || st.Fallback != 0 {
			t.Errorf("stats %+v, want all permits under leases", st)
		}
	})
}

func TestRenewalsDoNotComeAllAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &countingStore{Store: newLocalStore(t)}
		g := quietGate(t, queue.GateConfig{Store: s, LeaseFor: 4 * time.Second})
		enterAll := func() (trips int64) {
			before := s.trips.Load()
			for i := range 500 {
				enter(t, g, fmt.Sprint(i)).Leave()
			}
			synctest.Wait()
			return s.trips.Load() - before
		}
		if n := enterAll(); n != 500 {
			t.Errorf("%d round trips for 500 new keys", n)
		}
		time.Sleep(1_500 * time.Millisecond)
		s.hold = make(chan struct{})
		if n := enterAll(); n != 16 {
			t.Errorf("%d renewals in flight, want 16", n)
		}
		close(s.hold)
		synctest.Wait()
		s.hold = nil
		for range 4 {
			enterAll()
		}
		if n := g.Stats().Acquired; n < 500+16 || n > 500+400 {
			t.Errorf("%d leases after a half of the time for renewal, want some and not all of 500 renewed", n)
		}
	})
}

func TestColdCallersShareOneAcquisition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &countingStore{Store: newLocalStore(t), hold: make(chan struct{})}
		g := quietGate(t, queue.GateConfig{Store: s})
		ctx, cancel := context.WithCancel(t.Context())
		var in, gaveUp atomic.Int32
		for i := range 1_000 {
			go func() {
				ctx := ctx
				if i > 0 {
					ctx = t.Context()
				}
				p, err := g.Enter(ctx, "k")
				if err != nil {
					gaveUp.Add(1)
					return
				}
				in.Add(1)
				p.Leave()
			}()
		}
		synctest.Wait()
		cancel() // one of them, perhaps the first, stops waiting
		synctest.Wait()
		if gaveUp.Load() != 1 {
			t.Errorf("%d gave up, want the one whose context ended", gaveUp.Load())
		}
		close(s.hold)
		synctest.Wait()
		if s.trips.Load() != 1 || in.Load() != 999 {
			t.Errorf("%d round trips for %d callers, want 1 for 999", s.trips.Load(), in.Load())
		}
		if n := g.Stats().Permits; n != 0 {
			t.Errorf("%d permits out, want none", n)
		}
	})
}

func TestKeyOverItsCapIsRefusedFromCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &countingStore{Store: newLocalStore(t)}
		first := quietGate(t, queue.GateConfig{Store: s, HoldersMax: 1, LeaseFor: time.Second})
		second := quietGate(t, queue.GateConfig{Store: s, HoldersMax: 1, LeaseFor: time.Second, RefuseFor: 50 * time.Millisecond})
		enter(t, first, "k")
		before := s.trips.Load()
		for range 100 {
			refused(t, second, "k", queue.ReasonOverCap)
		}
		if n := s.trips.Load() - before; n != 2 {
			t.Errorf("%d round trips for 100 refusals, want 2", n)
		}
		time.Sleep(time.Second) // the lease that is not renewed ends
		enter(t, second, "k")
	})
}

func TestLateRenewalLeavesTheRestOfTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &countingStore{Store: newLocalStore(t)}
		g := quietGate(t, queue.GateConfig{Store: s, HoldersMax: 1, LeaseFor: time.Second, RefuseFor: 100 * time.Millisecond})
		enter(t, g, "k")
		_, token, _, _ := s.Store.Get(t.Context(), "k") // the store forgot, and another came in
		mustSwap(t, s.Store, "k", fmt.Sprintf("hbl1 other:%d", time.Now().Add(20*time.Second).UnixMilli()), token, true)
		time.Sleep(500 * time.Millisecond)
		before := s.trips.Load()
		for range 100 {
			enter(t, g, "k").Leave()
			synctest.Wait()
		}
		if n := s.trips.Load() - before; n != 1 {
			t.Errorf("%d round trips, want one look in RefuseFor", n)
		}
		time.Sleep(500 * time.Millisecond)
		refused(t, g, "k", queue.ReasonOverCap)
	})
}

// FB4: a lost store is probed at intervals, without a caller waiting for it.
func TestLostStoreIsProbedInTheBackground(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &countingStore{Store: newLocalStore(t)}
		s.down.Store(true)
		g := quietGate(t, queue.GateConfig{Store: s, FailuresMax: 5, ProbeEvery: 100 * time.Millisecond})
		crowd := func() (trips int64) {
			before := s.trips.Load()
			for i := range 100 {
				enter(t, g, fmt.Sprint(i)).Leave()
			}
			synctest.Wait()
			return s.trips.Load() - before
		}
		if n := crowd(); n != 5 {
			t.Errorf("%d round trips until the store was given up, want 5", n)
		}
		if st := g.Stats(); st.Fallback != 100 || st.Warm != 0 {
			t.Errorf("stats %+v, want permits under the local cap, and no key without one remembered", st)
		}
		time.Sleep(100 * time.Millisecond)
		if n := crowd(); n != 1 {
			t.Errorf("%d round trips when a probe was due, want 1", n)
		}
		s.down.Store(false)
		time.Sleep(100 * time.Millisecond)
		crowd()
		if crowd(); g.Stats().Fallen || g.Stats().Granted < 100 {
			t.Errorf("stats %+v, want leases again", g.Stats())
		}
	})
}

func TestPermitsOfAKeyAreCapped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := quietGate(t, queue.GateConfig{Store: newLocalStore(t), PermitsMax: 2})
		p := enter(t, g, "k")
		enter(t, g, "k")
		refused(t, g, "k", queue.ReasonOverCap)
		enter(t, g, "other")
		p.Leave()
		enter(t, g, "k")
		if st := g.Stats(); st.Permits != 3 || st.Granted != 4 || st.Refused != 1 || st.Warm != 2 {
			t.Errorf("stats %+v", st)
		}
	})
}

func TestIdleKeysAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := quietGate(t, queue.GateConfig{Store: newLocalStore(t), LeaseFor: 4 * time.Second})
		held := enter(t, g, "held")
		for i := range 1_000 {
			enter(t, g, fmt.Sprint(i)).Leave()
		}
		if n := g.Stats().Warm; n != 1_001 {
			t.Errorf("%d keys warm, want 1001", n)
		}
		time.Sleep(6*time.Second + time.Millisecond)
		if n := g.Stats().Warm; n != 1 {
			t.Errorf("%d keys remembered after a lease and a half, want the held one", n)
		}
		held.Leave()
		time.Sleep(2 * time.Second)
		if n := g.Stats().Warm; n != 0 {
			t.Errorf("%d keys remembered, want none", n)
		}
		enter(t, g, "again") // and the sweep starts again
		if n := g.Stats().Warm; n != 1 {
			t.Errorf("%d keys warm, want 1", n)
		}
	})
}

func TestTheTableOfWarmKeysIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := quietGate(t, queue.GateConfig{Store: newLocalStore(t), WarmMax: 64})
		for i := range 10_000 { // idle ones make room
			enter(t, g, fmt.Sprint(i)).Leave()
		}
		if n := g.Stats().Warm; n > 64 {
			t.Errorf("%d keys warm, want at most 64", n)
		}
		full := 0
		for i := range 1_000 { // those in use do not
			if _, err := g.Enter(t.Context(), fmt.Sprint("held", i)); err != nil {
				wantBusy(t, err, queue.ReasonGateFull)
				full++
			}
		}
		if st := g.Stats(); st.Warm > 64 || st.Permits != st.Warm || full != 1_000-st.Permits {
			t.Errorf("%d refused with stats %+v", full, st)
		}
	})
}

func TestGateRefusesNonsense(t *testing.T) {
	s := newLocalStore(t)
	for want, cfg := range map[string]queue.GateConfig{
		"queue: a gate needs a Store":                                               {},
		"queue: GateConfig.HoldersMax 65 > 64":                                      {Store: s, HoldersMax: 65},
		"queue: GateConfig.FallbackMax 10 > 9":                                      {Store: s, PermitsMax: 10, FallbackMax: 10},
		"queue: GateConfig.LeaseFor 400ms < 450ms":                                  {Store: s, LeaseFor: 400 * time.Millisecond},
		"queue: GateConfig.LeaseFor 1m0s > 30s":                                     {Store: s, LeaseFor: time.Minute},
		"queue: GateConfig.WarmMax 1 < 64":                                          {Store: s, WarmMax: 1},
		`queue: GateConfig.Holder "a b" is empty, over 64 bytes, or has ' ' or ':'`: {Store: s, Holder: "a b"},
	} {
		if _, err := queue.NewGate(cfg); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
