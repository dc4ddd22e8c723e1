package simulator

import (
	"context"
	"time"
)

// resume takes up what an earlier life left under way: notifications not taken,
// and refunds, payouts and batches without an end. Nothing else runs yet.
func (s *Simulator) resume() {
	for no, o := range s.journal.book.orders {
		if !o.paidAt.IsZero() && !o.notified {
			s.notify(event{kindCharge, no})
		}
	}
	for no, f := range s.journal.book.refunds {
		switch {
		case f.end == "":
			s.moves.at(s.in(s.cfg.RefundAfter, f.at), func(ctx context.Context) { s.endRefund(ctx, no) })
		case !f.notified:
			s.notify(event{kindRefund, no})
		}
	}
	for no, t := range s.journal.book.transfers {
		switch {
		case t.end != "" && !t.notified:
			s.notify(event{kindPayout, no})
		case t.end != "":
		case t.confirmed || t.canceling:
			s.moves.at(s.in(s.cfg.TransferAfter, t.updatedAt), func(ctx context.Context) { s.endTransfer(ctx, no) })
		default:
			s.awaitPayee(t, s.cfg.ConfirmAfter, confirmWaitMax)
		}
	}
	for no, p := range s.journal.book.batches {
		switch {
		case p.end == "":
			s.awaitBatch(p)
		case !p.notified:
			s.notify(event{kindBatch, no})
		}
	}
}

// in is when a wait ends that began at a time of our clock. An agenda goes by
// the machine's, which a test's clock is not.
func (s *Simulator) in(wait time.Duration, began time.Time) time.Time {
	return time.Now().Add(began.Add(wait).Sub(s.cfg.Now()))
}
