package orderset_test

import (
	"testing"
	"time"

	"hongbao/envelope"
	"hongbao/orderset"
	"hongbao/orderset/decision"
	"hongbao/orderset/owed"
)

// sayOf is one word about a transfer, in answer to the claim that returned it.
func sayOf(p envelope.Progress, code string, wait time.Duration, t envelope.Transfer) []envelope.TransferUpdate {
	return []envelope.TransferUpdate{{
		TransferStatus: envelope.TransferStatus{No: t.No(), Progress: p, Amount: t.Amount, ProviderNo: "wx" + t.No()[10:], Code: code},
		Wait:           wait, Attempt: t.Attempts,
	}}
}

func stuckCount(t testing.TB, s *orderset.Set) int {
	t.Helper()
	b, err := s.Owed().Backlog(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return b[owed.TopicTransfer].Stuck
}

// An abnormal refund is the provider's still: it is asked about, people see it and
// can not release it, and its end under the same number is no dispute (FS8).
func TestAbnormalRefundKeepsItsNumber(t *testing.T) {
	for _, end := range []envelope.Progress{envelope.ProgressDone, envelope.ProgressRefused, envelope.ProgressUnderWay} {
		t.Run(string(end), func(t *testing.T) {
			w := servers.World(t, 1)
			s := w.Router.Sets()[0]
			e := expired(t, w, envelope.Order{Total: 1000, Count: 10})
			refund := claim(t, s, 10)[0]
			for range 2 {
				hear(t, s, sayOf(envelope.ProgressStuck, "ABNORMAL", 0, refund))
			}
			if r := transfer(t, w, e.ID, 0); r.State != envelope.Stuck || r.Reason != "ABNORMAL" || !r.Placed || stuckCount(t, s) != 1 {
				t.Fatalf("it is %+v", r)
			}
			wantInvalid(t, proposing(t, s, refund.No(), "ann", decision.ActionRelease, ""), "transfer")
			again := claim(t, s, 10)
			if len(again) != 1 || again[0].No() != refund.No() || !again[0].Placed || again[0].Attempts != 2 {
				t.Fatalf("asked about: %+v", again)
			}
			hear(t, s, say(envelope.ProgressUnknown, refund)) // says nothing, nor that it is over
			if r := transfer(t, w, e.ID, 0); r.State != envelope.Stuck || r.Reason != "ABNORMAL" {
				t.Errorf("it is %+v", r)
			}
			hear(t, s, sayOf(end, "CLOSED", time.Hour, refund)) // by notification, or asked
			r := transfer(t, w, e.ID, 0)
			switch end {
			case envelope.ProgressDone:
				if r.State != envelope.Posted || r.Round != 1 || r.Reason != "" {
					t.Errorf("it is %+v", r)
				}
				wantState(t, w, e.ID, envelope.Settled, 4)
			case envelope.ProgressRefused:
				if r.State != envelope.Held || r.Reason != "CLOSED" {
					t.Errorf("it is %+v", r)
				}
				if err := proposing(t, s, refund.No(), "ann", decision.ActionRelease, ""); err != nil {
					t.Errorf("closed, it can be released: %v", err)
				}
			default:
				if r.State != envelope.Pending || r.Reason != "" || stuckCount(t, s) != 0 {
					t.Errorf("it is %+v", r)
				}
			}
			if ds, err := s.Desk().Disputes(t.Context(), 10); err != nil || len(ds) > 0 {
				t.Errorf("disputes: %+v, %v", ds, err)
			}
			w.CheckBooks(t)
		})
	}
}

// A payout that is refused for how it is asked for stays due, is counted with its
// cause, and is asked for again under its number. People may pay another instead,
// but not while it is being asked for, and never twice (FS9, I7).
func TestRejectedPayoutIsStuckWithItsCause(t *testing.T) {
	w := servers.World(t, 1)
	s, ts := owing(t, w, 3)
	hear(t, s, sayOf(envelope.ProgressRejected, "NO_AUTH", 0, ts[0]))
	hear(t, s, sayOf(envelope.ProgressRejected, "PARAM_ERROR", time.Hour, ts[1]))
	hear(t, s, say(envelope.ProgressDone, ts[2]))
	if r := transfer(t, w, ts[0].OrderNo, 1); r.State != envelope.Stuck || r.Reason != "NO_AUTH" || r.Placed || stuckCount(t, s) != 2 {
		t.Fatalf("it is %+v, %d stuck", r, stuckCount(t, s))
	}
	again := claim(t, s, 10)
	if len(again) != 1 || again[0].No() != ts[0].No() || again[0].Placed {
		t.Fatalf("asked for again: %+v", again)
	}
	// While it is being asked for no other can be paid, and an answer to an earlier
	// claim does not change that.
	wantInvalid(t, proposing(t, s, ts[0].No(), "ann", decision.ActionRedirect, "carl"), "transfer")
	hear(t, s, sayOf(envelope.ProgressRejected, "NO_AUTH", 0, ts[0]))
	wantInvalid(t, proposing(t, s, ts[0].No(), "ann", decision.ActionRedirect, "carl"), "transfer")
	hear(t, s, sayOf(envelope.ProgressDone, "", 0, again[0]))
	if r := transfer(t, w, ts[0].OrderNo, 1); r.State != envelope.Posted {
		t.Errorf("its cause is gone, and it is %+v", r)
	}
	if err := proposing(t, s, ts[1].No(), "ann", decision.ActionRedirect, "carl"); err != nil {
		t.Fatalf("never accepted, and not to be redirected: %v", err)
	}
	w.CheckBooks(t)
}

// A batch that the provider does not take counts with all that is in it (FS9).
func TestRejectedBatchIsStuckWithItsCause(t *testing.T) {
	w := servers.World(t, 1)
	s, e, b := owedBatch(t, w, 5)
	word := putOff(b.No, envelope.ProgressRejected, 0)
	word.Code, word.Attempt = "INVALID_REQUEST", b.Attempts
	put := func() {
		t.Helper()
		if err := s.Owed().PutOffBatch(t.Context(), word); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		put()
	}
	if n := stuckCount(t, s); n != 5 {
		t.Errorf("%d are stuck, want 5", n)
	}
	again := claimBatches(t, s, 10)
	if len(again) != 1 || again[0].Placed || len(again[0].Payouts) != 5 {
		t.Fatalf("asked for again: %+v", again)
	}
	word.Progress, word.Code = envelope.ProgressUnknown, ""
	put()
	if again = claimBatches(t, s, 10); stuckCount(t, s) != 5 || len(again) != 1 || !again[0].Placed {
		t.Errorf("nothing was learned, and %d are stuck; claimed %+v", stuckCount(t, s), again)
	}
	word.Progress = envelope.ProgressUnderWay
	put()
	if n := stuckCount(t, s); n != 0 {
		t.Errorf("it was taken, and %d are stuck", n)
	}
	hearBatch(t, s, allPaid(&b))
	wantState(t, w, e.ID, envelope.Settled, 4)
	w.CheckBooks(t)
}

// A charge that can not be asked about is parked with its cause and comes back by
// itself: an envelope that is left unpaid must close some day (FS9).
func TestAParkedChargeComesBackByItself(t *testing.T) {
	w := servers.World(t, 1)
	s := w.Router.Sets()[0]
	w.Unpaid(t, 0, envelope.Order{Total: 100, Count: 2})
	var d envelope.Delivery
	eventually(t, 10*time.Second, "the charge is due", func() bool {
		ds, err := s.Owed().ClaimDeliveries(t.Context(), envelope.TopicCharge, 10, lease)
		if err != nil {
			t.Fatal(err)
		}
		if len(ds) == 1 {
			d = ds[0]
		}
		return len(ds) == 1
	})
	parked := func() int {
		t.Helper()
		b, err := s.Owed().Backlog(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return b[string(envelope.TopicCharge)].Stuck
	}
	if err := s.Owed().ParkDelivery(t.Context(), d, time.Millisecond, "NO_AUTH"); err != nil {
		t.Fatal(err)
	}
	if list, err := s.Owed().ParkedDeliveries(t.Context(), 10); err != nil || len(list) != 1 || list[0].Reason != "NO_AUTH" || parked() != 1 {
		t.Errorf("parked: %+v, %v", list, err)
	}
	time.Sleep(5 * time.Millisecond)
	ds, err := s.Owed().ClaimDeliveries(t.Context(), envelope.TopicCharge, 10, lease)
	if err != nil || len(ds) != 1 || ds[0].ID != d.ID || ds[0].Attempts != d.Attempts+1 || parked() != 0 {
		t.Fatalf("came back as %+v, %v", ds, err)
	}
	if err := s.Owed().ParkDelivery(t.Context(), ds[0], 0, "for ever"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(5 * time.Millisecond)
	if ds, err := s.Owed().ClaimDeliveries(t.Context(), envelope.TopicCharge, 10, lease); err != nil || len(ds) > 0 || parked() != 1 {
		t.Errorf("parked for people, and claimed: %+v, %v", ds, err)
	}
}

// A batch that the provider never took is dissolved by two people: its payouts go
// on, each in a batch of its own under the number of its next round, and the old
// batch is never asked for again (FS9, I7).
func TestTwoPeopleDissolveARejectedBatch(t *testing.T) {
	w := servers.World(t, 1)
	s, e, b := owedBatch(t, w, 3)
	reject := func(b *envelope.PayoutBatch) {
		t.Helper()
		word := putOff(b.No, envelope.ProgressRejected, 0)
		word.Code, word.Attempt = "INVALID_REQUEST", b.Attempts
		if err := s.Owed().PutOffBatch(t.Context(), word); err != nil {
			t.Fatal(err)
		}
	}
	approve := func(by string) error { return s.Desk().ApproveDissolve(t.Context(), b.No, by) }
	wantInvalid(t, s.Desk().ProposeDissolve(t.Context(), b.No, "ann"), "batch") // it is not stuck
	stuck := putOff(b.No, envelope.ProgressStuck, 0)
	stuck.Code = "NEVER_SEEN"
	if err := s.Owed().PutOffBatch(t.Context(), stuck); err != nil {
		t.Fatal(err)
	}
	wantInvalid(t, s.Desk().ProposeDissolve(t.Context(), b.No, "ann"), "batch") // the provider may have it
	reject(&b)
	wantInvalid(t, approve("bob"), "batch") // nothing is proposed
	for range 2 {
		if err := s.Desk().ProposeDissolve(t.Context(), b.No, "ann"); err != nil {
			t.Fatal(err)
		}
	}
	wantInvalid(t, approve("Ann"), "approved_by")
	claimed := claimBatches(t, s, 1)
	wantInvalid(t, approve("bob"), "batch") // it is on its way there again
	if len(claimed) != 1 || claimed[0].No != b.No {
		t.Fatalf("claimed %+v", claimed)
	}
	reject(&b) // in answer to the earlier claim
	wantInvalid(t, approve("bob"), "batch")
	reject(&claimed[0])
	_, batches, err := s.Desk().Stuck(t.Context(), 10)
	if err != nil || len(batches) != 1 || !batches[0].Rejected || batches[0].Proposal == nil || batches[0].Proposal.By != "ann" || batches[0].Count != 3 || batches[0].Reason != "INVALID_REQUEST" {
		t.Errorf("stuck: %+v, %v", batches, err)
	}
	for range 2 {
		if err := approve("bob"); err != nil {
			t.Fatal(err)
		}
	}
	wantInvalid(t, approve("carl"), "batch")
	if err := s.Owed().RecordBatch(t.Context(), envelope.PayoutBatchStatus{No: b.No, Progress: envelope.ProgressUnknown}); err != nil {
		t.Errorf("late news that says nothing: %v", err)
	}
	w.CheckBooks(t)
	next := claimBatches(t, s, 10)
	if len(next) != 3 {
		t.Fatalf("%d batches go on, want one a payout", len(next))
	}
	for i := range next {
		p := next[i].Payouts
		if len(p) != 1 || p[0].Round != 2 || next[i].No != envelope.PayoutBatchNo(p[0].No()) || next[i].Placed || stuckCount(t, s) != 0 {
			t.Errorf("goes on as %+v", next[i])
		}
		hearBatch(t, s, allPaid(&next[i]))
	}
	wantState(t, w, e.ID, envelope.Settled, 4)
	if err := s.Owed().RecordBatch(t.Context(), allPaid(&b)); err == nil {
		t.Error("that the old batch was paid after all is no dispute")
	}
	if _, err := s.Desk().Disputes(t.Context(), 10); err != nil {
		t.Error(err)
	}
	if err := s.Desk().ProposeDissolve(t.Context(), "B"+b.No, "ann"); err == nil {
		t.Error("a batch that is none is to be dissolved")
	}
}

// What is stuck is asked for again when people say that its cause is gone, but not
// while it is on its way (FS9).
func TestStuckIsRetriedByAnOperator(t *testing.T) {
	w := servers.World(t, 1)
	s, ts := owing(t, w, 2)
	hear(t, s, sayOf(envelope.ProgressRejected, "NO_AUTH", time.Hour, ts[0]))
	hear(t, s, sayOf(envelope.ProgressRejected, "NO_AUTH", time.Hour, ts[1]))
	causes, err := s.Desk().Causes(t.Context())
	if err != nil || causes[owed.TopicTransfer]["NO_AUTH"] != 2 {
		t.Errorf("causes: %v, %v", causes, err)
	}
	retry := func(no string, want int) {
		t.Helper()
		if err := s.Desk().Retry(t.Context(), no); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Owed().ClaimTransfers(t.Context(), 10, 20*time.Second); err != nil || len(got) != want {
			t.Errorf("retried %q: claimed %+v, %v, want %d", no, got, err, want)
		}
	}
	retry(ts[0].No(), 1)
	retry(ts[0].No(), 0) // it is on its way
	retry("", 1)
	hear(t, s, say(envelope.ProgressDone, ts...))
	wantInvalid(t, s.Desk().Retry(t.Context(), ts[0].No()), "no")
	if s.Desk().Retry(t.Context(), "nothing") == nil {
		t.Error("what is no number is retried")
	}
	w.CheckBooks(t)
}

// While the provider is out a relay claims one at a time: were those stuck ones,
// nothing that could succeed would be tried (FS9).
func TestStuckIsProbedAfterPending(t *testing.T) {
	w := servers.World(t, 1)
	s, ts := owing(t, w, 20)
	for _, tr := range ts[:19] {
		hear(t, s, sayOf(envelope.ProgressRejected, "PARAM_ERROR", 0, tr))
	}
	hear(t, s, sayOf(envelope.ProgressUnderWay, "", 0, ts[19]))
	if got := claim(t, s, 1); len(got) != 1 || got[0].No() != ts[19].No() {
		t.Errorf("probed %+v, want what is pending", got)
	}
	hear(t, s, say(envelope.ProgressDone, ts[19]))
	if got := claim(t, s, 1); len(got) != 1 || got[0].State != envelope.Stuck {
		t.Errorf("probed %+v, want one that is stuck", got)
	}
	if got := claim(t, s, 100); len(got) != 18 {
		t.Errorf("claimed %d, want all the others", len(got))
	}
	w.CheckBooks(t)
}
