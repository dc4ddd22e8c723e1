package orderset_test

import (
	"errors"
	"strings"
	"testing"

	"hongbao/envelope"
	"hongbao/internal/settest"
	"hongbao/orderset"
	"hongbao/orderset/decision"
)

// unconfirmed is a payout whose payee did not confirm it in time.
func unconfirmed(t testing.TB, w *settest.World, reason string) (*orderset.Set, envelope.Transfer) {
	t.Helper()
	s, ts := owing(t, w, 2)
	hear(t, s, say(envelope.ProgressDone, ts[1]))
	hear(t, s, sayOf(envelope.ProgressRefused, reason, 0, ts[0]))
	return s, ts[0]
}

func again(t testing.TB, s *orderset.Set, tr envelope.Transfer) (envelope.Transfer, error) {
	t.Helper()
	return s.Desk().Again(t.Context(), tr.OrderNo, tr.Seq, tr.Payee)
}

// wantHeldStill fails unless asking is refused and begins nothing.
func wantHeldStill(t testing.TB, w *settest.World, s *orderset.Set, tr envelope.Transfer) {
	t.Helper()
	before := transfer(t, w, tr.OrderNo, tr.Seq)
	if _, err := again(t, s, tr); !errors.Is(err, envelope.ErrPayoutHeld) {
		t.Errorf("asked again: %v, want %v", err, envelope.ErrPayoutHeld)
	}
	if now := transfer(t, w, tr.OrderNo, tr.Seq); now.Round != before.Round || now.State != envelope.Held {
		t.Errorf("it was %+v, and is %+v", before, now)
	}
}

// TestPayeeReclaimsAnUnconfirmedPayout: under the next number, once, and
// written down (FS16).
func TestPayeeReclaimsAnUnconfirmedPayout(t *testing.T) {
	for _, reason := range []string{envelope.CodeOverdue, envelope.CodeCancelled} {
		t.Run(reason, func(t *testing.T) {
			w := servers.World(t, 1)
			s, tr := unconfirmed(t, w, reason)
			for range 2 {
				next, err := again(t, s, tr)
				if err != nil || next.Round != 2 || next.State != envelope.Pending || next.Payee != tr.Payee || next.Amount != tr.Amount || next.Placed || next.Reason != "" {
					t.Fatalf("asked again: %+v, %v", next, err)
				}
			}
			ds, err := s.Desk().Decisions(t.Context(), tr.No(), 10)
			if err != nil || len(ds) != 1 || ds[0].Action != decision.ActionAgain || ds[0].By != string(tr.Payee) || ds[0].State != "approved" {
				t.Errorf("decisions %+v, %v, want one of its payee", ds, err)
			}
			w.CheckBooks(t)
			if n := carryOut(t, s); n != 1 {
				t.Errorf("%d transfers were carried out, want 1", n)
			}
			if done, err := again(t, s, tr); err != nil || done.State != envelope.Posted || done.Round != 2 {
				t.Errorf("asked once more: %+v, %v, want it posted", done, err)
			}
			wantState(t, w, tr.OrderNo, envelope.Settled, 4)
		})
	}
}

// TestPayeeMayNotReclaimEveryPayout (FS16).
func TestPayeeMayNotReclaimEveryPayout(t *testing.T) {
	t.Run("one that was refused", func(t *testing.T) {
		w := servers.World(t, 1)
		s, tr := held(t, w)
		wantHeldStill(t, w, s, tr)
	})
	t.Run("another's, or none", func(t *testing.T) {
		w := servers.World(t, 1)
		s, tr := unconfirmed(t, w, envelope.CodeOverdue)
		for _, of := range []struct {
			seq  int
			user envelope.UserID
		}{{tr.Seq, "eve"}, {tr.Seq, ""}, {0, tr.Payee}, {9, tr.Payee}} {
			if _, err := s.Desk().Again(t.Context(), tr.OrderNo, of.seq, of.user); !errors.Is(err, envelope.ErrNotFound) {
				t.Errorf("%d of %q: %v, want ErrNotFound", of.seq, of.user, err)
			}
		}
	})
	t.Run("a disputed one", func(t *testing.T) {
		w := servers.World(t, 1)
		s, tr := unconfirmed(t, w, envelope.CodeOverdue)
		if _, err := s.Owed().RecordTransfers(t.Context(), say(envelope.ProgressDone, tr)); err != nil {
			t.Fatal(err)
		}
		wantHeldStill(t, w, s, tr)
	})
	t.Run("one in a batch", func(t *testing.T) {
		w := servers.World(t, 1)
		s, _, b := owedBatch(t, w, 2)
		hearBatch(t, s, but(&b, 0))
		exec(t, w.Admin(t, 0), "UPDATE transfer SET reason = 'OVERDUE_CLOSE' WHERE state = 'held'")
		wantHeldStill(t, w, s, b.Payouts[0])
	})
	t.Run("one that people would give to another", func(t *testing.T) {
		w := servers.World(t, 1)
		s, tr := unconfirmed(t, w, envelope.CodeOverdue)
		if err := proposing(t, s, tr.No(), "ann", decision.ActionRedirect, "heir"); err != nil {
			t.Fatal(err)
		}
		wantHeldStill(t, w, s, tr)
		if err := s.Desk().Withdraw(t.Context(), tr.No(), "ann"); err != nil {
			t.Fatal(err)
		}
		if err := proposing(t, s, tr.No(), "ann", decision.ActionRelease, ""); err != nil {
			t.Fatal(err)
		}
		if next, err := again(t, s, tr); err != nil || next.Round != 2 { // what was proposed, too
			t.Errorf("asked again: %+v, %v", next, err)
		}
		_, err := approve(t, s, tr.No(), "bob")
		wantInvalid(t, err, "transfer")
		carryOut(t, s)
	})
	t.Run("in the last round", func(t *testing.T) {
		w := servers.World(t, 1)
		s, tr := unconfirmed(t, w, envelope.CodeOverdue)
		for range envelope.RoundMax - 1 {
			if _, err := again(t, s, tr); err != nil {
				t.Fatal(err)
			}
			hear(t, s, sayOf(envelope.ProgressRefused, envelope.CodeOverdue, 0, claim(t, s, 10)[0]))
		}
		wantHeldStill(t, w, s, tr)
		if now := transfer(t, w, tr.OrderNo, tr.Seq); now.Round != envelope.RoundMax {
			t.Errorf("round %d, want %d", now.Round, envelope.RoundMax)
		}
	})
}

// TestReclaimWithALostCommitIsOneRound (FS16).
func TestReclaimWithALostCommitIsOneRound(t *testing.T) {
	w := servers.World(t, 1)
	for half, fault := range bothFaults {
		s, tr := unconfirmed(t, w, envelope.CodeOverdue)
		w.Proxies[0].Lose(fault, "COMMIT")
		if next, err := again(t, s, tr); err != nil || next.Round != 2 || next.State != envelope.Pending {
			t.Errorf("%s: %+v, %v", half, next, err)
		}
		if ds, err := s.Desk().Decisions(t.Context(), tr.No(), 10); err != nil || len(ds) != 1 {
			t.Errorf("%s: decisions %+v, %v, want one", half, ds, err)
		}
		carryOut(t, s)
	}
}

// TestADisputedBatchIsNotDissolved (FS4): what is in it may have been paid.
func TestADisputedBatchIsNotDissolved(t *testing.T) {
	w := servers.World(t, 1)
	s, _, b := owedBatch(t, w, 2)
	word := putOff(b.No, envelope.ProgressRejected, 0)
	word.Code, word.Attempt = "INVALID_REQUEST", b.Attempts
	if err := s.Owed().PutOffBatch(t.Context(), word); err != nil {
		t.Fatal(err)
	}
	if err := s.Desk().ProposeDissolve(t.Context(), b.No, "ann"); err != nil {
		t.Fatal(err)
	}
	exec(t, w.Admin(t, 0), "INSERT INTO dispute (kind, number, order_id, what, amount_fen, created_at) VALUES ('transfer', '"+b.No+"', '"+
		string(b.Payouts[0].OrderNo)+"', 'paid after all', 1, UTC_TIMESTAMP(3))")
	err := s.Desk().ApproveDissolve(t.Context(), b.No, "bob")
	wantInvalid(t, err, "batch")
	if !strings.Contains(err.Error(), "paid after all") {
		t.Errorf("got %v, want it to say what is disputed", err)
	}
	if _, bs, err := s.Desk().Stuck(t.Context(), 10); err != nil || len(bs) != 1 || bs[0].Proposal == nil {
		t.Errorf("stuck are %+v, %v, want the batch as it was", bs, err)
	}
	if err := proposing(t, s, b.Payouts[0].No(), "ann", decision.ActionDismiss, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := approve(t, s, b.Payouts[0].No(), "bob"); err != nil {
		t.Fatal(err)
	}
	if err := s.Desk().ApproveDissolve(t.Context(), b.No, "bob"); err != nil {
		t.Error(err)
	}
}
