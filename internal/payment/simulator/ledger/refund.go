package ledger

import (
	"time"

	"hongbao/internal/payment/simulator/refusal"
	"hongbao/internal/payment/simulator/states"
)

// RefundTerms are what the merchant asked for. A repeat has to ask for the same.
type RefundTerms struct {
	OrderNo   string `json:"out_trade_no"`
	AmountFen int64  `json:"amount_fen"`
	TotalFen  int64  `json:"total_fen"` // of the charge, as the merchant has it
	Reason    string `json:"reason,omitzero"`
	Account   string `json:"funds_account,omitzero"` // that it is to come from; empty is the provider's choice
	NotifyURL string `json:"notify_url,omitzero"`    // may be absent: then there is no notification
}

// Refund is one refund as it stands.
type Refund struct {
	RefundTerms
	No       string
	ID       string
	At       time.Time
	End      string // one of the states below; empty while it is under way
	EndedAt  time.Time
	notified bool
}

// State is where the refund is on its way.
func (r *Refund) State() string {
	if r.End == "" {
		return states.RefundProcessing
	}
	return r.End
}

// MayEnd holds the arrows: what is abnormal ends once more, when the merchant has
// acted.
func (r *Refund) MayEnd(end string) bool {
	return end != "" && (r.End == "" || r.End == states.RefundAbnormal && end != states.RefundAbnormal)
}

func (b *Book) applyRefund(r *Record) (possible bool) {
	f := b.Refunds[r.No]
	switch {
	case r.Kind == refundAccepted && f == nil && r.Refund != nil && r.ProviderNo != "":
		o := b.orders[r.Refund.OrderNo]
		// Decided before, and checked again: the file may be another's.
		if o == nil || o.PaidAt.IsZero() || o.returnedFen+r.Refund.AmountFen > o.AmountFen {
			return false
		}
		o.returnedFen += r.Refund.AmountFen
		b.Refunds[r.No] = &Refund{RefundTerms: *r.Refund, No: r.No, ID: r.ProviderNo, At: r.At}
	case r.Kind == RefundEnded && f != nil && f.MayEnd(r.End):
		f.End, f.EndedAt, f.notified = r.End, r.At, f.NotifyURL == ""
		// An abnormal one keeps its part of the charge: the payer still has a claim.
		if f.End == states.RefundClosed {
			b.orders[f.OrderNo].returnedFen -= f.AmountFen
		}
		if f.End == states.RefundSuccess {
			b.move(r, Movement{Kind: KindRefund, ProviderNo: f.ID, AmountFen: f.AmountFen})
		}
	case r.Kind == RefundNotified && f != nil && f.End != "":
		f.notified = true
	default:
		return false
	}
	return true
}

// AcceptRefund decides what a request to refund does: nil, nil is a repeat.
func (b *Book) AcceptRefund(no string, want *RefundTerms, now time.Time) (*Record, error) {
	if f := b.Refunds[no]; f != nil {
		if f.RefundTerms != *want {
			return nil, refusal.Invalid("订单金额或退款金额与之前请求不一致，请核实后再试")
		}
		return nil, nil
	}
	o := b.orders[want.OrderNo]
	switch {
	case o == nil:
		return nil, refusal.ErrNoCharge
	case o.PaidAt.IsZero():
		return nil, refusal.Invalid("订单未支付，无法退款")
	case o.AmountFen != want.TotalFen:
		return nil, refusal.Invalid("订单金额与支付金额不一致")
	case o.returnedFen+want.AmountFen > o.AmountFen:
		return nil, refusal.Invalid("累计退款金额大于支付金额")
	case len(b.Refunds) >= b.max:
		return nil, refusal.ErrFull
	}
	id := providerNo("5030", now, int64(len(b.Refunds))+1)
	return &Record{Kind: refundAccepted, No: no, At: now, ProviderNo: id, Refund: want}, nil
}
