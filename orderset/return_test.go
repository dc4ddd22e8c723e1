package orderset_test

import (
	"sync"
	"testing"
	"time"

	"hongbao/envelope"
	"hongbao/internal/settest"
	"hongbao/orderset"
	"hongbao/orderset/decision"
)

const week = 7 * 24 * time.Hour

// heldSince moves when what is held came to be so.
func heldSince(t testing.TB, w *settest.World, interval string) {
	t.Helper()
	exec(t, w.Admin(t, 0), "UPDATE transfer SET due_at = due_at - INTERVAL "+interval+" WHERE state = 'held'")
}

// returned runs the return, and fails unless it gave back as many as wanted.
func returned(t testing.TB, s *orderset.Set, want int) {
	t.Helper()
	if n, err := s.Desk().ReturnUnconfirmed(t.Context(), week); err != nil || n != want {
		t.Errorf("%d went back, %v, want %d", n, err, want)
	}
}

// TestUnconfirmedPayoutGoesToTheSender: once, as a decision of the service, and
// its opener learns that it did (FS16).
func TestUnconfirmedPayoutGoesToTheSender(t *testing.T) {
	w := servers.World(t, 1)
	s, tr := unconfirmed(t, w, envelope.CodeOverdue)
	sender := find(t, w, tr.OrderNo).Envelope.Sender
	returned(t, s, 0) // not for as long yet
	heldSince(t, w, "167 HOUR")
	returned(t, s, 0)
	heldSince(t, w, "61 MINUTE")
	returned(t, s, 1)
	returned(t, s, 0)
	now := transfer(t, w, tr.OrderNo, tr.Seq)
	if now.State != envelope.Pending || now.Round != 2 || now.Payee != sender || now.Amount != tr.Amount {
		t.Errorf("it goes back as %+v, want to %s", now, sender)
	}
	ds, err := s.Desk().Decisions(t.Context(), tr.No(), 10)
	if err != nil || len(ds) != 1 || ds[0].Action != decision.ActionReturn || ds[0].Payee != sender || decision.CheckPerson("by", ds[0].By) == nil {
		t.Errorf("decisions: %+v, %v, want one of the service", ds, err)
	}
	if _, err := s.Desk().Again(t.Context(), tr.OrderNo, tr.Seq, tr.Payee); err == nil {
		t.Error("its opener has it begun anew")
	}
	w.CheckBooks(t)

	hear(t, s, sayOf(envelope.ProgressRefused, envelope.CodeOverdue, 0, claim(t, s, 10)[0])) // nor does the sender confirm
	heldSince(t, w, "9 DAY")
	returned(t, s, 0)
	if next, err := s.Desk().Again(t.Context(), tr.OrderNo, tr.Seq, sender); err != nil || next.Round != 3 || next.Payee != sender {
		t.Errorf("the sender asks: %+v, %v", next, err)
	}
	carryOut(t, s)
	wantState(t, w, tr.OrderNo, envelope.Settled, 4)
}

// TestSomeUnconfirmedPayoutsAreKept (FS16).
func TestSomeUnconfirmedPayoutsAreKept(t *testing.T) {
	for name, c := range map[string]func(t *testing.T, w *settest.World) *orderset.Set{
		"refused for another reason": func(t *testing.T, w *settest.World) *orderset.Set {
			s, _ := held(t, w)
			return s
		},
		"disputed": func(t *testing.T, w *settest.World) *orderset.Set {
			s, tr := unconfirmed(t, w, envelope.CodeOverdue)
			if _, err := s.Owed().RecordTransfers(t.Context(), say(envelope.ProgressDone, tr)); err != nil {
				t.Fatal(err)
			}
			return s
		},
		"being decided about": func(t *testing.T, w *settest.World) *orderset.Set {
			s, tr := unconfirmed(t, w, envelope.CodeOverdue)
			if err := proposing(t, s, tr.No(), "ann", decision.ActionRelease, ""); err != nil {
				t.Fatal(err)
			}
			return s
		},
		"of the sender's own share": func(t *testing.T, w *settest.World) *orderset.Set {
			s := w.Router.Sets()[0]
			e := w.Active(t, 0, envelope.Order{Total: 100, Count: 1})
			open(t, s, requests(e.ID, e.Sender))
			spread(t, s)
			hear(t, s, sayOf(envelope.ProgressRefused, envelope.CodeOverdue, 0, claim(t, s, 10)[0]))
			return s
		},
		"in a batch": func(t *testing.T, w *settest.World) *orderset.Set {
			s, _, b := owedBatch(t, w, 2)
			hearBatch(t, s, but(&b, 0))
			exec(t, w.Admin(t, 0), "UPDATE transfer SET reason = 'OVERDUE_CLOSE' WHERE state = 'held'")
			return s
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := servers.World(t, 1)
			s := c(t, w)
			heldSince(t, w, "9 DAY")
			returned(t, s, 0)
			if h := heldOne(t, s); h.Round != 1 {
				t.Errorf("held as %+v", h)
			}
		})
	}
}

// TestReclaimDuringReturnIsOneRound (FS16).
func TestReclaimDuringReturnIsOneRound(t *testing.T) {
	w := servers.World(t, 1)
	for range 5 {
		s, tr := unconfirmed(t, w, envelope.CodeOverdue)
		heldSince(t, w, "9 DAY")
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() { _, _ = s.Desk().Again(t.Context(), tr.OrderNo, tr.Seq, tr.Payee) }) // not found once it went back
			both.Go(func() {
				if _, err := s.Desk().ReturnUnconfirmed(t.Context(), week); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
		ds, err := s.Desk().Decisions(t.Context(), tr.No(), 10)
		if now := transfer(t, w, tr.OrderNo, tr.Seq); err != nil || now.Round != 2 || now.State != envelope.Pending || len(ds) != 1 || (ds[0].Action == decision.ActionReturn) != (now.Payee != tr.Payee) {
			t.Errorf("%+v after %+v, %v", now, ds, err)
		}
		carryOut(t, s)
	}
}
