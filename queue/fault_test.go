package queue_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"hongbao/queue"
)

var errPoison = errors.New("value too long")

// poisoned fails every batch that holds one of the requests.
func poisoned(poison ...int) func([]item) error {
	return func(batch []item) error {
		for _, it := range batch {
			if slices.Contains(poison, it.Req) {
				return errPoison
			}
		}
		return nil
	}
}

// serveTogether has n requests over few keys served in one batch and returns
// what their callers heard.
func serveTogether(t *testing.T, s *server, n int) (*lane, []*reply) {
	t.Helper()
	s.hold = make(chan struct{})
	l := newLane(t, queue.LaneConfig{BatchMax: max(1, n)}, s.serve)
	first := ask(t.Context(), l, "first", -1)
	replies := make([]*reply, n)
	for i := range n {
		replies[i] = ask(t.Context(), l, fmt.Sprint("key", i%5), i)
	}
	s.hold <- struct{}{}
	synctest.Wait()
	wantAnswer(t, first, -1)
	close(s.hold)
	synctest.Wait()
	return l, replies
}

// FA8: the batch is halved until the one request fails alone.
func TestPoisonRequestFailsAlone(t *testing.T) {
	for _, poison := range []int{0, 1, 24, 25, 48, 49} {
		synctest.Test(t, func(t *testing.T) {
			s := &server{fail: poisoned(poison)}
			l, replies := serveTogether(t, s, 50)
			for i, r := range replies {
				if i != poison {
					wantAnswer(t, r, i)
				} else if !r.heard.Load() || !errors.Is(r.err, errPoison) {
					t.Errorf("poison heard %v, want its own error", r)
				}
			}
			// One failing call per halving, and one for each half that succeeded.
			if calls := l.Stats().Calls; calls > 1+1+2*6 {
				t.Errorf("%d calls to find one request of 50, want at most 14", calls)
			}
			closeLane(t, l)
		})
	}
}

// FA8: TestSurvivorsTakeEffectOnceInOrder has up to three poisons anywhere: the
// others take effect exactly once, and in admission order per key.
func TestSurvivorsTakeEffectOnceInOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 64).Draw(rt, "n")
		poison := rapid.SliceOfNDistinct(rapid.IntRange(0, n-1), 0, min(n, 3), rapid.ID[int]).Draw(rt, "poison")
		var done []item
		synctest.Test(t, func(t *testing.T) {
			s := &server{fail: poisoned(poison...)}
			l, replies := serveTogether(t, s, n)
			for i, r := range replies {
				if slices.Contains(poison, i) != (r.err != nil) {
					t.Errorf("request %d of %d, poison %v: heard %v", i, n, poison, r)
				}
			}
			closeLane(t, l)
			done = s.done[1:]
		})
		last := make(map[string]int)
		for _, it := range done {
			if before, seen := last[it.Key]; seen && before >= it.Req {
				rt.Fatalf("key %s: %d after %d", it.Key, it.Req, before)
			}
			last[it.Key] = it.Req
		}
		if len(done) != n-len(poison) {
			rt.Fatalf("%d took effect, want %d", len(done), n-len(poison))
		}
	})
}

// FA8: a batch that fails as a whole is not halved to the end.
func TestWhollyFailingBatchIsGivenUpEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failing := func(batch []item) error {
			if batch[0].Req == -1 {
				return nil
			}
			return errPoison
		}
		l, replies := serveTogether(t, &server{fail: failing}, 256)
		for _, r := range replies {
			if !errors.Is(r.err, errPoison) {
				t.Errorf("heard %v, want the error", r)
			}
		}
		if calls := l.Stats().Calls; calls > 1+26+12 {
			t.Errorf("%d calls, want at most 39", calls)
		}
		closeLane(t, l)
	})
}

func TestAnUnknownOutcomeIsNotRunAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost := func(batch []item) error {
			if batch[0].Req == -1 {
				return nil
			}
			return fmt.Errorf("connection lost at commit: %w", queue.ErrUnknown)
		}
		s := &server{fail: lost}
		l, replies := serveTogether(t, s, 3)
		for _, r := range replies {
			wantUnknown(t, r)
		}
		wantHanded(t, s, []int{-1}, []int{0, 1, 2})
		closeLane(t, l)
	})
}

func TestBusyFromServeIsNotBlamedOnARequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := func(batch []item) error {
			if batch[0].Req == -1 {
				return nil
			}
			return fmt.Errorf("no primary: %w", &queue.BusyError{Reason: queue.ReasonDatabaseDown, RetryAfter: 1})
		}
		s := &server{fail: down}
		l, replies := serveTogether(t, s, 3)
		for _, r := range replies {
			wantBusy(t, r.err, queue.ReasonDatabaseDown)
		}
		wantHanded(t, s, []int{-1}, []int{0, 1, 2})
		closeLane(t, l)
	})
}

func TestAbandonedRequestIsNotRunAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{hold: make(chan struct{}), fail: poisoned(1)}
		l := newLane(t, queue.LaneConfig{}, s.serve)
		ask(t.Context(), l, "first", 0)
		poison := ask(t.Context(), l, "a", 1)
		ctx, cancel := context.WithCancel(t.Context())
		leaver := ask(ctx, l, "b", 2)
		s.hold <- struct{}{} // the first; then 1 and 2 are being served together
		synctest.Wait()
		cancel()
		synctest.Wait()
		wantUnknown(t, leaver)
		close(s.hold)
		closeLane(t, l)
		if !errors.Is(poison.err, errPoison) {
			t.Errorf("poison heard %v", poison)
		}
		wantHanded(t, s, []int{0}, []int{1, 2}, []int{1})
	})
}

// FA14: a panic is an unknown outcome for its batch, and the worker goes on.
func TestPanicIsUnknownAndTheWorkerGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, replies := serveTogether(t, &server{fail: func(batch []item) error {
			if len(batch) > 1 {
				panic("index out of range")
			}
			return nil
		}}, 4)
		for _, r := range replies {
			wantUnknown(t, r)
		}
		wantAnswer(t, ask(t.Context(), l, "a", 9), 9)
		if st := l.Stats(); st.Panics != 1 || st.Calls != 3 {
			t.Errorf("stats %+v, want one panic in three calls", st)
		}
		closeLane(t, l)
	})
}

func TestAnswersThatDoNotFitAreUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLane(t, queue.LaneConfig{}, func(_ context.Context, batch []item) ([]answer, error) {
			return make([]answer, len(batch)+1), nil
		})
		wantUnknown(t, ask(t.Context(), l, "a", 1))
		closeLane(t, l)
	})
}
