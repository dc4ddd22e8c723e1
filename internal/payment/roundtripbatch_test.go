package payment_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongbao/envelope"
	"hongbao/internal/payment"
)

// batchOf is a batch of so many payouts of one order.
func batchOf(n, payouts int) envelope.PayoutBatch {
	b := envelope.PayoutBatch{No: envelope.PayoutBatchNo(envelope.TransferNo(orderNo(n), 1, 1)), CreatedAt: now()}
	for seq := range payouts {
		b.Payouts = append(b.Payouts, payout(n, seq+1))
	}
	return b
}

// carryOutBatch does what a relay does, as carryOut.
func (w *world) carryOutBatch(b envelope.PayoutBatch) envelope.PayoutBatchStatus {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for ctx.Err() == nil {
		status, err := w.client.QueryBatch(ctx, b)
		if err == nil && status.Progress == envelope.ProgressAbsent {
			status, err = w.client.PlaceBatch(ctx, b)
		}
		if err == nil && status.Progress == envelope.ProgressDone {
			return status
		}
	}
	w.t.Fatalf("%s does not end", b.No)
	return envelope.PayoutBatchStatus{}
}

// movedOnce holds that every payout of the batch that was not refused moved once,
// by its own number, and no other did.
func (w *world) movedOnce(b envelope.PayoutBatch, s envelope.PayoutBatchStatus) {
	w.t.Helper()
	heard, err := b.Statuses(&s)
	if err != nil {
		w.t.Error(err)
	}
	times := map[string]int{}
	for _, m := range w.movements() {
		times[m.No]++
	}
	for _, word := range heard {
		if want := map[envelope.Progress]int{envelope.ProgressDone: 1}[word.Progress]; times[word.No] != want {
			w.t.Errorf("%s is %s, and moved %d times", word.No, word.Progress, times[word.No])
		}
	}
}

func TestBatchesPayOutAndStandInTheBills(t *testing.T) {
	w, ctx := newWorld(t, nil), context.Background()
	w.paid(1)
	b := batchOf(1, envelope.PayoutBatchMax)
	first, err := w.client.PlaceBatch(ctx, b)
	if err != nil || first.No != b.No {
		t.Fatalf("%+v, %v", first, err)
	}
	said := next(t, w.batches)
	end := envelope.PayoutBatchStatus{No: b.No, Progress: envelope.ProgressDone, ProviderNo: first.ProviderNo, Paid: envelope.PayoutBatchMax, PaidAmount: b.Total()}
	want := end
	want.Count, want.Total = envelope.PayoutBatchMax, b.Total() // which only a notification says
	if diff := cmp.Diff(want, said); diff != "" {
		t.Errorf("notified of %s", diff)
	}
	again, err := w.client.PlaceBatch(ctx, b)
	asked, askErr := w.client.QueryBatch(ctx, b)
	if err != nil || askErr != nil || !cmp.Equal(again, end) || !cmp.Equal(asked, end) {
		t.Errorf("again: %+v, %v; asked: %+v, %v", again, err, asked, askErr)
	}
	w.movedOnce(b, said)
	w.checkBills(1 + envelope.PayoutBatchMax)
}

// TestLiesAboutBatchesMoveMoneyOnce tells each lie about placing
// a batch, executed or not, and then carries it out as a relay does (FG1).
func TestLiesAboutBatchesMoveMoneyOnce(t *testing.T) {
	w := newWorld(t, nil)
	hasty := w.newClient(func(cfg *payment.Config) { cfg.Timeout = 500 * time.Millisecond })
	for i, lie := range []string{"timeout_after", "timeout_before", "timeout_later", "execute_later", "unknown_code", "unknown_code_after", "outage",
		"unknown_state", "unsigned_answer", "wrongly_signed_answer", "not_enough"} {
		b := batchOf(i+1, 3)
		w.lie(lie, "payout")
		s, err := hasty.PlaceBatch(context.Background(), b)
		busy, short := errors.AsType[*envelope.BusyError](err)
		if short != (lie == "not_enough") || short && busy.Reason != "payment_funds" || !short && !errors.Is(err, envelope.ErrUnknownOutcome) {
			t.Errorf("%s: %+v, %v", lie, s, err)
		}
		s = w.carryOutBatch(b)
		if s.Paid != len(b.Payouts) {
			t.Errorf("%s: ends as %+v", lie, s)
		}
		w.movedOnce(b, s)
	}
}

// TestRefusedPayoutsOfABatchAreDistinct: one payee takes no more, and
// the others are paid (FG16, FG17).
func TestRefusedPayoutsOfABatchAreDistinct(t *testing.T) {
	w := newWorld(t, nil)
	for i, row := range []struct{ lie, code string }{
		{"refuse_limit", "REALNAME_ACCOUNT_RECEIVED_QUOTA_EXCEED"}, {"refuse_closed", "PAYEE_ACCOUNT_ABNORMAL"},
	} {
		b := batchOf(i+1, 130)
		w.lie(row.lie, "payout")
		s := w.carryOutBatch(b)
		if len(s.Refused) != 1 || s.Refused[0].Code != row.code || s.ProviderNo == "" {
			t.Errorf("%s: %+v", row.lie, s)
		}
		w.movedOnce(b, s)
		if said := next(t, w.batches); said.No != b.No || said.Progress != envelope.ProgressUnknown {
			t.Errorf("%s: notified of %+v", row.lie, said)
		}
	}
}

func TestClosedBatchesAccountForEachPayout(t *testing.T) {
	w := newWorld(t, nil)
	b := batchOf(1, 300)
	w.lie("batch_closed", "payout")
	s := w.carryOutBatch(b)
	if s.Paid != 150 || len(s.Refused) != 150 || s.Refused[0].Code != "OVERDUE_CLOSE" {
		t.Errorf("%d paid, %d refused: %+v", s.Paid, len(s.Refused), s)
	}
	w.movedOnce(b, s)
	if said := next(t, w.batches); said.No != b.No || said.Progress != envelope.ProgressUnknown {
		t.Errorf("notified of %+v", said)
	}
}

// TestOtherTermsUnderABatchNoGetTheFirst is as with one transfer (FG2).
func TestOtherTermsUnderABatchNoGetTheFirst(t *testing.T) {
	w := newWorld(t, nil)
	b := batchOf(1, 3)
	w.carryOutBatch(b)
	changed := w.newClient(func(cfg *payment.Config) { cfg.Payouts.Remark = "another" })
	if s, err := changed.PlaceBatch(context.Background(), b); err != nil || s.Progress != envelope.ProgressDone {
		t.Errorf("%+v, %v, want what became of the first", s, err)
	}
	b.Payouts[2].Amount++
	if s, err := changed.PlaceBatch(context.Background(), b); !errors.Is(err, envelope.ErrUnknownOutcome) {
		t.Errorf("another amount: %+v, %v, want an unknown outcome", s, err)
	}
}

// TestLyingBatchCallbacksChangeNothing: what is forged is refused, what
// is of a fen too much contradicts the batch, and the truth comes after (FF3).
func TestLyingBatchCallbacksChangeNothing(t *testing.T) {
	w := newWorld(t, nil)
	for i, lie := range []string{"forged_callback", "probe_callback", "wrong_amount"} {
		b, refused := batchOf(i+1, 3), int32(i+1)
		w.lie(lie, "payout")
		if _, err := w.client.PlaceBatch(context.Background(), b); err != nil {
			t.Fatal(err)
		}
		said := next(t, w.batches)
		if lie == "wrong_amount" {
			if _, err := b.Statuses(&said); !errors.Is(err, envelope.ErrTransferConflict) || said.Total != b.Total()+1 {
				t.Errorf("of a fen too much: %+v, %v", said, err)
			}
			said, refused = next(t, w.batches), refused-1
		}
		if said.Progress != envelope.ProgressDone || w.refused.Load() != refused {
			t.Errorf("%s: notified of %+v after %d refusals", lie, said, w.refused.Load())
		}
		w.movedOnce(b, said)
	}
}
