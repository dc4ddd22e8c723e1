package orderset_test

import (
	"testing"

	"hongbao/envelope"
	"hongbao/internal/settest"
	"hongbao/orderset"
)

// lateFinish is an envelope of two shares, the first of them on its way to its
// payee, and what finishes it.
type lateFinish struct {
	w  *settest.World
	s  *orderset.Set
	id envelope.ID
}

// TestEndThatOvertakesAPostingSettles keeps one posting back after it has read
// the headers and before it has locked its transfers. Meanwhile the envelope is
// finished, and its last transfer is posted (FS3).
func TestEndThatOvertakesAPostingSettles(t *testing.T) {
	open2 := func(t *testing.T, l *lateFinish) { open(t, l.s, requests(l.id, "second")) }
	expire := func(t *testing.T, l *lateFinish) {
		exec(t, l.w.Admin(t, 0), "UPDATE "+envelopes(l.id)+" SET expires_at = UTC_TIMESTAMP(3) WHERE order_id = '"+string(l.id)+"'")
		if e, err := l.s.Expire(t.Context(), l.id); err != nil || e.State != envelope.Expired {
			t.Fatalf("expired as %+v, %v", e, err)
		}
	}
	for name, c := range map[string]struct {
		batches bool
		stalls  string // the statement that locks the transfers
		finish  func(*testing.T, *lateFinish)
	}{
		"a bill, and the last share is opened":  {false, "SELECT order_id, seq, round, ", open2},
		"a bill, and the envelope expires":      {false, "SELECT order_id, seq, round, ", expire},
		"a batch, and the last share is opened": {true, "UPDATE transfer ", open2},
		"a batch, and the envelope expires":     {true, "UPDATE transfer ", expire},
	} {
		t.Run(name, func(t *testing.T) {
			w := servers.World(t, 1)
			l := &lateFinish{w: w, s: w.Router.Sets()[0]}
			if c.batches {
				l.s = batching(t, w)
			}
			l.id = w.Active(t, 0, envelope.Order{Kind: envelope.Equal, Share: 100, Count: 2}).ID
			open(t, l.s, requests(l.id, "first"))
			post := takeDue(t, l.s)
			stall := w.Proxies[0].Stall(t, c.stalls)
			done := make(chan error, 1)
			go func() { done <- post() }()
			<-stall.Reached()
			c.finish(t, l)
			if err := takeDue(t, l.s)(); err != nil {
				t.Fatal(err)
			}
			stall.Release()
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			wantState(t, w, l.id, envelope.Settled, find(t, w, l.id).Envelope.Ver)
		})
	}
}

// takeDue claims all that is due, bills and batches, and returns what posts it.
func takeDue(t *testing.T, s *orderset.Set) (post func() error) {
	t.Helper()
	spread(t, s)
	words := say(envelope.ProgressDone, claim(t, s, 10)...)
	batches := claimBatches(t, s, 10)
	if len(words)+len(batches) == 0 {
		t.Fatal("nothing is due")
	}
	return func() error {
		for i := range batches {
			if err := s.Owed().RecordBatch(t.Context(), allPaid(&batches[i])); err != nil {
				return err
			}
		}
		if len(words) == 0 {
			return nil
		}
		_, err := s.Owed().RecordTransfers(t.Context(), words)
		return err
	}
}
