package simulator

import (
	"context"
	"net/http"
	"time"

	"hongbao/internal/payment/simulator/refusal"
)

// refundTerms are what the merchant asked for. A repeat has to ask for the same.
type refundTerms struct {
	OrderNo   string `json:"out_trade_no"`
	AmountFen int64  `json:"amount_fen"`
	TotalFen  int64  `json:"total_fen"` // of the charge, as the merchant has it
	Reason    string `json:"reason,omitzero"`
	Account   string `json:"funds_account,omitzero"` // that it is to come from; empty is the provider's choice
	NotifyURL string `json:"notify_url,omitzero"`    // may be absent: then nobody is notified
}

// refund is one refund as it stands.
type refund struct {
	refundTerms
	no       string
	id       string
	at       time.Time
	end      string // one of the states below; empty while it is under way
	endedAt  time.Time
	notified bool
}

// The states of a refund, in the provider's words.
const (
	refundProcessing = "PROCESSING"
	refundSuccess    = "SUCCESS"
	refundAbnormal   = "ABNORMAL" // the payer's account does not take it; the merchant has to act
	refundClosed     = "CLOSED"   // it never happened
)

func (r *refund) state() string {
	if r.end == "" {
		return refundProcessing
	}
	return r.end
}

// mayEnd holds the arrows: what is abnormal ends once more, when the merchant has
// acted.
func (r *refund) mayEnd(end string) bool {
	return end != "" && (r.end == "" || r.end == refundAbnormal && end != refundAbnormal)
}

func (b *book) applyRefund(r *record) (possible bool) {
	f := b.refunds[r.No]
	switch {
	case r.Kind == refundAccepted && f == nil && r.Refund != nil && r.ProviderNo != "":
		o := b.orders[r.Refund.OrderNo]
		// Decided before, and checked again: the file may be another's.
		if o == nil || o.paidAt.IsZero() || o.returnedFen+r.Refund.AmountFen > o.AmountFen {
			return false
		}
		o.returnedFen += r.Refund.AmountFen
		b.refunds[r.No] = &refund{refundTerms: *r.Refund, no: r.No, id: r.ProviderNo, at: r.At}
	case r.Kind == refundEnded && f != nil && f.mayEnd(r.End):
		f.end, f.endedAt, f.notified = r.End, r.At, f.NotifyURL == ""
		// An abnormal one keeps its part of the charge: the payer is still owed.
		if f.end == refundClosed {
			b.orders[f.OrderNo].returnedFen -= f.AmountFen
		}
		if f.end == refundSuccess {
			b.move(r, movement{Kind: kindRefund, ProviderNo: f.id, AmountFen: f.AmountFen})
		}
	case r.Kind == refundNotified && f != nil && f.end != "":
		f.notified = true
	default:
		return false
	}
	return true
}

// acceptRefund decides what a request to refund does: nil, nil is a repeat.
func (b *book) acceptRefund(no string, want *refundTerms, now time.Time) (*record, error) {
	if f := b.refunds[no]; f != nil {
		if f.refundTerms != *want {
			return nil, refusal.Invalid("订单金额或退款金额与之前请求不一致，请核实后再试")
		}
		return nil, nil
	}
	o := b.orders[want.OrderNo]
	switch {
	case o == nil:
		return nil, errNothingToRefund
	case o.paidAt.IsZero():
		return nil, refusal.Invalid("订单未支付，无法退款")
	case o.AmountFen != want.TotalFen:
		return nil, refusal.Invalid("订单金额与支付金额不一致")
	case o.returnedFen+want.AmountFen > o.AmountFen:
		return nil, refusal.Invalid("累计退款金额大于支付金额")
	case len(b.refunds) >= b.max:
		return nil, refusal.ErrFull
	}
	id := providerNo("5030", now, int64(len(b.refunds))+1)
	return &record{Kind: refundAccepted, No: no, At: now, ProviderNo: id, Refund: want}, nil
}

// endRefund carries a refund out, or tells why not, and queues its notification.
func (s *Simulator) endRefund(ctx context.Context, no string) {
	s.end(ctx, event{kindRefund, no}, func(b *book) *record {
		if b.refunds[no].end != "" {
			return nil
		}
		r := &record{Kind: refundEnded, No: no, At: s.cfg.Now(), End: refundSuccess}
		about := operation{kind: kindRefund, no: no}
		switch lie, how := s.liar.tell(about, abnormalFirst, refuseClosed, refuseRefund); lie {
		case abnormalFirst:
			r.End = refundAbnormal
			s.moves.at(time.Now().Add(milliseconds(how.LaterMS)), func(ctx context.Context) { s.finishRefund(ctx, no, refundSuccess) })
		case refuseClosed:
			r.End = refundAbnormal
		case refuseRefund:
			r.End = refundClosed
		default:
			r.Twice = s.liar.tells(about, twice)
		}
		return r
	})
}

// finishRefund is what the merchant does about an abnormal refund: it goes to
// another account of the payer, or is closed.
func (s *Simulator) finishRefund(ctx context.Context, no, end string) {
	s.end(ctx, event{kindRefund, no}, func(b *book) *record {
		if f := b.refunds[no]; f == nil || f.end != refundAbnormal || !f.mayEnd(end) {
			return nil
		}
		return &record{Kind: refundEnded, No: no, At: s.cfg.Now(), End: end}
	})
}

// postFinish presses the merchant's button about an abnormal refund.
func (s *Simulator) postFinish(w http.ResponseWriter, r *http.Request) {
	no, end := r.PathValue("no"), r.FormValue("end")
	f, err := s.journal.book.refund(no)
	switch {
	case err != nil:
	case end != refundSuccess && end != refundClosed:
		err = refusal.BadQuery("end", end, "want "+refundSuccess+" or "+refundClosed)
	case f.end != refundAbnormal && f.end != end:
		err = refusal.Invalid("退款单状态不是退款异常")
	}
	if err != nil {
		s.refuse(w, err)
		return
	}
	s.finishRefund(r.Context(), no, end)
	w.WriteHeader(http.StatusNoContent)
}

// end takes something to its end and queues its notification, unless decide
// returns nil: another task was first.
func (s *Simulator) end(ctx context.Context, e event, decide func(*book) *record) {
	var ended bool
	err := s.journal.commit(ctx, func(b *book) (*record, error) {
		r := decide(b)
		ended = r != nil
		return r, nil
	})
	if err != nil {
		s.cfg.Log.Error("not ended", "kind", e.kind, "no", e.no, "error", err)
		return
	}
	if ended {
		s.notify(e)
	}
}
