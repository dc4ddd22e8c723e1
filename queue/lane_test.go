package queue_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hongbao/queue"
)

type (
	lane   = queue.Lane[string, int, int]
	item   = queue.Item[string, int]
	answer = queue.Answer[int]
)

// server is a Serve that answers every request with itself. It keeps what it
// was handed and, if hold is set, waits for a word from it in every call.
type server struct {
	hold chan struct{}
	fail func(batch []item) error // nothing of a failing batch takes effect

	mu    sync.Mutex
	calls [][]item
	done  []item // requests that took effect, in order
}

func (s *server) serve(ctx context.Context, batch []item) ([]answer, error) {
	s.mu.Lock()
	s.calls = append(s.calls, slices.Clone(batch))
	s.mu.Unlock()
	if s.hold != nil {
		select {
		case <-s.hold:
		case <-ctx.Done():
			return nil, fmt.Errorf("stopped: %w", queue.ErrUnknown)
		}
	}
	if s.fail != nil {
		if err := s.fail(batch); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	answers := make([]answer, len(batch))
	for i, it := range batch {
		answers[i].Res = it.Req
		s.done = append(s.done, it)
	}
	return answers, nil
}

// handed returns the requests of every call so far.
func (s *server) handed() [][]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all [][]int
	for _, call := range s.calls {
		all = append(all, reqs(call))
	}
	return all
}

func reqs(items []item) []int {
	out := make([]int, len(items))
	for i, it := range items {
		out[i] = it.Req
	}
	return out
}

func newLane(t testing.TB, cfg queue.LaneConfig, serve queue.Serve[string, int, int]) *lane {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	l, err := queue.NewLane(cfg, serve)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// reply is what a caller that asked in the background has heard. res and err
// are there once heard says so.
type reply struct {
	heard atomic.Bool
	res   int
	err   error
}

func (r *reply) String() string {
	if !r.heard.Load() {
		return "nothing"
	}
	return fmt.Sprintf("%d, %v", r.res, r.err)
}

// ask sends one request in the background and returns once it waits, or is
// answered.
func ask(ctx context.Context, l *lane, key string, req int) *reply {
	r := new(reply)
	go func() {
		r.res, r.err = l.Do(ctx, key, req)
		r.heard.Store(true)
	}()
	synctest.Wait()
	return r
}

// closeLane closes l; every reply may then be read.
func closeLane(t *testing.T, l *lane) {
	t.Helper()
	endLane(t, l)
	synctest.Wait()
}

// endLane is closeLane outside a bubble.
func endLane(t *testing.T, l *lane) {
	t.Helper()
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func wantBusy(t *testing.T, err error, reason queue.Reason) {
	t.Helper()
	busy, ok := errors.AsType[*queue.BusyError](err)
	if !ok || busy.Reason != reason || busy.RetryAfter <= 0 {
		t.Errorf("got %v, want busy with reason %s and a RetryAfter", err, reason)
	}
}

func wantAnswer(t *testing.T, r *reply, res int) {
	t.Helper()
	if !r.heard.Load() || r.err != nil || r.res != res {
		t.Errorf("got %v, want the answer %d", r, res)
	}
}

func wantUnknown(t *testing.T, r *reply) {
	t.Helper()
	if !r.heard.Load() || !errors.Is(r.err, queue.ErrUnknown) {
		t.Errorf("got %v, want an unknown outcome", r)
	}
}

func wantHanded(t *testing.T, s *server, want ...[]int) {
	t.Helper()
	if got := s.handed(); !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("Serve was handed %v, want %v", got, want)
	}
}

func TestIdleLaneServesARequestAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{}
		l := newLane(t, queue.LaneConfig{}, s.serve)
		defer closeLane(t, l)
		start := time.Now()
		wantAnswer(t, ask(t.Context(), l, "a", 7), 7)
		if waited := time.Since(start); waited != 0 {
			t.Errorf("an idle lane waited %v", waited)
		}
	})
}

func TestBatchesFormWhileServeIsRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{hold: make(chan struct{})}
		l := newLane(t, queue.LaneConfig{BatchMax: 4}, s.serve)
		for i := range 7 {
			ask(t.Context(), l, fmt.Sprint("key", i), i)
		}
		close(s.hold)
		closeLane(t, l)
		wantHanded(t, s, []int{0}, []int{1, 2, 3, 4}, []int{5, 6})
		if st := l.Stats(); st.Served != 7 || st.Batches != 3 || st.Calls != 3 || st.Queued != 0 || st.MeanBatch != 7.0/3 {
			t.Errorf("stats %+v, want 7 served in 3 batches and calls", st)
		}
	})
}

// F1: requests of one key are served in the order of their admission.
func TestOneKeyIsServedInAdmissionOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{hold: make(chan struct{})}
		l := newLane(t, queue.LaneConfig{BatchMax: 8, PerKeyTurn: 3}, s.serve)
		for i := range 60 {
			ask(t.Context(), l, string(rune('a'+i%3)), i)
		}
		close(s.hold)
		closeLane(t, l)
		last := map[string]int{"a": -1, "b": -1, "c": -1}
		for _, it := range s.done {
			if it.Req <= last[it.Key] {
				t.Errorf("key %s: request %d served after %d", it.Key, it.Req, last[it.Key])
			}
			last[it.Key] = it.Req
		}
		if len(s.done) != 60 {
			t.Errorf("%d served, want 60", len(s.done))
		}
	})
}

// F2, F3: a hot key takes one turn and lets others pass.
func TestHotKeyTakesOneTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{hold: make(chan struct{})}
		l := newLane(t, queue.LaneConfig{BatchMax: 6, PerKeyTurn: 2}, s.serve)
		ask(t.Context(), l, "first", 0)
		for i := range 10 {
			ask(t.Context(), l, "hot", 100+i)
		}
		for i := range 3 {
			ask(t.Context(), l, fmt.Sprint("cold", i), 200+i)
		}
		close(s.hold)
		closeLane(t, l)
		wantHanded(t, s,
			[]int{0},
			[]int{100, 101, 200, 201, 202, 102}, // the hot key came first, and has a second turn when all had one
			[]int{103, 104, 105, 106, 107, 108},
			[]int{109})
	})
}

// FA11: a request waits in the queue for WaitMax and no longer.
func TestRequestWaitsAtMostWaitMax(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{hold: make(chan struct{})}
		l := newLane(t, queue.LaneConfig{WaitMax: time.Second}, s.serve)
		stuck := ask(t.Context(), l, "a", 0)
		early := ask(t.Context(), l, "a", 1)
		time.Sleep(600 * time.Millisecond)
		late := ask(t.Context(), l, "b", 2)
		time.Sleep(399 * time.Millisecond)
		synctest.Wait()
		if early.heard.Load() {
			t.Errorf("answered before WaitMax: %v", early)
		}
		if age := l.Age(); age != 999*time.Millisecond {
			t.Errorf("oldest age %v, want 999ms", age)
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		wantBusy(t, early.err, queue.ReasonExpired)
		if late.heard.Load() || stuck.heard.Load() {
			t.Errorf("answered too early: %v %v", late, stuck)
		}
		time.Sleep(600 * time.Millisecond)
		synctest.Wait()
		wantBusy(t, late.err, queue.ReasonExpired)
		if age := l.Age(); age != 1600*time.Millisecond {
			t.Errorf("age %v, want the 1.6 s of the batch that hangs", age)
		}
		close(s.hold)
		closeLane(t, l)
		if age := l.Age(); age != 0 {
			t.Errorf("age of an idle lane %v", age)
		}
		wantAnswer(t, stuck, 0)
		wantHanded(t, s, []int{0})
	})
}

// FA11: a request that is canceled in the queue never reaches the database.
func TestCancelInTheQueueIsNeverServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{hold: make(chan struct{})}
		l := newLane(t, queue.LaneConfig{}, s.serve)
		ask(t.Context(), l, "a", 0)
		ctx, cancel := context.WithCancel(t.Context())
		gone := ask(ctx, l, "a", 1)
		stays := ask(t.Context(), l, "a", 2)
		cancel()
		synctest.Wait()
		wantBusy(t, gone.err, queue.ReasonExpired)
		if st := l.Stats(); st.Queued != 1 || st.Expired != 1 {
			t.Errorf("stats %+v, want one waiting and one dropped", st)
		}
		dead := ask(ctx, l, "b", 3) // its context has ended before it came
		wantBusy(t, dead.err, queue.ReasonExpired)
		close(s.hold)
		closeLane(t, l)
		wantAnswer(t, stays, 2)
		wantHanded(t, s, []int{0}, []int{2})
	})
}

// FA12: a full queue refuses its key, and a full lane refuses all.
func TestFullQueueRefusesKeyFullLaneAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{hold: make(chan struct{})}
		l := newLane(t, queue.LaneConfig{QueueMax: 3, LaneMax: 5}, s.serve)
		ask(t.Context(), l, "served", 0)
		for i := range 3 {
			ask(t.Context(), l, "hot", i)
		}
		wantBusy(t, ask(t.Context(), l, "hot", 3).err, queue.ReasonQueueFull)
		for i := range 2 {
			if r := ask(t.Context(), l, "other", i); r.heard.Load() {
				t.Errorf("another key was answered %v, want it to wait", r)
			}
		}
		wantBusy(t, ask(t.Context(), l, "third", 0).err, queue.ReasonLaneFull)
		if st := l.Stats(); st.Queued != 5 || st.Keys != 2 || st.QueueFull != 1 || st.LaneFull != 1 || st.Admitted != 6 {
			t.Errorf("stats %+v", st)
		}
		close(s.hold)
		closeLane(t, l)
		if len(s.done) != 6 {
			t.Errorf("%d served, want 6", len(s.done))
		}
	})
}

func TestCancelWhileServedIsUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{hold: make(chan struct{})}
		l := newLane(t, queue.LaneConfig{}, s.serve)
		ctx, cancel := context.WithCancel(t.Context())
		gone := ask(ctx, l, "a", 1)
		cancel()
		synctest.Wait()
		wantUnknown(t, gone)
		if !errors.Is(gone.err, context.Canceled) {
			t.Errorf("%v does not say why", gone.err)
		}
		next := ask(t.Context(), l, "a", 2)
		close(s.hold)
		synctest.Wait()
		wantAnswer(t, next, 2) // and not the answer of the one that left
		closeLane(t, l)
	})
}

func TestLaneRefusesNonsense(t *testing.T) {
	s := &server{}
	for want, cfg := range map[string]queue.LaneConfig{
		"queue: LaneConfig.BatchMax -1 < 1":            {BatchMax: -1},
		"queue: LaneConfig.BatchMax 5000 > 4096":       {BatchMax: 5_000},
		"queue: LaneConfig.QueueMax 30 > 20":           {QueueMax: 30, LaneMax: 20},
		"queue: LaneConfig.PerKeyTurn 9 > 8":           {BatchMax: 8, PerKeyTurn: 9},
		"queue: LaneConfig.WaitMax 1µs < 1ms":          {WaitMax: time.Microsecond},
		"queue: LaneConfig.RetryAfter 2h0m0s > 1h0m0s": {RetryAfter: 2 * time.Hour},
	} {
		if _, err := queue.NewLane(cfg, s.serve); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if _, err := queue.NewLane[string, int, int](queue.LaneConfig{}, nil); err == nil {
		t.Error("a lane without Serve was made")
	}
}
