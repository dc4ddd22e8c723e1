package relay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"hongbao/envelope"
)

func batchStatus(b envelope.PayoutBatch, p envelope.Progress) (envelope.PayoutBatchStatus, error) {
	if p == envelope.ProgressDone {
		return paid(b), nil
	}
	return envelope.PayoutBatchStatus{No: b.No, Progress: p}, nil
}

func TestTheProvidersStatusDecidesABatch(t *testing.T) {
	busy := &envelope.BusyError{RetryAfter: 3 * time.Second}
	for name, c := range map[string]struct {
		placed bool
		look   envelope.Progress // of QueryBatch
		place  envelope.Progress
		err    error // of the last call
		calls  []string
		ended  bool
		waits  time.Duration // at most; pending only
		alarms float64
	}{
		"never placed, done":              {false, "", envelope.ProgressDone, nil, []string{"place batch"}, true, 0, 0},
		"never placed, under way":         {false, "", envelope.ProgressUnderWay, nil, []string{"place batch"}, false, 5 * time.Second, 0},
		"placed, done":                    {true, envelope.ProgressDone, "", nil, []string{"query batch"}, true, 0, 0},
		"placed, under way":               {true, envelope.ProgressUnderWay, "", nil, []string{"query batch"}, false, 5 * time.Second, 0},
		"placed, absent":                  {true, envelope.ProgressAbsent, envelope.ProgressDone, nil, []string{"query batch", "place batch"}, true, 0, 0},
		"placed, unknown":                 {true, envelope.ProgressUnknown, "", nil, []string{"query batch"}, false, time.Second, 0},
		"FG1 no answer":                   {false, "", "", context.DeadlineExceeded, []string{"place batch"}, false, time.Second, 0},
		"FG1 an unknown outcome":          {false, "", "", envelope.ErrUnknownOutcome, []string{"place batch"}, false, time.Second, 0},
		"FG5 an error of an unknown sort": {false, "", "", errors.New("CODE_NEVER_SEEN"), []string{"place batch"}, false, time.Minute, 1},
		"busy":                            {false, "", "", busy, []string{"place batch"}, false, 4500 * time.Millisecond, 0},
		"placed, and the query fails":     {true, "", "", busy, []string{"query batch"}, false, 4500 * time.Millisecond, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScript()
				b := s.batch(0, 3)
				b.Placed = c.placed
				answer := func(p envelope.Progress) func(context.Context, envelope.PayoutBatch) (envelope.PayoutBatchStatus, error) {
					return func(_ context.Context, b envelope.PayoutBatch) (envelope.PayoutBatchStatus, error) {
						if p == "" {
							return envelope.PayoutBatchStatus{}, fmt.Errorf("call: %w", c.err)
						}
						return batchStatus(b, p)
					}
				}
				s.placeBatch, s.lookBatch = answer(c.place), answer(c.look)
				r := s.relay(t)
				run(t, r, time.Millisecond)
				var calls []string
				for _, c := range s.calls {
					if calls = append(calls, c.what); c.no != b.No {
						t.Errorf("%s under the number %s, want %s (I7)", c.what, c.no, b.No)
					}
				}
				wait := b.due.Sub(start())
				if !slices.Equal(calls, c.calls) || b.ended != c.ended || !b.ended && (wait > c.waits+time.Millisecond || wait < c.waits/2) {
					t.Errorf("calls %q, ended %t, looked at again after %v", calls, b.ended, wait)
				}
				if n := testutil.ToFloat64(r.metrics.alarms.WithLabelValues(topicTransfer)); n != c.alarms {
					t.Errorf("%v alarms", n)
				}
			})
		})
	}
}

func TestAnswerAboutAnotherBatchIsNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		a, b := s.batch(0, 2), s.batch(1, 2)
		b.due = time.Now().Add(time.Hour)
		s.placeBatch = func(context.Context, envelope.PayoutBatch) (envelope.PayoutBatchStatus, error) {
			return paid(b.PayoutBatch), nil
		}
		run(t, s.relay(t), time.Millisecond)
		if a.ended || b.ended {
			t.Errorf("ended: %t, %t", a.ended, b.ended)
		}
	})
}

// FG1.
func TestUnansweredBatchIsPlacedUnchanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		b := s.batch(0, 5)
		want := b.PayoutBatch
		places := 0
		s.placeBatch = func(_ context.Context, got envelope.PayoutBatch) (envelope.PayoutBatchStatus, error) {
			places++
			if got.No != want.No || !cmp.Equal(got.Payouts, want.Payouts) {
				t.Errorf("placed as %s: %s", got.No, cmp.Diff(want.Payouts, got.Payouts))
			}
			if time.Since(start()) < 2*time.Hour {
				return envelope.PayoutBatchStatus{}, envelope.ErrUnknownOutcome
			}
			return paid(got), nil
		}
		run(t, s.relay(t), 3*time.Hour)
		if !b.ended || places < 2*6 || len(s.called("query batch")) != places-1 {
			t.Errorf("ended %t after %d places and %d queries", b.ended, places, len(s.called("query batch")))
		}
	})
}

func TestBatchUnderWayIsPolledLessAndLess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		b := s.batch(0, 2)
		underWay := func(_ context.Context, b envelope.PayoutBatch) (envelope.PayoutBatchStatus, error) {
			return batchStatus(b, envelope.ProgressUnderWay)
		}
		s.placeBatch, s.lookBatch = underWay, underWay
		run(t, s.relay(t), time.Hour)
		if asked := s.called("query batch"); b.ended || len(asked) < 6 || len(asked) > 23 || asked[0] > 7*time.Second {
			t.Errorf("%d queries in an hour, the first at %v", len(asked), asked[0])
		}
	})
}

func TestABatchThatEndsEarlyStaysEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		b := s.batch(0, 3)
		r := s.relay(t)
		s.placeBatch = func(ctx context.Context, b envelope.PayoutBatch) (envelope.PayoutBatchStatus, error) {
			if err := r.RecordBatch(paid(b)); err != nil {
				t.Error(err)
			}
			return batchStatus(b, envelope.ProgressUnderWay)
		}
		run(t, r, time.Hour)
		if !b.ended || len(s.called("place batch"))+len(s.called("query batch")) != 1 {
			t.Errorf("ended %t, calls %v", b.ended, s.calls)
		}
	})
}

// FG2, FG3.
func TestABatchEndsOnceAndAnotherEndAlarms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		b := s.batch(0, 3)
		r := s.relay(t)
		nobodys, short := paid(b.PayoutBatch), paid(b.PayoutBatch)
		nobodys.No, short.Paid = "B1", 2
		alarms := func() float64 { return testutil.ToFloat64(r.metrics.alarms.WithLabelValues(topicTransfer)) }
		for i, word := range []envelope.PayoutBatchStatus{paid(b.PayoutBatch), paid(b.PayoutBatch), nobodys, short} {
			r.recordNotice(t.Context(), word)
			if want := float64(max(0, i-1)); !b.ended || alarms() != want {
				t.Errorf("word %d: ended %t, %v alarms, want %v", i, b.ended, alarms(), want)
			}
		}
	})
}

// TestBatchCallbacksAreAnsweredAtOnce has a database that
// takes seconds (FF8).
func TestBatchCallbacksAreAnsweredAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		b := s.batch(0, 3)
		b.due = time.Now().Add(time.Hour)
		s.hearBatch = func(envelope.PayoutBatchStatus) error {
			time.Sleep(3 * time.Second)
			return nil
		}
		r := s.relay(t)
		go func() {
			start := time.Now()
			taken := 0
			for range noticesMax + noticesInFlight + 1 {
				err := r.RecordBatch(paid(b.PayoutBatch))
				if busy, full := errors.AsType[*envelope.BusyError](err); err == nil {
					taken++
				} else if !full || busy.RetryAfter <= 0 {
					t.Errorf("over the bound: %v", err)
				}
				synctest.Wait()
			}
			if took := time.Since(start); took > 0 || taken != noticesMax+noticesInFlight {
				t.Errorf("%d were taken in %v", taken, took)
			}
		}()
		run(t, r, 10*time.Second)
		if !b.ended {
			t.Error("what was taken is not recorded")
		}
	})
}

func TestInterimCallbackQueriesItsBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		b := s.batch(0, 3)
		b.Placed, b.due = true, time.Now().Add(time.Hour)
		s.lookBatch = func(_ context.Context, b envelope.PayoutBatch) (envelope.PayoutBatchStatus, error) {
			return paid(b), nil
		}
		r := s.relay(t)
		const heard = 500 * time.Millisecond
		go func() {
			time.Sleep(heard)
			if err := r.RecordBatch(envelope.PayoutBatchStatus{No: b.No, Progress: envelope.ProgressUnknown}); err != nil {
				t.Error(err)
			}
		}()
		run(t, r, 2*time.Second)
		if asked := s.called("query batch"); !b.ended || len(asked) != 1 || asked[0] > heard+50*time.Millisecond {
			t.Errorf("ended %t, asked at %v", b.ended, asked)
		}
	})
}

func TestARefusedPayoutDoesNotHoldItsBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		b := s.batch(0, 10)
		bad := b.Payouts[4].No()
		s.placeBatch = func(_ context.Context, b envelope.PayoutBatch) (envelope.PayoutBatchStatus, error) {
			status := paid(b)
			status.Paid, status.PaidAmount = 9, 90
			status.Refused = []envelope.TransferStatus{{No: bad, Progress: envelope.ProgressRefused, Code: "ACCOUNT_FROZEN"}}
			return status, nil
		}
		r := s.relay(t)
		run(t, r, time.Second)
		if !b.ended || len(b.heard) != 10 {
			t.Fatalf("ended %t, heard of %d payouts", b.ended, len(b.heard))
		}
		for i, h := range b.heard {
			if refused := h.No == bad; refused != (h.Progress == envelope.ProgressRefused && h.Code == "ACCOUNT_FROZEN") || h.No != b.Payouts[i].No() {
				t.Errorf("heard of %s: %s %q", h.No, h.Progress, h.Code)
			}
		}
		for progress, want := range map[envelope.Progress]float64{envelope.ProgressDone: 9, envelope.ProgressRefused: 1} {
			if got := testutil.ToFloat64(r.metrics.transfers.WithLabelValues(string(progress))); got != want {
				t.Errorf("%v payouts counted as %s, want %v", got, progress, want)
			}
		}
	})
}

func TestADisputedBatchIsAnAlarm(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		alarms float64
	}{
		"it does not add up":        {fmt.Errorf("hear: %w", envelope.ErrTransferConflict), 1},
		"there is none":             {fmt.Errorf("hear: %w", envelope.ErrNotFound), 1},
		"the database is not there": {&envelope.BusyError{Reason: "database"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScript()
				b := s.batch(0, 3)
				s.hearBatch = func(envelope.PayoutBatchStatus) error { return c.err }
				r := s.relay(t)
				run(t, r, time.Second)
				if n := testutil.ToFloat64(r.metrics.alarms.WithLabelValues(topicTransfer)); n != c.alarms || b.ended {
					t.Errorf("%v alarms, ended %t", n, b.ended)
				}
				s.hearBatch, s.lookBatch = nil, func(_ context.Context, b envelope.PayoutBatch) (envelope.PayoutBatchStatus, error) {
					return paid(b), nil
				}
				run(t, s.relay(t), transferLease+time.Second)
				if !b.ended || len(s.called("place batch")) != 1 {
					t.Errorf("when its lease has ended it is asked about: ended %t, placed %d times", b.ended, len(s.called("place batch")))
				}
			})
		})
	}
}

// flights counts what is at a provider that takes d for each call.
type flights struct {
	mu        sync.Mutex
	now, most int
}

func (f *flights) take(d time.Duration) {
	f.mu.Lock()
	f.now++
	f.most = max(f.most, f.now)
	f.mu.Unlock()
	time.Sleep(d)
	f.mu.Lock()
	f.now--
	f.mu.Unlock()
}

func TestBatchesInFlightAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		slow := s.batch(0, 1)
		for n := range 100 {
			s.batch(n+1, 2)
		}
		var f flights
		s.placeBatch = func(ctx context.Context, b envelope.PayoutBatch) (envelope.PayoutBatchStatus, error) {
			if b.No == slow.No {
				<-ctx.Done()
				return envelope.PayoutBatchStatus{}, ctx.Err()
			}
			f.take(100 * time.Millisecond)
			return paid(b), nil
		}
		run(t, s.relay(t), 5*time.Second)
		if f.most != batchesInFlight-1 || len(s.called("place batch")) != 101 {
			t.Errorf("%d in flight beside the slow one, %d placed", f.most, len(s.called("place batch")))
		}
		for _, b := range s.payouts {
			if b.ended == (b == slow) {
				t.Errorf("%s: ended %t", b.No, b.ended)
			}
		}
	})
}

// One provider, one brake: an outage that batches find stops the bills as well,
// and whichever of them probes, it probes alone.
func TestOneBreakerForBillsAndBatches(t *testing.T) {
	for name, out := range map[string]error{"busy": &envelope.BusyError{RetryAfter: 2 * time.Second}, "silent": envelope.ErrUnknownOutcome} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const outage = 10 * time.Minute
				s := newScript()
				for n := range 300 {
					s.batch(n, 3)
					s.debt(n)
				}
				var probing flights
				done := map[string]int{}
				ask := func(no string, absent bool) bool {
					if took := time.Since(start()); took < outage {
						if took > time.Minute {
							probing.take(100 * time.Millisecond)
						}
						return false
					}
					s.mu.Lock()
					defer s.mu.Unlock()
					if !absent {
						done[no]++
					}
					return true
				}
				batch := func(absent bool) func(context.Context, envelope.PayoutBatch) (envelope.PayoutBatchStatus, error) {
					return func(_ context.Context, b envelope.PayoutBatch) (envelope.PayoutBatchStatus, error) {
						if !ask(b.No, absent) {
							return envelope.PayoutBatchStatus{}, out
						} else if absent {
							return batchStatus(b, envelope.ProgressAbsent)
						}
						return paid(b), nil
					}
				}
				bill := func(absent bool) func(context.Context, envelope.Transfer) (envelope.TransferStatus, error) {
					return func(_ context.Context, t envelope.Transfer) (envelope.TransferStatus, error) {
						if !ask(t.No(), absent) {
							return envelope.TransferStatus{}, out
						} else if absent {
							return status(t, envelope.ProgressAbsent)
						}
						return status(t, envelope.ProgressDone)
					}
				}
				s.placeBatch, s.lookBatch, s.place, s.look = batch(false), batch(true), bill(false), bill(true)
				run(t, s.relay(t), outage+5*time.Minute)
				during := 0
				for _, c := range s.calls {
					if c.at < outage {
						during++
					}
				}
				if during > 600 || probing.most != 1 {
					t.Errorf("%d calls during the outage, %d at once", during, probing.most)
				}
				if len(done) != 600 {
					t.Errorf("%d of 600 done five minutes after it", len(done))
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

func TestAStopFinishesTheBatchesInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		b, late := s.batch(0, 3), s.batch(1, 3)
		late.due = start().Add(2 * time.Second)
		s.placeBatch = func(_ context.Context, b envelope.PayoutBatch) (envelope.PayoutBatchStatus, error) {
			time.Sleep(5 * time.Second)
			return paid(b), nil
		}
		run(t, s.relay(t), time.Second)
		if !b.ended || late.Attempts != 0 || time.Since(start()) > 6*time.Second {
			t.Errorf("ended %t, %d attempts at what came later, stopped after %v", b.ended, late.Attempts, time.Since(start()))
		}
	})
}
