package queue_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"hongbao/queue"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// FA15: Close serves what was admitted and refuses the rest.
func TestCloseServesEverythingAdmitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{hold: make(chan struct{})}
		l := newLane(t, queue.LaneConfig{BatchMax: 2}, s.serve)
		var replies []*reply
		for i := range 5 {
			replies = append(replies, ask(t.Context(), l, "a", i))
		}
		closed := make(chan error, 2)
		for range 2 { // closing again waits for the same end
			go func() { closed <- l.Close(t.Context()) }()
		}
		synctest.Wait()
		if r := ask(t.Context(), l, "a", 9); !errors.Is(r.err, queue.ErrClosed) {
			t.Errorf("a closing lane answered %v, want ErrClosed", r)
		}
		if len(closed) != 0 {
			t.Error("Close returned while requests waited")
		}
		close(s.hold)
		if err := errors.Join(<-closed, <-closed); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		for i, r := range replies {
			wantAnswer(t, r, i)
		}
	})
}

// FA15: what is being served is unknown, and what waits is refused.
func TestCloseOutOfTimeAnswersEveryRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hung, calls := make(chan struct{}), 0
		l := newLane(t, queue.LaneConfig{BatchMax: 2, WaitMax: time.Minute}, func(_ context.Context, batch []item) ([]answer, error) {
			calls++
			<-hung // deaf to its context
			return make([]answer, len(batch)), poisoned(1)(batch)
		})
		ask(t.Context(), l, "a", 0)
		serving := []*reply{ask(t.Context(), l, "a", 1), ask(t.Context(), l, "b", 2)}
		hung <- struct{}{}
		synctest.Wait()
		waiting := []*reply{ask(t.Context(), l, "a", 3), ask(t.Context(), l, "b", 4)}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		if err := l.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close returned %v, want the deadline", err)
		}
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("Close took %v, want 3s", took)
		}
		synctest.Wait()
		for _, r := range serving {
			wantUnknown(t, r)
		}
		for _, r := range waiting {
			wantBusy(t, r.err, queue.ReasonDraining)
		}
		close(hung)
		closeLane(t, l) // the worker has ended
		if calls != 2 {
			t.Errorf("%d calls of Serve, want no more for requests answered by Close", calls)
		}
	})
}

// FA15: the context of Serve ends when Close gives up.
func TestServeIsCanceledWhenCloseGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{hold: make(chan struct{})}
		l := newLane(t, queue.LaneConfig{}, s.serve)
		r := ask(t.Context(), l, "a", 0)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := l.Close(ctx); err == nil {
			t.Error("Close out of time returned no error")
		}
		closeLane(t, l) // Serve ended with its context, and the worker with it
		wantUnknown(t, r)
	})
}

// FA15: TestCloseUnderLoadAnswersEveryRequest closes lanes in the middle of a
// storm on the real scheduler: what was answered well took effect once, and
// what took effect was answered well or unknown.
func TestCloseUnderLoadAnswersEveryRequest(t *testing.T) {
	const rounds, callers = 100, 32
	for round := range rounds {
		var effects [callers]atomic.Int64
		l := newLane(t, queue.LaneConfig{BatchMax: 8}, func(_ context.Context, batch []item) ([]answer, error) {
			answers := make([]answer, len(batch))
			for i, it := range batch {
				effects[it.Req].Add(1)
				answers[i].Res = it.Req
			}
			runtime.Gosched()
			return answers, nil
		})
		var good [callers]int64
		var wg sync.WaitGroup
		for c := range callers {
			wg.Go(func() {
				for {
					res, err := l.Do(context.Background(), fmt.Sprint(c%7), c)
					if errors.Is(err, queue.ErrClosed) {
						return
					}
					if err != nil || res != c {
						t.Errorf("caller %d heard %d, %v", c, res, err)
						return
					}
					good[c]++
				}
			})
		}
		for l.Stats().Served < uint64(round) {
			runtime.Gosched()
		}
		endLane(t, l)
		wg.Wait()
		for c := range callers {
			if n := effects[c].Load(); n != good[c] {
				t.Errorf("round %d caller %d: %d took effect, %d answered", round, c, n, good[c])
			}
		}
	}
}

// FA11: TestAbandonedRequestIsNotServed has a context end at the very moment
// the worker comes for the next batch.
func TestAbandonedRequestIsNotServed(t *testing.T) {
	for range 1_000 {
		ctx, cancel := context.WithCancel(context.Background())
		taken := make(chan struct{})
		l := newLane(t, queue.LaneConfig{}, func(_ context.Context, batch []item) ([]answer, error) {
			if batch[0].Req == 1 {
				t.Error("served after its caller's context had ended")
			} else {
				<-taken
				cancel()
			}
			return make([]answer, len(batch)), nil
		})
		var wg sync.WaitGroup
		wg.Go(func() { l.Do(context.Background(), "a", 0) })
		for l.Stats().Calls == 0 {
			runtime.Gosched()
		}
		wg.Go(func() { l.Do(ctx, "a", 1) })
		for l.Stats().Queued == 0 {
			runtime.Gosched()
		}
		close(taken)
		wg.Wait()
		endLane(t, l)
	}
}

// TestAnswersReachTheirOwnCallers has callers leave at any moment: cells go
// back and forth between callers and the worker, and answers must not.
func TestAnswersReachTheirOwnCallers(t *testing.T) {
	l := newLane(t, queue.LaneConfig{BatchMax: 16, WaitMax: time.Millisecond}, func(_ context.Context, batch []item) ([]answer, error) {
		answers := make([]answer, len(batch))
		for i, it := range batch {
			answers[i].Res = it.Req
		}
		for range rand.IntN(50) {
			runtime.Gosched()
		}
		if rand.IntN(20) == 0 {
			return nil, errPoison
		}
		return answers, nil
	})
	var wg sync.WaitGroup
	for c := range 32 {
		wg.Go(func() {
			for i := range 500 {
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(rand.IntN(300))*time.Microsecond)
				req := c*1_000 + i
				if res, err := l.Do(ctx, fmt.Sprint(req%5), req); err == nil && res != req {
					t.Errorf("asked %d, heard %d", req, res)
				}
				cancel()
			}
		})
	}
	wg.Wait()
	endLane(t, l)
	if st := l.Stats(); st.Queued != 0 || st.Keys != 0 || st.Age != 0 {
		t.Errorf("an empty lane says %+v", st)
	}
}

// FA13: a million keys leave no memory and no goroutine.
func TestMillionKeysLeaveNothingBehind(t *testing.T) {
	const keys, callers = 1_000_000, 64
	l, err := queue.NewLane(queue.LaneConfig{WaitMax: time.Minute}, func(_ context.Context, batch []queue.Item[int, int]) ([]answer, error) {
		return make([]answer, len(batch)), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	goroutines, heap := runtime.NumGoroutine(), heapInUse()
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for k := c; k < keys; k += callers {
				if _, err := l.Do(context.Background(), k, 0); err != nil {
					t.Errorf("key %d: %v", k, err)
					return
				}
			}
		})
	}
	wg.Wait()
	if st := l.Stats(); st.Served != keys || st.Keys != 0 || st.Queued != 0 {
		t.Errorf("stats %+v, want a million served and no key left", st)
	}
	if n := runtime.NumGoroutine(); n > goroutines+2 { // callers may still be on their way out
		t.Errorf("%d goroutines, %d before", n, goroutines)
	}
	if grown := heapInUse() - heap; grown > 1<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// heapInUse is the live heap; pools are emptied by the second collection.
func heapInUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
