package relay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"hongbao/envelope"
)

func status(t envelope.Transfer, p envelope.Progress) (envelope.TransferStatus, error) {
	return envelope.TransferStatus{No: t.No(), Progress: p}, nil
}

func TestTransferIsPlacedOnceCommitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		m := s.debt(0)
		s.transfers, s.unspread = nil, []*movement{m}
		s.after(10*time.Second+500*time.Millisecond, func() {
			s.outbox = 1
			s.touched <- struct{}{}
		})
		run(t, s.relay(t), 20*time.Second)
		if at := s.called("place"); m.State != envelope.Posted || len(at) != 1 || at[0] > 10*time.Second+600*time.Millisecond {
			t.Errorf("%s, placed at %v", m.State, at)
		}
	})
}

func refusedWith(code string, final bool) error {
	return &envelope.RefusedError{Status: 400, Code: code, Final: final}
}

func unknownWith(code string, final bool) error {
	return fmt.Errorf("%w: %w", envelope.ErrUnknownOutcome, refusedWith(code, final))
}

func TestProviderStatusDecidesTheRecord(t *testing.T) {
	busy := &envelope.BusyError{RetryAfter: 3 * time.Second}
	funds := &envelope.BusyError{Reason: envelope.ReasonFunds, RetryAfter: time.Minute}
	for name, c := range map[string]struct {
		placed bool
		look   envelope.Progress // of Query
		place  envelope.Progress
		err    error // of the last call
		calls  []string
		want   envelope.TransferState
		waits  time.Duration // at most; pending only
	}{
		"never placed, done":              {false, "", envelope.ProgressDone, nil, []string{"place"}, envelope.Posted, 0},
		"never placed, refused":           {false, "", envelope.ProgressRefused, nil, []string{"place"}, envelope.Held, 0},
		"never placed, under way":         {false, "", envelope.ProgressUnderWay, nil, []string{"place"}, envelope.Pending, 5 * time.Second},
		"never placed, awaiting":          {false, "", envelope.ProgressAwaiting, nil, []string{"place"}, envelope.Pending, 30 * time.Second},
		"placed, done":                    {true, envelope.ProgressDone, "", nil, []string{"query"}, envelope.Posted, 0},
		"placed, absent":                  {true, envelope.ProgressAbsent, envelope.ProgressDone, nil, []string{"query", "place"}, envelope.Posted, 0},
		"placed, unknown":                 {true, envelope.ProgressUnknown, "", nil, []string{"query"}, envelope.Pending, time.Second},
		"FG1 no answer":                   {false, "", "", context.DeadlineExceeded, []string{"place"}, envelope.Pending, time.Second},
		"FG1 an unknown outcome":          {false, "", "", envelope.ErrUnknownOutcome, []string{"place"}, envelope.Pending, time.Second},
		"FG5 an error of an unknown sort": {false, "", "", errors.New("CODE_NEVER_SEEN"), []string{"place"}, envelope.Stuck, time.Minute},
		"FS9 rejected":                    {false, "", envelope.ProgressRejected, nil, []string{"place"}, envelope.Stuck, time.Minute},
		"FS9 rejected, and asked again":   {true, envelope.ProgressAbsent, envelope.ProgressRejected, nil, []string{"query", "place"}, envelope.Stuck, time.Minute},
		"FS9 the query is refused":        {true, "", "", refusedWith("NO_AUTH", true), []string{"query"}, envelope.Stuck, time.Minute},
		"FS9 a final code, not looked up": {false, "", "", unknownWith("PARAM_ERROR", true), []string{"place"}, envelope.Stuck, time.Second},
		"FS9 an unknown code":             {false, "", "", unknownWith("CODE_NEVER_SEEN", false), []string{"place"}, envelope.Pending, time.Second},
		"FS9 our account is short":        {false, "", "", fmt.Errorf("%w: %w", funds, refusedWith("NOT_ENOUGH", false)), []string{"place"}, envelope.Stuck, 90 * time.Second},
		"FS8 abnormal":                    {true, envelope.ProgressStuck, "", nil, []string{"query"}, envelope.Stuck, time.Minute},
		"busy":                            {false, "", "", busy, []string{"place"}, envelope.Pending, 4500 * time.Millisecond},
		"placed, and the query fails":     {true, "", "", busy, []string{"query"}, envelope.Pending, 4500 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScript()
				m := s.debt(0)
				m.Placed = c.placed
				answer := func(p *envelope.Progress) func(context.Context, envelope.Transfer) (envelope.TransferStatus, error) {
					return func(_ context.Context, t envelope.Transfer) (envelope.TransferStatus, error) {
						if *p == "" {
							return envelope.TransferStatus{}, fmt.Errorf("call: %w", c.err)
						}
						return status(t, *p)
					}
				}
				s.place, s.look = answer(&c.place), answer(&c.look)
				run(t, s.relay(t), time.Millisecond)
				var calls []string
				for _, c := range s.calls {
					if calls = append(calls, c.what); c.no != m.No() {
						t.Errorf("%s under the number %s, want %s (I7)", c.what, c.no, m.No())
					}
				}
				wait := m.DueAt.Sub(start())
				if !slices.Equal(calls, c.calls) || m.State != c.want || c.waits > 0 && (wait > c.waits+time.Millisecond || wait < c.waits/2) {
					t.Errorf("calls %q, %s, looked at again after %v", calls, m.State, wait)
				}
			})
		})
	}
}

func TestAnswerAboutAnotherTransferIsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		a, b := s.debt(0), s.debt(1)
		b.DueAt = time.Now().Add(time.Hour)
		s.place = func(_ context.Context, t envelope.Transfer) (envelope.TransferStatus, error) {
			return envelope.TransferStatus{No: b.No(), Progress: envelope.ProgressDone}, nil
		}
		run(t, s.relay(t), time.Millisecond)
		if a.State != envelope.Pending || b.State != envelope.Pending {
			t.Errorf("%s and %s", a.State, b.State)
		}
	})
}

// FG1.
func TestUnknownOutcomeKeepsItsNumber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		m := s.debt(0)
		unknown := func(_ context.Context, t envelope.Transfer) (envelope.TransferStatus, error) {
			return envelope.TransferStatus{}, envelope.ErrUnknownOutcome
		}
		s.place, s.look = unknown, unknown
		run(t, s.relay(t), 6*time.Hour)
		asked := s.called("query")
		if m.State != envelope.Pending || len(s.called("place")) != 1 || len(asked) < 6*6 {
			t.Errorf("%s after %d places and %d queries", m.State, len(s.called("place")), len(asked))
		}
		for i := 1; i < len(asked); i++ {
			if gap := asked[i] - asked[i-1]; gap > 11*time.Minute {
				t.Fatalf("query %d came %v after the one before", i, gap)
			}
		}
	})
}

func TestTransferIsPolledLessAndLess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		m := s.debt(0)
		underWay := func(_ context.Context, t envelope.Transfer) (envelope.TransferStatus, error) {
			return status(t, envelope.ProgressUnderWay)
		}
		s.place, s.look = underWay, underWay
		run(t, s.relay(t), 3*time.Hour)
		asked := s.called("query")
		if m.State != envelope.Pending || len(asked) < 3*6 || len(asked) > 3*13+10 || asked[0] > 7*time.Second {
			t.Errorf("%s, %d queries in three hours, the first at %v", m.State, len(asked), asked[0])
		}
	})
}

func TestSlowAnswerHoldsUpNoOtherTransfer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		slow := s.debt(0)
		for n := range 1000 {
			s.debt(n + 1)
		}
		s.place = func(ctx context.Context, t envelope.Transfer) (envelope.TransferStatus, error) {
			if t.No() == slow.No() {
				<-ctx.Done()
				return envelope.TransferStatus{}, ctx.Err()
			}
			time.Sleep(10 * time.Millisecond)
			return status(t, envelope.ProgressDone)
		}
		run(t, s.relay(t), 2*time.Second)
		for _, m := range s.transfers[1:] {
			if m.State != envelope.Posted {
				t.Fatalf("%s is %s", m.No(), m.State)
			}
		}
		if slow.State != envelope.Pending {
			t.Errorf("the slow one is %s", slow.State)
		}
	})
}

func TestNoMoreAreInFlightThanAllowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		for n := range 500 {
			s.debt(n)
		}
		flying, most := 0, 0
		s.place = func(_ context.Context, t envelope.Transfer) (envelope.TransferStatus, error) {
			s.mu.Lock()
			flying++
			most = max(most, flying)
			s.mu.Unlock()
			time.Sleep(100 * time.Millisecond)
			s.mu.Lock()
			flying--
			s.mu.Unlock()
			return status(t, envelope.ProgressDone)
		}
		run(t, s.relay(t, func(c *Config) { c.InFlight = 32 }), 10*time.Second)
		if most != 32 || len(s.called("place")) != 500 {
			t.Errorf("%d in flight, %d placed", most, len(s.called("place")))
		}
	})
}

// Ten minutes without a provider: the backlog is left in peace, and gone within
// five minutes of its return.
func TestAfterAnOutageTheBacklogDrains(t *testing.T) {
	for name, out := range map[string]error{"busy": &envelope.BusyError{RetryAfter: 2 * time.Second}, "silent": envelope.ErrUnknownOutcome} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const outage, backlog = 10 * time.Minute, 5000
				s := newScript()
				for n := range backlog {
					s.debt(n)
				}
				done := map[string]int{}
				s.place = func(_ context.Context, t envelope.Transfer) (envelope.TransferStatus, error) {
					if time.Since(start()) < outage {
						return envelope.TransferStatus{}, out
					}
					time.Sleep(50 * time.Millisecond)
					s.mu.Lock()
					defer s.mu.Unlock()
					done[t.No()]++
					return status(t, envelope.ProgressDone)
				}
				s.look = func(_ context.Context, t envelope.Transfer) (envelope.TransferStatus, error) {
					if time.Since(start()) < outage {
						return envelope.TransferStatus{}, out
					}
					return status(t, envelope.ProgressAbsent)
				}
				run(t, s.relay(t), outage+5*time.Minute)
				during := 0
				for _, at := range append(s.called("place"), s.called("query")...) {
					if at < outage {
						during++
					}
				}
				if during > 600 {
					t.Errorf("%d calls during the outage", during)
				}
				if len(done) != backlog {
					t.Errorf("%d of %d done five minutes after it", len(done), backlog)
				}
				for no, n := range done {
					if n != 1 {
						t.Errorf("%s was carried out %d times", no, n)
					}
				}
			})
		})
	}
}

func TestAStopFinishesWhatIsInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		m, late := s.debt(0), s.debt(1)
		late.DueAt = start().Add(2 * time.Second)
		s.place = func(_ context.Context, t envelope.Transfer) (envelope.TransferStatus, error) {
			time.Sleep(5 * time.Second)
			return status(t, envelope.ProgressDone)
		}
		run(t, s.relay(t), time.Second)
		if m.State != envelope.Posted || late.Attempts != 0 || time.Since(start()) > 6*time.Second {
			t.Errorf("%s, %d attempts at what came later, stopped after %v", m.State, late.Attempts, time.Since(start()))
		}
	})
}

func TestStopHasABound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		m := s.debt(0)
		s.place = func(ctx context.Context, _ envelope.Transfer) (envelope.TransferStatus, error) {
			<-ctx.Done()
			return envelope.TransferStatus{}, ctx.Err()
		}
		run(t, s.relay(t), time.Second)
		if took := time.Since(start()); took > transferCallMax+time.Second || m.State != envelope.Pending {
			t.Errorf("stopped after %v, %s", took, m.State)
		}
	})
}

// A code that says nothing may be trouble that passes; when it comes again and
// again it is a case for people, and it stays one until an answer says more (FS9).
func TestUnlistedCodeIsStuckOnlyWhenItStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		m := s.debt(0)
		s.look = func(_ context.Context, t envelope.Transfer) (envelope.TransferStatus, error) {
			return status(t, envelope.ProgressAbsent)
		}
		s.place = func(_ context.Context, t envelope.Transfer) (envelope.TransferStatus, error) {
			switch {
			case t.Attempts < 2*oddAttemptsMax:
				return envelope.TransferStatus{}, unknownWith("CODE_NEVER_SEEN", false)
			case t.Attempts == 2*oddAttemptsMax:
				return envelope.TransferStatus{}, context.DeadlineExceeded
			}
			return status(t, envelope.ProgressUnderWay)
		}
		var seen []string
		s.hear = func(words []envelope.TransferUpdate) error {
			for _, w := range words {
				next, _ := m.Apply(w.TransferStatus)
				seen = append(seen, string(next.State)+next.Reason)
			}
			return nil
		}
		run(t, s.relay(t), 10*time.Minute)
		want := slices.Concat(slices.Repeat([]string{"pending"}, oddAttemptsMax-1), slices.Repeat([]string{"stuckCODE_NEVER_SEEN"}, oddAttemptsMax+1))
		if len(seen) <= len(want) || !slices.Equal(seen[:len(want)], want) || seen[len(want)] != "pending" {
			t.Errorf("it was %v", seen)
		}
	})
}

// Notifications come in any order: that a refund is stuck may be told after it
// was posted, and is no news then. When the provider stands by it, people hear (FS8).
func TestALateStuckRefundIsLookedUp(t *testing.T) {
	for name, c := range map[string]struct {
		state     envelope.TransferState
		now       envelope.Progress
		err, want error
		after     envelope.TransferState
	}{
		"it is pending":                         {envelope.Pending, "", nil, nil, envelope.Stuck},
		"it is posted, and moved":               {envelope.Posted, envelope.ProgressDone, nil, nil, envelope.Posted},
		"it is posted, and did not move":        {envelope.Posted, envelope.ProgressStuck, nil, envelope.ErrTransferConflict, envelope.Posted},
		"it is posted, and nobody can be asked": {envelope.Posted, "", envelope.ErrUnknownOutcome, envelope.ErrUnknownOutcome, envelope.Posted},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScript()
				m := s.debt(0)
				m.State, m.DueAt = c.state, time.Now().Add(time.Hour)
				s.look = func(_ context.Context, t envelope.Transfer) (envelope.TransferStatus, error) {
					return envelope.TransferStatus{No: t.No(), Progress: c.now}, c.err
				}
				r := s.relay(t)
				heard := make(chan error, 1)
				s.after(time.Second, func() {
					go func() {
						heard <- r.RecordTransfer(context.Background(), envelope.TransferUpdate{TransferStatus: envelope.TransferStatus{No: m.No(), Progress: envelope.ProgressStuck, Code: "ABNORMAL"}})
					}()
				})
				run(t, r, 2*time.Second)
				if err := <-heard; !errors.Is(err, c.want) || m.State != c.after {
					t.Errorf("%v, and it is %s", err, m.State)
				}
			})
		})
	}
}
