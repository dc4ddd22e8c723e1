package simulator

import (
	"context"
	"time"

	"hongbao/internal/payment/simulator/dispatch"
	"hongbao/internal/payment/simulator/ledger"
)

// resume takes up what an earlier life left under way: notifications not taken,
// and refunds, payouts and batches without an end. Nothing else runs yet.
func (s *Simulator) resume() {
	left := s.journal.Book.Unfinished()
	for _, o := range left.Orders {
		s.notify(dispatch.Event{Kind: ledger.KindCharge, No: o.No})
	}
	for _, f := range left.Refunds {
		if f.End != "" {
			s.notify(dispatch.Event{Kind: ledger.KindRefund, No: f.No})
			continue
		}
		s.moves.At(s.in(s.cfg.RefundAfter, f.At), func(ctx context.Context) { s.endRefund(ctx, f.No) })
	}
	for i := range left.Transfers {
		t := &left.Transfers[i]
		switch {
		case t.End != "":
			s.notify(dispatch.Event{Kind: ledger.KindPayout, No: t.No})
		case t.Confirmed || t.Canceling:
			s.moves.At(s.in(s.cfg.TransferAfter, t.UpdatedAt), func(ctx context.Context) { s.endTransfer(ctx, t.No) })
		default:
			s.awaitPayee(t, s.cfg.ConfirmAfter, confirmWaitMax)
		}
	}
	for i := range left.Batches {
		p := &left.Batches[i]
		if p.End != "" {
			s.notify(dispatch.Event{Kind: ledger.KindBatch, No: p.No})
			continue
		}
		s.awaitBatch(p)
	}
}

// in is when a wait ends that began at a time of our clock. An agenda goes by
// the machine's, which a test's clock is not.
func (s *Simulator) in(wait time.Duration, began time.Time) time.Time {
	return time.Now().Add(began.Add(wait).Sub(s.cfg.Now()))
}
