package orderset_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"hongbao/envelope"
	"hongbao/internal/settest"
	"hongbao/orderset"
	"hongbao/orderset/decision"
)

// disputed is a transfer that was refused for good, and then reported as paid; in a
// batch or by itself.
func disputed(t *testing.T, w *settest.World, batches bool) (*orderset.Set, envelope.Transfer) {
	t.Helper()
	if !batches {
		s, tr := held(t, w)
		errs, err := s.Owed().RecordTransfers(t.Context(), say(envelope.ProgressDone, tr))
		if err != nil || !errors.Is(errs[0], envelope.ErrTransferConflict) {
			t.Fatalf("paid after all: %v, %v", errs, err)
		}
		return s, tr
	}
	s, _, b := owedBatch(t, w, 2)
	hearBatch(t, s, but(&b, 0))
	if err := s.Owed().RecordBatch(t.Context(), allPaid(&b)); !errors.Is(err, envelope.ErrTransferConflict) {
		t.Fatalf("paid after all: %v", err)
	}
	return s, b.Payouts[0]
}

func heldOne(t *testing.T, s *orderset.Set) decision.HeldTransfer {
	t.Helper()
	list, err := s.Desk().Held(t.Context(), decision.HeldQuery{Max: 10})
	if err != nil || len(list) != 1 {
		t.Fatalf("held are %+v, %v, want one", list, err)
	}
	return list[0]
}

// TestADisputeStopsARelease: what the provider says it has paid is not paid again
// before two people have settled it or dismissed the dispute (FS4).
func TestADisputeStopsARelease(t *testing.T) {
	for name, batches := range map[string]bool{"a bill": false, "a batch": true} {
		t.Run(name, func(t *testing.T) {
			w := servers.World(t, 1)
			s, tr := disputed(t, w, batches)
			no := tr.No()
			if h := heldOne(t, s); len(h.Disputes) != 1 || h.Disputes[0] == "" {
				t.Errorf("shown with disputes %q", h.Disputes)
			}
			wantInvalid(t, proposing(t, s, no, "ann", decision.ActionRelease, ""), "transfer")
			wantInvalid(t, proposing(t, s, no, "ann", decision.ActionRedirect, "carl"), "transfer")
			if err := proposing(t, s, no, "ann", decision.ActionDismiss, ""); err != nil {
				t.Fatal(err)
			}
			if now, err := approve(t, s, no, "bob"); err != nil || now.State != envelope.Held || now.Round != 1 {
				t.Errorf("dismissed: %+v, %v", now, err)
			}
			if ds := disputes(t, s); len(ds) != 1 || ds[0].ResolvedAt.IsZero() {
				t.Errorf("disputes: %+v", ds)
			}
			wantInvalid(t, proposing(t, s, no, "ann", decision.ActionDismiss, ""), "transfer")
			if err := proposing(t, s, no, "ann", decision.ActionRelease, ""); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestLaterDisputeStopsAnApproval (FS4).
func TestLaterDisputeStopsAnApproval(t *testing.T) {
	w := servers.World(t, 1)
	s, tr := held(t, w)
	if err := proposing(t, s, tr.No(), "ann", decision.ActionRelease, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Owed().RecordTransfers(t.Context(), say(envelope.ProgressDone, tr)); err != nil {
		t.Fatal(err)
	}
	_, err := approve(t, s, tr.No(), "bob")
	wantInvalid(t, err, "transfer")
	if h := heldOne(t, s); h.Proposal == nil || len(h.Disputes) != 1 || h.State != envelope.Held {
		t.Errorf("held as %+v", h)
	}
	if ts := claim(t, s, 10); len(ts) > 0 {
		t.Errorf("claimed %+v", ts)
	}
}

// TestTwoPeopleSettleAProviderPayment: it is posted under the number that was
// paid, and its envelope is settled (FS4).
func TestTwoPeopleSettleAProviderPayment(t *testing.T) {
	for name, batches := range map[string]bool{"a bill": false, "a batch": true} {
		t.Run(name, func(t *testing.T) {
			w := servers.World(t, 1)
			s, tr := disputed(t, w, batches)
			if err := proposing(t, s, tr.No(), "ann", decision.ActionSettle, ""); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if now, err := approve(t, s, tr.No(), "bob"); err != nil || now.State != envelope.Posted || now.No() != tr.No() || now.Payee != tr.Payee {
					t.Errorf("settled as %+v, %v", now, err)
				}
			}
			wantState(t, w, tr.OrderNo, envelope.Settled, 4)
			if batches {
				b := envelope.PayoutBatchNo(tr.No())
				if err := s.Owed().RecordBatch(t.Context(), envelope.PayoutBatchStatus{No: b, Progress: envelope.ProgressDone, Paid: 2, PaidAmount: 100}); err != nil {
					t.Errorf("the provider says the same once more: %v", err)
				}
			} else {
				hear(t, s, say(envelope.ProgressDone, tr))
			}
		})
	}
	t.Run("an earlier round, to the payee of that round", func(t *testing.T) {
		w := servers.World(t, 1)
		s, tr := held(t, w)
		if err := proposing(t, s, tr.No(), "ann", decision.ActionRedirect, "carl"); err != nil {
			t.Fatal(err)
		}
		next, err := approve(t, s, tr.No(), "bob")
		if err != nil {
			t.Fatal(err)
		}
		claim(t, s, 10)
		hear(t, s, say(envelope.ProgressRefused, next))
		if _, err := s.Owed().RecordTransfers(t.Context(), say(envelope.ProgressDone, tr)); err != nil { // round 1 was paid
			t.Fatal(err)
		}
		wantInvalid(t, proposing(t, s, next.No(), "ann", decision.ActionRelease, ""), "transfer")
		if err := proposing(t, s, tr.No(), "ann", decision.ActionSettle, ""); err != nil {
			t.Fatal(err)
		}
		_, err = approve(t, s, next.No(), "bob") // it is about round 1
		wantInvalid(t, err, "proposal")
		if now, err := approve(t, s, tr.No(), "bob"); err != nil || now.State != envelope.Posted || now.Round != 1 || now.Payee != tr.Payee {
			t.Errorf("settled as %+v, %v", now, err)
		}
		wantState(t, w, tr.OrderNo, envelope.Settled, 4)
	})
	t.Run("a refund", func(t *testing.T) {
		w := servers.World(t, 1)
		s := w.Router.Sets()[0]
		e := expired(t, w, envelope.Order{Total: 1000, Count: 10})
		refund := claim(t, s, 10)[0]
		hear(t, s, say(envelope.ProgressRefused, refund))
		if err := proposing(t, s, refund.No(), "ann", decision.ActionSettle, ""); err != nil {
			t.Fatal(err)
		}
		if now, err := approve(t, s, refund.No(), "bob"); err != nil || now.State != envelope.Posted {
			t.Errorf("settled as %+v, %v", now, err)
		}
		wantState(t, w, e.ID, envelope.Settled, 4)
		if n := spread(t, s); n != 1 {
			t.Errorf("%d envelopes have news, want the one that was refunded", n)
		}
	})
}

// TestAnApprovalNamesWhatItApproves (FS14).
func TestAnApprovalNamesWhatItApproves(t *testing.T) {
	w := servers.World(t, 1)
	s, tr := held(t, w)
	p, err := s.Desk().Propose(t.Context(), tr.No(), "ann", decision.ActionRedirect, "carl")
	if err != nil || p.Action != decision.ActionRedirect || p.Payee != "carl" || p.By != "ann" || time.Since(p.At).Abs() > time.Minute {
		t.Fatalf("proposed: %+v, %v", p, err)
	}
	other := p
	for field, seen := range map[string]func(*decision.Proposal){
		"action": func(p *decision.Proposal) { p.Action, p.Payee = decision.ActionRelease, "" },
		"payee":  func(p *decision.Proposal) { p.Payee = "dora" },
		"time":   func(p *decision.Proposal) { p.At = p.At.Add(-time.Millisecond) },
		"all":    func(p *decision.Proposal) { *p = decision.Proposal{} },
	} {
		other = p
		seen(&other)
		_, err := s.Desk().Approve(t.Context(), tr.No(), "bob", other)
		wantInvalid(t, err, "proposal")
		if !strings.Contains(err.Error(), "redirect to carl, proposed by ann at ") {
			t.Errorf("%s: %v, want it to say what stands", field, err)
		}
	}
	for _, name := range []string{"Ann", "ANN", "ａｎｎ", "ann ", " ann", "", "ånn", strings.Repeat("a", 65)} {
		_, err := s.Desk().Approve(t.Context(), tr.No(), name, p)
		wantInvalid(t, err, "approved_by")
		wantInvalid(t, proposing(t, s, tr.No(), name, decision.ActionRelease, ""), "proposed_by")
	}
	if next, err := s.Desk().Approve(t.Context(), tr.No(), "bob", p); err != nil || next.Payee != "carl" {
		t.Errorf("approved as %+v, %v", next, err)
	}
	carryOut(t, s)
}

// TestWithdrawnProposalStaysListed (FS14).
func TestWithdrawnProposalStaysListed(t *testing.T) {
	w := servers.World(t, 1)
	s, tr := held(t, w)
	no := tr.No()
	wantInvalid(t, s.Desk().Withdraw(t.Context(), no, "ann"), "transfer")
	first, err := s.Desk().Propose(t.Context(), no, "ann", decision.ActionRelease, "")
	if err != nil {
		t.Fatal(err)
	}
	wantInvalid(t, s.Desk().Withdraw(t.Context(), no, "bob"), "withdrawn_by")
	for range 2 {
		if err := s.Desk().Withdraw(t.Context(), no, "ann"); err != nil {
			t.Error(err)
		}
	}
	_, err = s.Desk().Approve(t.Context(), no, "bob", first)
	wantInvalid(t, err, "transfer")
	if err := proposing(t, s, no, "bob", decision.ActionRelease, ""); err != nil {
		t.Fatal(err)
	}
	exec(t, w.Admin(t, 0), "UPDATE decision SET proposed_at = proposed_at - INTERVAL 24 HOUR WHERE state = 'standing'")
	if err := proposing(t, s, no, "cat", decision.ActionRelease, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := approve(t, s, no, "ann"); err != nil {
		t.Fatal(err)
	}
	for _, of := range []string{no, ""} {
		ds, err := s.Desk().Decisions(t.Context(), of, 10)
		if err != nil || len(ds) != 3 {
			t.Fatalf("%d decisions, %v, want 3", len(ds), err)
		}
		for i, want := range []struct{ state, by, decided string }{{"approved", "cat", "ann"}, {"lapsed", "bob", ""}, {"withdrawn", "ann", "ann"}} {
			if d := ds[i]; d.State != want.state || d.By != want.by || d.DecidedBy != want.decided || d.No != no || d.DecidedAt.IsZero() {
				t.Errorf("decision %d: %+v, want %v", i, d, want)
			}
		}
	}
	if _, err := s.Desk().Decisions(t.Context(), "nonsense", 10); !errors.Is(err, envelope.ErrNotFound) {
		t.Errorf("decisions about nonsense: %v", err)
	}
	carryOut(t, s)
}

// TestHeldTransfersAreListedInFull (FS16).
func TestHeldTransfersAreListedInFull(t *testing.T) {
	w := servers.World(t, 1)
	s := w.Router.Sets()[0]
	for i, amount := range []envelope.Fen{100, 300, 200} {
		e := w.Active(t, 0, envelope.Order{Total: amount, Count: 1, Sender: envelope.UserID("sender-" + string(rune('a'+i)))})
		open(t, s, requests(e.ID, "u"))
		spread(t, s)
		words := say(envelope.ProgressRefused, claim(t, s, 10)...)
		if i == 1 {
			words[0].Code = "OTHER"
		}
		hear(t, s, words)
	}
	exec(t, w.Admin(t, 0), "UPDATE transfer SET due_at = due_at - INTERVAL 2 HOUR WHERE amount_fen = 200")
	for _, c := range []struct {
		q    decision.HeldQuery
		want []envelope.Fen
	}{
		{decision.HeldQuery{Max: 10}, []envelope.Fen{300, 200, 100}},
		{decision.HeldQuery{Max: 2}, []envelope.Fen{300, 200}},
		{decision.HeldQuery{Sort: decision.HeldByAge, Max: 10}, []envelope.Fen{200, 100, 300}},
		{decision.HeldQuery{Sort: decision.HeldByReason, Max: 10}, []envelope.Fen{200, 100, 300}},
		{decision.HeldQuery{Reason: "OTHER", Max: 10}, []envelope.Fen{300}},
	} {
		list, err := s.Desk().Held(t.Context(), c.q)
		if err != nil || len(list) != len(c.want) {
			t.Fatalf("%+v: %+v, %v", c.q, list, err)
		}
		for i, h := range list {
			sender := map[envelope.Fen]envelope.UserID{100: "sender-a", 300: "sender-b", 200: "sender-c"}[h.Amount]
			age := h.Now.Sub(h.Since)
			if h.Amount != c.want[i] || h.Sender != sender || (h.Amount == 200) != (age > time.Hour) {
				t.Errorf("%+v: row %d is %+v", c.q, i, h)
			}
		}
	}
}
