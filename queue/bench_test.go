package queue_test

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"hongbao/queue"
)

// benchmarkLane measures Do in front of a Serve that does nothing.
func benchmarkLane(b *testing.B, keys, callersPerCPU int) {
	answers := make([]queue.Answer[int], 256)
	lane, err := queue.NewLane(queue.LaneConfig{}, func(_ context.Context, batch []queue.Item[string, int]) ([]queue.Answer[int], error) {
		return answers[:len(batch)], nil
	})
	if err != nil {
		b.Fatal(err)
	}
	names := make([]string, keys)
	for i := range names {
		names[i] = "000000000000000000" + strconv.Itoa(10000+i)
	}
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	b.SetParallelism(callersPerCPU)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if _, err := lane.Do(ctx, names[i%keys], i); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(lane.Stats().MeanBatch, "requests/batch")
	if err := lane.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
}

func BenchmarkLaneOneKeyOneCaller(b *testing.B)    { benchmarkLaneSerial(b) }
func BenchmarkLaneOneKeyCallers(b *testing.B)      { benchmarkLane(b, 1, 100) }
func BenchmarkLaneManyKeysCallers(b *testing.B)    { benchmarkLane(b, 500, 100) }
func BenchmarkLaneManyKeysFewCallers(b *testing.B) { benchmarkLane(b, 500, 4) }

func benchmarkLaneSerial(b *testing.B) {
	lane, err := queue.NewLane(queue.LaneConfig{}, func(_ context.Context, batch []queue.Item[string, int]) ([]queue.Answer[int], error) {
		return make([]queue.Answer[int], len(batch)), nil
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := lane.Do(ctx, "00000000000000000010000", 1); err != nil {
			b.Fatal(err)
		}
	}
	if err := lane.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
}

func newGate(t testing.TB, cfg queue.GateConfig) *queue.Gate {
	t.Helper()
	g, err := queue.NewGate(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func benchmarkGateWarm(b *testing.B, g *queue.Gate, keys int) {
	names := make([]string, keys)
	for i := range names {
		names[i] = "000000000000000000" + strconv.Itoa(10000+i)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			p, err := g.Enter(b.Context(), names[i%keys])
			if err != nil {
				b.Error(err)
				return
			}
			p.Leave()
		}
	})
}

func BenchmarkGateEnterWarmOneKey(b *testing.B) {
	benchmarkGateWarm(b, newGate(b, queue.GateConfig{Store: startMemcached(b).store(queue.MemcachedConfig{})}), 1)
}

func BenchmarkGateEnterWarmManyKeys(b *testing.B) {
	benchmarkGateWarm(b, newGate(b, queue.GateConfig{Store: startMemcached(b).store(queue.MemcachedConfig{})}), 500)
}

func benchmarkGateCold(b *testing.B, store queue.Store) {
	g := newGate(b, queue.GateConfig{Store: store})
	var lane atomic.Int64
	b.SetParallelism(16)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		prefix := strconv.FormatInt(lane.Add(1), 10) + "-"
		for i := 0; pb.Next(); i++ {
			p, err := g.Enter(b.Context(), prefix+strconv.Itoa(i))
			if err != nil {
				b.Error(err)
				return
			}
			p.Leave()
		}
	})
	if n := g.Stats().Fallback; n > 0 {
		b.Errorf("%d permits under the local cap, want all from the store", n)
	}
}

func BenchmarkGateEnterColdMemcached(b *testing.B) {
	benchmarkGateCold(b, startMemcached(b).store(queue.MemcachedConfig{OpTimeout: 100 * time.Millisecond}))
}

func BenchmarkGateEnterColdLocal(b *testing.B) {
	store, err := queue.NewLocalStore(1 << 16)
	if err != nil {
		b.Fatal(err)
	}
	benchmarkGateCold(b, store)
}

func newShedder(t testing.TB, cfg queue.ShedConfig) *queue.Shedder {
	t.Helper()
	s, err := queue.NewShedder(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func benchmarkRefusal(b *testing.B, s *queue.Shedder) {
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.Admit(); err == nil {
				b.Error("admitted")
				return
			}
		}
	})
}

func BenchmarkShedderRefusesInFlight(b *testing.B) {
	s := newShedder(b, queue.ShedConfig{InFlightMax: 1})
	if _, err := s.Admit(); err != nil {
		b.Fatal(err)
	}
	benchmarkRefusal(b, s)
}

func BenchmarkShedderRefusesDatabaseDown(b *testing.B) {
	s := newShedder(b, queue.ShedConfig{Logger: slog.New(slog.DiscardHandler), FailuresMax: 1, ProbeEvery: 5 * time.Second, ProbeMax: time.Minute})
	s.Observe(time.Millisecond, errors.New("connection refused"))
	benchmarkRefusal(b, s)
}

func BenchmarkShedderRefusesDraining(b *testing.B) {
	s := newShedder(b, queue.ShedConfig{})
	s.Drain(true)
	benchmarkRefusal(b, s)
}

func BenchmarkShedderAdmits(b *testing.B) {
	s := newShedder(b, queue.ShedConfig{})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			t, err := s.Admit()
			if err != nil {
				b.Error(err)
				return
			}
			t.Done(queue.Served)
		}
	})
}
