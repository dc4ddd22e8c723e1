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

// allPaid is the status of a batch that is done, with no payout refused.
func allPaid(b *envelope.PayoutBatch) envelope.PayoutBatchStatus {
	return envelope.PayoutBatchStatus{No: b.No, Progress: envelope.ProgressDone, ProviderNo: "wx" + b.No[20:], Paid: len(b.Payouts), PaidAmount: b.Total()}
}

// but is a word in which some payouts of the batch, by their positions, are refused.
func but(b *envelope.PayoutBatch, refused ...int) envelope.PayoutBatchStatus {
	s := allPaid(b)
	for _, i := range refused {
		p := &b.Payouts[i]
		s.Paid, s.PaidAmount = s.Paid-1, s.PaidAmount-p.Amount
		s.Refused = append(s.Refused, envelope.TransferStatus{No: p.No(), Progress: envelope.ProgressRefused, Code: "ACCOUNT_FROZEN"})
	}
	return s
}

// hearBatch records a word that contradicts nothing.
func hearBatch(t testing.TB, s *orderset.Set, status envelope.PayoutBatchStatus) {
	t.Helper()
	if err := s.Owed().RecordBatch(t.Context(), status); err != nil {
		t.Fatalf("hear %s: %v", status.No, err)
	}
}

// owedBatch is an empty envelope whose shares, each of 50 fen, are in one batch
// that has been claimed.
func owedBatch(t testing.TB, w *settest.World, n int) (*orderset.Set, envelope.Envelope, envelope.PayoutBatch) {
	t.Helper()
	s := batching(t, w)
	e := opened(t, w, s, 50, n, n)
	spread(t, s)
	bs := claimBatches(t, s, 10)
	if len(bs) != 1 || len(bs[0].Payouts) != n {
		t.Fatalf("claimed %+v, want one batch of %d", bs, n)
	}
	return s, e, bs[0]
}

// owedRows tells whether anything that is owed has changed.
func owedRows(t testing.TB, w *settest.World) int64 {
	t.Helper()
	return count(t, w.Admin(t, 0), "SELECT (SELECT COALESCE(SUM(CRC32(CONCAT_WS(',', order_id, seq, round, state, placed, batch, posted_at, due_at, provider_no, reason))), 0) FROM transfer) + "+
		"(SELECT COALESCE(SUM(CRC32(CONCAT_WS(',', no, state, count, total_fen, placed, provider_no, refused, ended_at))), 0) FROM payout_batch)")
}

// TestPaidBatchSettlesOnce: a paid batch posts every payout and settles its envelopes once.
func TestPaidBatchSettlesOnce(t *testing.T) {
	w := servers.World(t, 1)
	s, e, b := owedBatch(t, w, 3)
	alive := opened(t, w, s, 50, 3, 2)
	gone := expired(t, w, envelope.Order{Kind: envelope.Equal, Share: 50, Count: 3}, "ann")
	spread(t, s)
	other := claimBatches(t, s, 10)[0]
	hearBatch(t, s, allPaid(&other))
	wantState(t, w, e.ID, envelope.Empty, 3)
	wantState(t, w, alive.ID, envelope.Active, 3)
	wantState(t, w, gone.ID, envelope.Expired, 4) // the refund is owed
	hear(t, s, say(envelope.ProgressDone, claim(t, s, 10)...))
	wantState(t, w, gone.ID, envelope.Settled, 5)
	hearBatch(t, s, allPaid(&b))
	wantState(t, w, e.ID, envelope.Settled, 4)
	if tr := transfer(t, w, e.ID, 2); tr.State != envelope.Posted || !tr.Placed || tr.ProviderNo != "" {
		t.Errorf("posted as %+v", tr)
	}
	before := owedRows(t, w)
	hearBatch(t, s, allPaid(&b))
	hearBatch(t, s, allPaid(&other))
	if owedRows(t, w) != before {
		t.Error("a repeat has changed what is recorded")
	}
	wantState(t, w, e.ID, envelope.Settled, 4)
	if ds := disputes(t, s); len(ds) > 0 {
		t.Errorf("disputes: %v", ds)
	}
}

// FG17: a payout refused in a batch is held, and goes on alone in a new batch.
func TestRefusedPayoutGoesOnInANewBatch(t *testing.T) {
	w := servers.World(t, 1)
	s, e, b := owedBatch(t, w, 4)
	status := but(&b, 1, 3)
	status.Refused[1].Code = ""
	hearBatch(t, s, status)
	wantState(t, w, e.ID, envelope.Empty, 3)
	held, err := s.Desk().Held(t.Context(), decision.HeldQuery{Max: 10})
	if err != nil || len(held) != 2 || held[0].Reason+held[1].Reason != "ACCOUNT_FROZENrefused" && held[0].Reason+held[1].Reason != "refusedACCOUNT_FROZEN" {
		t.Fatalf("held are %+v, %v", held, err)
	}
	before := owedRows(t, w)
	hearBatch(t, s, status)
	if owedRows(t, w) != before {
		t.Error("a repeat has changed what is recorded")
	}
	for i, action := range []string{decision.ActionRelease, decision.ActionRedirect} {
		payee := envelope.UserID("")
		if action == decision.ActionRedirect {
			payee = "heir"
		}
		no := b.Payouts[1+2*i].No()
		if err := proposing(t, s, no, "ann", action, payee); err != nil {
			t.Fatal(err)
		}
		for range 2 { // a repeat is a result
			if next, err := approve(t, s, no, "bob"); err != nil || next.Round != 2 || next.State != envelope.Pending {
				t.Fatalf("released as %+v, %v", next, err)
			}
		}
	}
	if ts := claim(t, s, 10); len(ts) > 0 {
		t.Errorf("released as bills: %+v", ts)
	}
	again := claimBatches(t, s, 10)
	if len(again) != 2 {
		t.Fatalf("claimed %+v, want a batch for each", again)
	}
	for _, one := range again {
		if len(one.Payouts) != 1 || one.No != envelope.PayoutBatchNo(one.Payouts[0].No()) || one.Placed || one.Attempts != 1 || one.Payouts[0].Round != 2 {
			t.Errorf("claimed as %+v", one)
		}
		hearBatch(t, s, allPaid(&one))
	}
	hearBatch(t, s, status) // the first batch again: it has ended as it was said
	wantState(t, w, e.ID, envelope.Settled, 4)
	if tr := transfer(t, w, e.ID, 4); tr.Payee != "heir" || tr.State != envelope.Posted || tr.Reason != "" {
		t.Errorf("redirected as %+v", tr)
	}
}

// TestNextRoundIsBillOrBatchByConfig: the round after a batch is a bill where payouts are bills, and the other way round.
func TestNextRoundIsBillOrBatchByConfig(t *testing.T) {
	w := servers.World(t, 1)
	bills := w.Router.Sets()[0]
	batches, e, b := owedBatch(t, w, 2)
	hearBatch(t, batches, but(&b, 0))
	release := func(s *orderset.Set, no string) {
		t.Helper()
		if err := proposing(t, s, no, "ann", decision.ActionRelease, ""); err != nil {
			t.Fatal(err)
		}
		if _, err := approve(t, s, no, "bob"); err != nil {
			t.Fatal(err)
		}
	}
	release(bills, b.Payouts[0].No())
	second := claim(t, batches, 10)
	if len(second) != 1 || second[0].No() != b.Payouts[0].No()+"X2" {
		t.Fatalf("claimed %+v, want the second round by itself", second)
	}
	hear(t, batches, say(envelope.ProgressRefused, second...))
	release(batches, second[0].No())
	third := claimBatches(t, bills, 10)
	if len(third) != 1 || third[0].No != "B"+b.Payouts[0].No()+"X3" {
		t.Fatalf("claimed %+v, want the third round in a batch", third)
	}
	hear(t, bills, say(envelope.ProgressRefused, second...)) // late, and no news
	hearBatch(t, bills, allPaid(&third[0]))
	wantState(t, w, e.ID, envelope.Settled, 4)
}

func TestBatchStatusThatDoesNotAddUpIsKept(t *testing.T) {
	w := servers.World(t, 1)
	s, e, b := owedBatch(t, w, 4)
	change := func(f func(*envelope.PayoutBatchStatus)) envelope.PayoutBatchStatus {
		s := but(&b, 2)
		f(&s)
		return s
	}
	words := []envelope.PayoutBatchStatus{
		change(func(s *envelope.PayoutBatchStatus) { s.Paid++ }),
		change(func(s *envelope.PayoutBatchStatus) { s.Paid, s.PaidAmount = 4, 201 }),
		change(func(s *envelope.PayoutBatchStatus) { s.PaidAmount++ }),
		change(func(s *envelope.PayoutBatchStatus) { s.Refused = nil }),
		change(func(s *envelope.PayoutBatchStatus) { s.Refused[0].No = envelope.TransferNo(e.ID, 3, 2) }),
		change(func(s *envelope.PayoutBatchStatus) { *s = envelope.PayoutBatchStatus{No: b.No, Progress: s.Progress} }),
	}
	exec(t, w.Admin(t, 0), "UPDATE payout_batch SET due_at = created_at")
	before := owedRows(t, w)
	for i, word := range words {
		for range 2 {
			if err := s.Owed().RecordBatch(t.Context(), word); !errors.Is(err, envelope.ErrTransferConflict) {
				t.Errorf("word %d: got %v, want a conflict", i, err)
			}
		}
	}
	if owedRows(t, w) != before {
		t.Error("a word that does not add up has changed what is recorded")
	}
	if bs := claimBatches(t, s, 10); len(bs) > 0 {
		t.Errorf("claimed while people look: %+v", bs)
	}
	if rest := count(t, w.Admin(t, 0), "SELECT TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(3), due_at) FROM payout_batch"); rest < 30 || rest > 60 {
		t.Errorf("it rests for %d s, want a minute", rest)
	}
	for _, d := range disputes(t, s) {
		if d.Kind != "transfer" || d.Number != b.No || d.ID != e.ID || d.What == "" {
			t.Errorf("kept as %+v", d)
		}
	}
	if n := len(disputes(t, s)); n < 4 || n > len(words) {
		t.Errorf("%d disputes about %d words", n, len(words))
	}
	hearBatch(t, s, but(&b, 2)) // the truth, in the end
	hearBatch(t, s, but(&b, 2))
	kept := len(disputes(t, s))
	before = owedRows(t, w)
	for _, word := range []envelope.PayoutBatchStatus{allPaid(&b), but(&b, 1, 2)} { // and something else
		if err := s.Owed().RecordBatch(t.Context(), word); !errors.Is(err, envelope.ErrTransferConflict) {
			t.Errorf("got %v, want a conflict", err)
		}
	}
	if owedRows(t, w) != before || len(disputes(t, s)) != kept+2 {
		t.Errorf("%d disputes, want two more than %d, and nothing changed", len(disputes(t, s)), kept)
	}
}

// TestInterimBatchStatusIsNoEnd: an interim status makes a pending batch due at once, and contradicts one that has ended otherwise.
func TestInterimBatchStatusIsNoEnd(t *testing.T) {
	w := servers.World(t, 1)
	s, _, b := owedBatch(t, w, 2)
	word := allPaid(&b)
	word.Progress, word.Count, word.Total = envelope.ProgressUnknown, 2, b.Total()
	hearBatch(t, s, word)
	if bs := claimBatches(t, s, 10); len(bs) != 1 || !bs[0].Placed {
		t.Fatalf("claimed %+v, want the batch again at once", bs)
	}
	other := word
	other.Total++
	if err := s.Owed().RecordBatch(t.Context(), other); !errors.Is(err, envelope.ErrTransferConflict) {
		t.Errorf("of another sum: got %v, want a conflict", err)
	}
	hearBatch(t, s, allPaid(&b))
	hearBatch(t, s, word)
	kept := len(disputes(t, s))
	word.Paid, word.PaidAmount = 0, 0 // taken back
	if err := s.Owed().RecordBatch(t.Context(), word); !errors.Is(err, envelope.ErrTransferConflict) {
		t.Errorf("taken back: got %v, want a conflict", err)
	}
	if ds := disputes(t, s); len(ds) != kept+1 || ds[0].Amount != b.Total() {
		t.Errorf("kept as %+v", ds)
	}
}

func TestOtherSumOfAPaidBatchConflicts(t *testing.T) {
	w := servers.World(t, 1)
	s, _, b := owedBatch(t, w, 2)
	hearBatch(t, s, allPaid(&b))
	word := allPaid(&b)
	word.PaidAmount--
	if err := s.Owed().RecordBatch(t.Context(), word); !errors.Is(err, envelope.ErrTransferConflict) {
		t.Errorf("got %v, want a conflict", err)
	}
}

func TestStatusOfAnUnknownBatchIsKept(t *testing.T) {
	w := servers.World(t, 1)
	s, e, b := owedBatch(t, w, 2)
	for _, no := range []string{
		"", "nonsense", strings.Repeat("B", 200), "\x00' OR 1 --\xff紅包", b.No + "0", b.No[:len(b.No)-1] + "9",
		envelope.PayoutBatchNo(envelope.TransferNo(e.ID, 2, 1)),
	} {
		kept := len(disputes(t, s))
		if err := s.Owed().RecordBatch(t.Context(), envelope.PayoutBatchStatus{No: no, Progress: envelope.ProgressDone, Paid: 1, PaidAmount: 7}); !errors.Is(err, envelope.ErrNotFound) {
			t.Errorf("%q: got %v, want ErrNotFound", no, err)
		}
		if ds := disputes(t, s); len(ds) != kept+1 || ds[0].Amount != 7 {
			t.Errorf("%q: kept as %+v", no, ds)
		}
	}
	word := allPaid(&b)
	for _, p := range []envelope.Progress{envelope.ProgressUnderWay, envelope.ProgressAbsent, ""} {
		if word.Progress = p; s.Owed().RecordBatch(t.Context(), word) == nil {
			t.Errorf("a batch that is %q was recorded", p)
		}
	}
	wantState(t, w, e.ID, envelope.Empty, 3)
}

func TestHostileBatchStatusIsCutToColumns(t *testing.T) {
	w := servers.World(t, 1)
	s, e, b := owedBatch(t, w, 3)
	word := but(&b, 0, 1)
	word.ProviderNo = strings.Repeat("x", 65)
	word.Refused[0].Code, word.Refused[0].Hint = strings.Repeat("\xff紅", 300), "\x00"
	word.Refused[1].Code = "it's \\ over"
	hearBatch(t, s, word)
	if tr := transfer(t, w, e.ID, 1); tr.State != envelope.Held || tr.Reason == "" {
		t.Errorf("stored as %+v", tr)
	}
	if tr := transfer(t, w, e.ID, 2); tr.State != envelope.Held || tr.Reason != "it's \\ over" {
		t.Errorf("stored as %+v", tr)
	}
	if tr := transfer(t, w, e.ID, 3); tr.State != envelope.Posted || tr.ProviderNo != "" {
		t.Errorf("stored as %+v", tr)
	}
}

func TestStatusOfABatchedPayoutConflicts(t *testing.T) {
	w := servers.World(t, 1)
	s, e, b := owedBatch(t, w, 2)
	before := owedRows(t, w)
	for _, p := range []envelope.Progress{envelope.ProgressDone, envelope.ProgressRefused} {
		errs, err := s.Owed().RecordTransfers(t.Context(), say(p, b.Payouts[0]))
		if err != nil || !errors.Is(errs[0], envelope.ErrTransferConflict) {
			t.Errorf("%s: got %v, %v, want a conflict", p, errs, err)
		}
	}
	if owedRows(t, w) != before || len(disputes(t, s)) != 1 {
		t.Errorf("disputes: %v; want one, and nothing changed", disputes(t, s))
	}
	hearBatch(t, s, allPaid(&b))
	wantState(t, w, e.ID, envelope.Settled, 4)
}

func TestIncompleteBatchChangesNothing(t *testing.T) {
	w := servers.World(t, 1)
	s, e, b := owedBatch(t, w, 3)
	admin := w.Admin(t, 0)
	exec(t, admin, "UPDATE transfer SET batch = '' WHERE seq = 2")
	before := owedRows(t, w)
	if err := s.Owed().RecordBatch(t.Context(), allPaid(&b)); err == nil || isBusy(err) || errors.Is(err, envelope.ErrTransferConflict) {
		t.Errorf("got %v, want a fault", err)
	}
	if owedRows(t, w) != before {
		t.Error("something was recorded")
	}
	exec(t, admin, "UPDATE transfer SET batch = '"+b.No+"' WHERE seq = 2")
	hearBatch(t, s, allPaid(&b))
	wantState(t, w, e.ID, envelope.Settled, 4)
}

func TestBatchStatusWithALostCommitIsOnce(t *testing.T) {
	w := servers.World(t, 1)
	for half, fault := range bothFaults {
		for _, statement := range []string{"COMMIT", "UPDATE transfer", "UPDATE (", "UPDATE payout_batch", "SELECT DISTINCT order_id", "START"} {
			t.Run(statement+" "+half, func(t *testing.T) {
				s, e, b := owedBatch(t, w, 3)
				word := but(&b, 1)
				hits := w.Proxies[0].Hits()
				w.Proxies[0].Lose(fault, statement)
				if err := s.Owed().RecordBatch(t.Context(), word); err != nil {
					wantBusy(t, err, "set_unavailable")
					eventually(t, 5*time.Second, "what was lost has let go of its rows", func() bool { return !isBusy(s.Owed().RecordBatch(t.Context(), word)) })
				}
				if w.Proxies[0].Hits() != hits+1 {
					t.Fatal("nothing was lost")
				}
				for seq, state := range []envelope.TransferState{envelope.Posted, envelope.Held, envelope.Posted} {
					if tr := transfer(t, w, e.ID, seq+1); tr.State != state {
						t.Errorf("payout %d is %s, want %s", seq+1, tr.State, state)
					}
				}
			})
		}
	}
	wantHealthyPool(t, w, 0)
	if ds := disputes(t, w.Router.Sets()[0]); len(ds) > 0 {
		t.Errorf("disputes: %v", ds)
	}
}
