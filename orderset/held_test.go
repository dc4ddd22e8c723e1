package orderset_test

import (
	"errors"
	"testing"
	"time"

	"hongbao/envelope"
	"hongbao/internal/settest"
	"hongbao/orderset"
	"hongbao/orderset/decision"
)

// held is a transfer that was refused for good.
func held(t testing.TB, w *settest.World) (*orderset.Set, envelope.Transfer) {
	t.Helper()
	s, ts := owing(t, w, 2)
	hear(t, s, say(envelope.ProgressDone, ts[1]))
	hear(t, s, say(envelope.ProgressRefused, ts[0]))
	return s, ts[0]
}

// proposing is a proposal of which only the error matters.
func proposing(t testing.TB, s *orderset.Set, no, by, action string, payee envelope.UserID) error {
	t.Helper()
	_, err := s.Desk().Propose(t.Context(), no, by, action, payee)
	return err
}

// approve approves whatever proposal stands about a number, or was approved last.
func approve(t testing.TB, s *orderset.Set, no, by string) (envelope.Transfer, error) {
	t.Helper()
	var seen decision.Proposal
	ds, err := s.Desk().Decisions(t.Context(), no, 1)
	if err == nil && len(ds) == 1 {
		seen = ds[0].Proposal
	}
	return s.Desk().Approve(t.Context(), no, by, seen)
}

// FG17: a transfer refused for good is held, and its money stays in the books.
func TestFinallyRefusedTransferIsHeld(t *testing.T) {
	w := servers.World(t, 1)
	s, tr := held(t, w)
	list, err := s.Desk().Held(t.Context(), decision.HeldQuery{Max: 10})
	if err != nil || len(list) != 1 || list[0].No() != tr.No() || list[0].Reason != "ACCOUNT_CLOSED" || list[0].State != envelope.Held {
		t.Fatalf("held are %+v, %v", list, err)
	}
	if ts := claim(t, s, 10); len(ts) > 0 {
		t.Errorf("claimed though it is held: %+v", ts)
	}
	wantState(t, w, tr.OrderNo, envelope.Empty, 3) // not settled
	if books := w.CheckBooks(t)[0]; books.Held != tr.Amount || books.HeldCount != 1 || books.Posted+books.Held != books.Opened {
		t.Errorf("the books say %v", books)
	}
}

// FG16, FH13: a refused refund goes on under the next number once two operators agree.
func TestTwoPeopleReleaseARefusedRefund(t *testing.T) {
	w := servers.World(t, 1)
	s := w.Router.Sets()[0]
	e := expired(t, w, envelope.Order{Total: 1000, Count: 10})
	refund := claim(t, s, 10)[0]
	hear(t, s, say(envelope.ProgressRefused, refund))
	wantState(t, w, e.ID, envelope.Expired, 3)
	no := refund.No()
	_, err := approve(t, s, no, "bob")
	wantInvalid(t, err, "transfer") // nothing is proposed
	wantInvalid(t, proposing(t, s, no, "ann", decision.ActionRedirect, "carl"), "action")
	for range 2 {
		if err := proposing(t, s, no, "ann", decision.ActionRelease, ""); err != nil {
			t.Fatal(err)
		}
	}
	wantInvalid(t, proposing(t, s, no, "bob", decision.ActionRelease, ""), "transfer") // it stands as it is
	_, err = approve(t, s, no, "ann")
	wantInvalid(t, err, "approved_by")
	if tr := transfer(t, w, e.ID, 0); tr.State != envelope.Held || tr.Round != 1 {
		t.Fatalf("released by one person: %+v", tr)
	}
	for range 2 {
		next, err := approve(t, s, no, "bob")
		if err != nil || next.Round != 2 || next.State != envelope.Pending || next.Placed || next.Attempts != 0 || next.Reason != "" || next.Payee != e.Sender || next.No() != no+"X2" {
			t.Errorf("released as %+v, %v", next, err)
		}
	}
	_, err = approve(t, s, no, "carl")
	wantInvalid(t, err, "transfer")
	wantInvalid(t, proposing(t, s, no+"X2", "ann", decision.ActionRelease, ""), "transfer")
	second := claim(t, s, 10)
	if len(second) != 1 || second[0].No() != no+"X2" || second[0].Placed {
		t.Fatalf("claimed %+v, want the second round", second)
	}
	hear(t, s, say(envelope.ProgressRefused, refund)) // the first round, again: no news
	hear(t, s, say(envelope.ProgressDone, second...))
	wantState(t, w, e.ID, envelope.Settled, 4)
	first := say(envelope.ProgressDone, refund) // the first round moved money after all
	errs, err := s.Owed().RecordTransfers(t.Context(), first)
	if err != nil || !errors.Is(errs[0], envelope.ErrTransferConflict) || len(disputes(t, s)) != 1 {
		t.Errorf("got %v, %v, want a conflict that people see", errs, err)
	}
}

// FG17: a redirect pays another payee under the next number.
func TestRedirectPaysAnotherUnderNextNumber(t *testing.T) {
	w := servers.World(t, 1)
	s, tr := held(t, w)
	if err := proposing(t, s, tr.No(), "ann", decision.ActionRedirect, "heir"); err != nil {
		t.Fatal(err)
	}
	next, err := approve(t, s, tr.No(), "bob")
	if err != nil || next.Payee != "heir" || next.Round != 2 || next.Amount != tr.Amount {
		t.Errorf("redirected as %+v, %v", next, err)
	}
	carryOut(t, s)
	wantState(t, w, tr.OrderNo, envelope.Settled, 4)
	if paid := find(t, w, tr.OrderNo).Shares[tr.Seq-1]; paid.User != tr.Payee {
		t.Errorf("the share has become %s's", paid.User)
	}
}

func TestProposalsKeepTheirRules(t *testing.T) {
	w := servers.World(t, 1)
	s, tr := held(t, w)
	_, other := owing(t, w, 1)
	for _, c := range []struct {
		no, by, action string
		payee          envelope.UserID
		field          string
	}{
		{tr.No(), "", decision.ActionRelease, "", "proposed_by"},
		{tr.No(), "ann smith", decision.ActionRelease, "", "proposed_by"},
		{tr.No(), "ann", "forget", "", "action"},
		{tr.No(), "ann", "", "", "action"},
		{tr.No(), "ann", decision.ActionRelease, "carl", "payee"},
		{tr.No(), "ann", decision.ActionRedirect, "", "payee"},
		{other[0].No(), "ann", decision.ActionRelease, "", "transfer"}, // pending
	} {
		wantInvalid(t, proposing(t, s, c.no, c.by, c.action, c.payee), c.field)
	}
	_, err := approve(t, s, tr.No(), "")
	wantInvalid(t, err, "approved_by")
	for _, no := range []string{"", "nonsense", tr.No() + "X2", envelope.TransferNo(tr.OrderNo, 0, 1)} {
		if err := proposing(t, s, no, "ann", decision.ActionRelease, ""); !errors.Is(err, envelope.ErrNotFound) {
			t.Errorf("%q: got %v, want ErrNotFound", no, err)
		}
		if _, err := approve(t, s, no, "ann"); !errors.Is(err, envelope.ErrNotFound) {
			t.Errorf("%q: got %v, want ErrNotFound", no, err)
		}
	}
}

func TestAProposalLapsesAfterADay(t *testing.T) {
	w := servers.World(t, 1)
	s, tr := held(t, w)
	if err := proposing(t, s, tr.No(), "ann", decision.ActionRelease, ""); err != nil {
		t.Fatal(err)
	}
	exec(t, w.Admin(t, 0), "UPDATE decision SET proposed_at = proposed_at - INTERVAL 24 HOUR")
	_, err := approve(t, s, tr.No(), "bob")
	wantInvalid(t, err, "transfer")
	if err := proposing(t, s, tr.No(), "bob", decision.ActionRedirect, "carl"); err != nil {
		t.Fatal(err)
	}
	if next, err := approve(t, s, tr.No(), "ann"); err != nil || next.Payee != "carl" {
		t.Errorf("got %+v, %v", next, err)
	}
	carryOut(t, s)
}

func TestTransferIsReleasedAtMostEightTimes(t *testing.T) {
	w := servers.World(t, 1)
	s, tr := held(t, w)
	for range envelope.RoundMax - 1 {
		if err := proposing(t, s, tr.No(), "ann", decision.ActionRelease, ""); err != nil {
			t.Fatal(err)
		}
		var err error
		if tr, err = approve(t, s, tr.No(), "bob"); err != nil {
			t.Fatal(err)
		}
		hear(t, s, say(envelope.ProgressRefused, claim(t, s, 10)...))
	}
	if tr.Round != envelope.RoundMax {
		t.Errorf("round %d, want %d", tr.Round, envelope.RoundMax)
	}
	wantInvalid(t, proposing(t, s, tr.No(), "ann", decision.ActionRelease, ""), "transfer")
}

// TestTheAgeOfATransferIsThatOfItsRound has a share of 40 days ago. The provider
// forgets payouts 30 days after they were placed, so what counts is when this round
// was, not when the share was opened (FS7).
func TestTheAgeOfATransferIsThatOfItsRound(t *testing.T) {
	recent := func(at time.Time) bool { return time.Since(at).Abs() < time.Minute }
	for _, batches := range []bool{false, true} {
		w := servers.World(t, 1)
		s := w.Router.Sets()[0]
		if batches {
			s = batching(t, w)
		}
		e := opened(t, w, s, 50, 1, 1)
		spread(t, s)
		take := func() (tr envelope.Transfer, placed time.Time, refuse func()) {
			t.Helper()
			exec(t, w.Admin(t, 0), "UPDATE transfer SET due_at = UTC_TIMESTAMP(3)", "UPDATE payout_batch SET due_at = UTC_TIMESTAMP(3)")
			if !batches {
				ts := claim(t, s, 10)
				if len(ts) != 1 {
					t.Fatalf("claimed %+v", ts)
				}
				return ts[0], ts[0].PlacedAt, func() { hear(t, s, say(envelope.ProgressRefused, ts[0])) }
			}
			bs := claimBatches(t, s, 10)
			if len(bs) != 1 {
				t.Fatalf("claimed %+v", bs)
			}
			return bs[0].Payouts[0], bs[0].PlacedAt, func() { hearBatch(t, s, but(&bs[0], 0)) }
		}
		exec(t, w.Admin(t, 0), "UPDATE transfer SET created_at = created_at - INTERVAL 40 DAY", "UPDATE payout_batch SET created_at = created_at - INTERVAL 40 DAY")
		if _, placed, _ := take(); !placed.IsZero() {
			t.Errorf("batches %t: placed at %v before its first claim", batches, placed)
		}
		exec(t, w.Admin(t, 0), "UPDATE transfer SET placed_at = placed_at - INTERVAL 40 DAY", "UPDATE payout_batch SET placed_at = placed_at - INTERVAL 40 DAY")
		tr, placed, refuse := take()
		if since := time.Since(placed); since < 39*24*time.Hour || since > 41*24*time.Hour {
			t.Errorf("batches %t: placed %v ago, want the first time", batches, since)
		}
		refuse()
		if now := transfer(t, w, e.ID, 1); now.State != envelope.Held || !recent(now.DueAt) {
			t.Errorf("batches %t: held as %+v", batches, now)
		}
		if err := proposing(t, s, tr.No(), "ann", decision.ActionRelease, ""); err != nil {
			t.Fatal(err)
		}
		if _, err := approve(t, s, tr.No(), "bob"); err != nil {
			t.Fatal(err)
		}
		if next, placed, _ := take(); next.Round != 2 || !recent(next.CreatedAt) || !placed.IsZero() {
			t.Errorf("batches %t: round 2 is of %v, placed at %v", batches, next.CreatedAt, placed)
		}
		if _, placed, _ := take(); !recent(placed) {
			t.Errorf("batches %t: round 2 was placed at %v", batches, placed)
		}
	}
}

func TestApprovalWithALostCommitIsOneRound(t *testing.T) {
	w := servers.World(t, 1)
	for half, fault := range bothFaults {
		s, tr := held(t, w)
		w.Proxies[0].Lose(fault, "COMMIT")
		if err := proposing(t, s, tr.No(), "ann", decision.ActionRelease, ""); err != nil {
			t.Errorf("%s: %v", half, err)
		}
		w.Proxies[0].Lose(fault, "COMMIT")
		if next, err := approve(t, s, tr.No(), "bob"); err != nil || next.Round != 2 {
			t.Errorf("%s: %+v, %v", half, next, err)
		}
		if now := transfer(t, w, tr.OrderNo, tr.Seq); now.Round != 2 || now.DueAt.After(time.Now().Add(time.Minute)) {
			t.Errorf("%s: stored as %+v", half, now)
		}
		carryOut(t, s)
	}
	if w.Proxies[0].Hits() != 4 {
		t.Errorf("%d faults happened, want 4", w.Proxies[0].Hits())
	}
}
