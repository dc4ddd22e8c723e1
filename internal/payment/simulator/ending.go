package simulator

import (
	"cmp"
	"context"
	"time"

	"hongbao/internal/payment/simulator/dispatch"
	"hongbao/internal/payment/simulator/ledger"
	"hongbao/internal/payment/simulator/lies"
	"hongbao/internal/payment/simulator/states"
)

// awaitBatch has a batch carried out when it is due.
func (s *Simulator) awaitBatch(p *ledger.PayoutBatch) {
	no := p.No
	s.moves.At(s.in(p.DueAt.Sub(p.At), p.At), func(ctx context.Context) { s.endBatch(ctx, no) })
}

// endBatch takes all of a batch to its end, and queues its notification.
func (s *Simulator) endBatch(ctx context.Context, no string) {
	s.end(ctx, dispatch.Event{Kind: ledger.KindBatch, No: no}, func(b *ledger.Book) *ledger.Record {
		p := b.Batches[no]
		if p.End != "" {
			return nil
		}
		r := &ledger.Record{Kind: ledger.BatchEnded, No: no, At: s.cfg.Now(), End: states.BatchFinished}
		decided := len(p.Details)
		if s.liar.Tells(lies.Operation{Kind: ledger.KindPayout, No: no}, lies.BatchClosed) {
			r.End, decided = states.Closed, decided/2
		}
		for i := range p.Details {
			reason, again := states.ReasonOverdue, false
			if i < decided {
				reason, again = s.luck(lies.Operation{Kind: ledger.KindPayout, No: p.Details[i].No, Party: p.Details[i].OpenID})
			}
			if reason != "" {
				r.Failed = append(r.Failed, ledger.Failure{Detail: i, Reason: reason})
			}
			if again {
				r.TwiceOf = append(r.TwiceOf, i)
			}
		}
		return r
	})
}

// endRefund carries a refund out, or tells why not, and queues its notification.
func (s *Simulator) endRefund(ctx context.Context, no string) {
	s.end(ctx, dispatch.Event{Kind: ledger.KindRefund, No: no}, func(b *ledger.Book) *ledger.Record {
		if b.Refunds[no].End != "" {
			return nil
		}
		r := &ledger.Record{Kind: ledger.RefundEnded, No: no, At: s.cfg.Now(), End: states.RefundSuccess}
		about := lies.Operation{Kind: ledger.KindRefund, No: no}
		switch lie, how := s.liar.Tell(about, lies.AbnormalFirst, lies.RefuseClosed, lies.RefuseRefund); lie {
		case lies.AbnormalFirst:
			r.End = states.RefundAbnormal
			s.moves.At(time.Now().Add(lies.Milliseconds(how.LaterMS)), func(ctx context.Context) { s.finishRefund(ctx, no, states.RefundSuccess) })
		case lies.RefuseClosed:
			r.End = states.RefundAbnormal
		case lies.RefuseRefund:
			r.End = states.RefundClosed
		default:
			r.Twice = s.liar.Tells(about, lies.Twice)
		}
		return r
	})
}

// finishRefund is what the merchant does about an abnormal refund: it goes to
// another account of the payer, or is closed.
func (s *Simulator) finishRefund(ctx context.Context, no, end string) {
	s.end(ctx, dispatch.Event{Kind: ledger.KindRefund, No: no}, func(b *ledger.Book) *ledger.Record {
		if f := b.Refunds[no]; f == nil || f.End != states.RefundAbnormal || !f.MayEnd(end) {
			return nil
		}
		return &ledger.Record{Kind: ledger.RefundEnded, No: no, At: s.cfg.Now(), End: end}
	})
}

// end takes something to its end and queues its notification, unless decide
// returns nil: another task was first.
func (s *Simulator) end(ctx context.Context, e dispatch.Event, decide func(*ledger.Book) *ledger.Record) {
	var ended bool
	err := s.journal.Commit(ctx, func(b *ledger.Book) (*ledger.Record, error) {
		r := decide(b)
		ended = r != nil
		return r, nil
	})
	if err != nil {
		s.cfg.Log.Error("not ended", "kind", e.Kind, "no", e.No, "error", err)
		return
	}
	if ended {
		s.notify(e)
	}
}

// confirmTransfer takes the payee's word and has the money moved a moment later.
func (s *Simulator) confirmTransfer(ctx context.Context, token string) (ledger.Transfer, error) {
	var fresh *ledger.Record
	err := s.journal.Commit(ctx, func(b *ledger.Book) (*ledger.Record, error) {
		r, err := b.Confirm(token, s.cfg.Now())
		fresh = r
		return r, err
	})
	// A repeat must not end the transfer sooner than the first asked for.
	if err == nil && fresh != nil {
		s.moves.At(time.Now().Add(s.cfg.TransferAfter), func(ctx context.Context) { s.endTransfer(ctx, fresh.No) })
	}
	t, findErr := s.journal.Book.TransferByToken(token)
	return t, cmp.Or(err, findErr)
}

// endTransfer takes a transfer to its end, whichever is next, and queues its
// notification: the payee's money, the merchant's cancellation, or the end of
// the payee's time.
func (s *Simulator) endTransfer(ctx context.Context, no string) {
	s.end(ctx, dispatch.Event{Kind: ledger.KindPayout, No: no}, func(b *ledger.Book) *ledger.Record {
		t := b.Transfers[no]
		if t.End != "" {
			return nil
		}
		r := &ledger.Record{Kind: ledger.TransferEnded, No: no, At: s.cfg.Now(), End: states.Transferred}
		switch {
		case t.Canceling:
			r.End = states.Cancelled
		case !t.Confirmed:
			r.End, r.Reason = states.Failed, states.ReasonOverdue
		default:
			if r.Reason, r.Twice = s.luck(lies.Operation{Kind: ledger.KindPayout, No: no, Party: t.OpenID}); r.Reason != "" {
				r.End = states.Failed
			}
		}
		return r
	})
}

// luck says why a payout that nothing else stops is refused all the same, or
// whether its money moves two times. Without lies it is neither.
func (s *Simulator) luck(about lies.Operation) (reason string, again bool) {
	switch lie, _ := s.liar.Tell(about, lies.RefuseLimit, lies.RefuseClosed); lie {
	case lies.RefuseLimit:
		return states.ReasonLimit, false
	case lies.RefuseClosed:
		return states.ReasonClosed, false
	}
	return "", s.liar.Tells(about, lies.Twice)
}
