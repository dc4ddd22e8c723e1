package queue_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"hongbao/queue"
)

// model is a lane written down as plainly as possible: what waits, in what
// order keys have their turn, and what the next batch must be.
type model struct {
	cfg   queue.LaneConfig
	now   time.Duration
	fifo  map[string][]waiting
	turns []string
	busy  bool // Serve is running
}

type waiting struct {
	req int
	at  time.Duration
}

func (m *model) queued() (n int) {
	for _, q := range m.fifo {
		n += len(q)
	}
	return n
}

// admit reports whether the lane must take the request.
func (m *model) admit(key string, req int) bool {
	if m.queued() >= m.cfg.LaneMax || len(m.fifo[key]) >= m.cfg.QueueMax {
		return false
	}
	if len(m.fifo[key]) == 0 {
		m.turns = append(m.turns, key)
	}
	m.fifo[key] = append(m.fifo[key], waiting{req, m.now})
	return true
}

// drop takes out what no longer waits.
func (m *model) drop(gone func(waiting) bool) {
	for key, q := range m.fifo {
		m.fifo[key] = slices.DeleteFunc(q, gone)
	}
	m.turns = slices.DeleteFunc(m.turns, func(key string) bool { return len(m.fifo[key]) == 0 })
}

// batch is what Serve must be handed next.
func (m *model) batch() []int {
	var out []int
	for len(m.turns) > 0 && len(out) < m.cfg.BatchMax {
		key := m.turns[0]
		m.turns = m.turns[1:]
		n := min(len(m.fifo[key]), m.cfg.PerKeyTurn, m.cfg.BatchMax-len(out))
		for _, w := range m.fifo[key][:n] {
			out = append(out, w.req)
		}
		if m.fifo[key] = m.fifo[key][n:]; len(m.fifo[key]) > 0 {
			m.turns = append(m.turns, key)
		}
	}
	m.busy = len(out) > 0
	return out
}

// step is one thing that happens to a lane.
type step struct {
	Verb string // ask, release, leave or pass
	N    int    // the key, the request that leaves, or milliseconds
}

// F1, F2, F3: TestLaneDoesWhatItsModelSays drives a lane and its model through
// the same random life and compares every batch and every refusal.
func TestLaneDoesWhatItsModelSays(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		cfg := queue.LaneConfig{
			BatchMax: rapid.IntRange(1, 6).Draw(rt, "BatchMax"),
			QueueMax: rapid.IntRange(1, 5).Draw(rt, "QueueMax"),
			LaneMax:  rapid.IntRange(5, 12).Draw(rt, "LaneMax"),
			WaitMax:  100 * time.Millisecond,
		}
		cfg.PerKeyTurn = rapid.IntRange(1, cfg.BatchMax).Draw(rt, "PerKeyTurn")
		steps := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) step {
			return step{
				rapid.SampledFrom([]string{"ask", "ask", "ask", "ask", "release", "leave", "pass"}).Draw(rt, "verb"),
				rapid.IntRange(0, 60).Draw(rt, "n"),
			}
		}), 1, 80).Draw(rt, "steps")
		var fault string
		synctest.Test(t, func(t *testing.T) { fault = live(t, cfg, steps) })
		if fault != "" {
			rt.Fatal(fault)
		}
	})
}

// life is a lane and its model side by side.
type life struct {
	s       *server
	l       *lane
	m       model
	want    [][]int
	replies []*reply
	leave   []context.CancelFunc
}

// live takes the steps and returns the first thing that was not as modelled.
func live(t *testing.T, cfg queue.LaneConfig, steps []step) string {
	s := &server{hold: make(chan struct{})}
	v := &life{s: s, l: newLane(t, cfg, s.serve), m: model{cfg: cfg, fifo: make(map[string][]waiting)}}
	for i, st := range steps {
		if fault := v.take(t, st); fault != "" {
			return fmt.Sprintf("step %d, %+v: %s", i, st, fault)
		}
		synctest.Wait()
		if got := s.handed(); !slices.EqualFunc(got, v.want, slices.Equal) {
			return fmt.Sprintf("step %d, %+v: Serve was handed %v, want %v", i, st, got, v.want)
		}
		if got := v.l.Stats().Queued; got != v.m.queued() {
			return fmt.Sprintf("step %d, %+v: %d wait, want %d", i, st, got, v.m.queued())
		}
	}
	close(s.hold)
	closeLane(t, v.l)
	for req, r := range v.replies {
		v.leave[req]()
		if !r.heard.Load() || r.err == nil && r.res != req {
			return fmt.Sprintf("request %d heard %v", req, r)
		}
	}
	return ""
}

func (v *life) take(t *testing.T, st step) (fault string) {
	switch st.Verb {
	case "ask":
		key, req := fmt.Sprint("key", st.N%4), len(v.replies)
		ctx, cancel := context.WithCancel(t.Context())
		v.leave = append(v.leave, cancel)
		v.replies = append(v.replies, ask(ctx, v.l, key, req))
		if taken := v.m.admit(key, req); taken == v.replies[req].heard.Load() {
			return fmt.Sprintf("heard %v, want admission %t", v.replies[req], taken)
		}
	case "release":
		if v.m.busy {
			v.s.hold <- struct{}{}
			v.m.busy = false
		}
	case "leave":
		if len(v.replies) > 0 {
			req := st.N % len(v.replies)
			v.leave[req]()
			v.m.drop(func(w waiting) bool { return w.req == req })
		}
	case "pass":
		time.Sleep(time.Duration(st.N) * time.Millisecond)
		v.m.now += time.Duration(st.N) * time.Millisecond
		v.m.drop(func(w waiting) bool { return v.m.now-w.at >= v.m.cfg.WaitMax })
	}
	if !v.m.busy {
		if b := v.m.batch(); b != nil {
			v.want = append(v.want, b)
		}
	}
	return ""
}
