package ledger

import (
	"time"

	"hongbao/internal/payment/simulator/refusal"
	"hongbao/internal/payment/simulator/states"
)

// TransferTerms are what the merchant asked for. A repeat has to ask for the same.
type TransferTerms struct {
	OpenID    string    `json:"openid"`
	AmountFen int64     `json:"amount_fen"`
	SceneID   string    `json:"scene_id"`
	Remark    string    `json:"remark"`
	NotifyURL string    `json:"notify_url,omitzero"` // may be absent: then there is no notification
	Token     string    `json:"token"`               // ours: the secret part of the confirmation page
	Account   string    `json:"account,omitzero"`    // ours: what it leaves from; empty is BASIC
	ReadyAt   time.Time `json:"ready_at,omitzero"`   // ours: when the payee can confirm; zero is at once
}

func (t *TransferTerms) same(o *TransferTerms) bool {
	return t.OpenID == o.OpenID && t.AmountFen == o.AmountFen && t.SceneID == o.SceneID && t.Remark == o.Remark && t.NotifyURL == o.NotifyURL
}

// Transfer is one payout, which the provider calls a transfer bill, as it stands.
type Transfer struct {
	TransferTerms
	No        string
	BillNo    string
	At        time.Time
	UpdatedAt time.Time
	Confirmed bool
	Canceling bool
	End       string // the state it ended in; empty before
	Reason    string // of FAIL
	notified  bool
}

// State is where the payout is on its way.
func (t *Transfer) State(now time.Time) string {
	switch {
	case t.End != "":
		return t.End
	case t.Canceling:
		return states.Canceling
	case t.Confirmed:
		return states.Transferring
	case !now.Before(t.ReadyAt):
		return states.Waiting
	case now.Sub(t.At) < t.ReadyAt.Sub(t.At)/2:
		return states.Accepted
	}
	return states.Processing
}

func (b *Book) applyTransfer(r *Record) (possible bool) {
	t := b.Transfers[r.No]
	switch {
	case r.Kind == transferAccepted && t == nil && r.Transfer != nil && r.ProviderNo != "":
		t = &Transfer{TransferTerms: *r.Transfer, No: r.No, BillNo: r.ProviderNo, At: r.At, UpdatedAt: r.At}
		b.Transfers[t.No], b.payeeTokens[t.Token], b.bills[t.BillNo] = t, t, t
	case t == nil:
		return false
	case r.Kind == transferConfirmed && t.End == "" && !t.Confirmed && !t.Canceling:
		t.Confirmed, t.UpdatedAt = true, r.At
	case r.Kind == transferCanceling && t.End == "" && !t.Confirmed && !t.Canceling:
		t.Canceling, t.UpdatedAt = true, r.At
	case r.Kind == TransferEnded && t.End == "" && t.mayEnd(r.End):
		t.End, t.Reason, t.UpdatedAt, t.notified = r.End, r.Reason, r.At, t.NotifyURL == ""
		if t.End == states.Transferred {
			b.move(r, Movement{Kind: KindPayout, ProviderNo: t.BillNo, AmountFen: t.AmountFen, Party: t.OpenID, Account: t.Account})
		}
	case r.Kind == TransferNotified && t.End != "":
		t.notified = true
	default:
		return false
	}
	return true
}

// mayEnd holds the arrows: no money moves before the payee has confirmed.
func (t *Transfer) mayEnd(end string) bool {
	switch end {
	case states.Transferred:
		return t.Confirmed
	case states.Cancelled:
		return t.Canceling
	}
	return end == states.Failed && !t.Canceling
}

// AcceptTransfer decides what a request to pay out does: nil, nil is a repeat.
func (b *Book) AcceptTransfer(no string, want *TransferTerms, now time.Time) (*Record, error) {
	if t := b.Transfers[no]; t != nil {
		if !t.same(want) {
			return nil, refusal.Invalid("商户单号已存在，且与之前请求的参数不一致")
		}
		return nil, nil
	}
	if len(b.Transfers) >= b.max {
		return nil, refusal.ErrFull
	}
	billNo := providerNo("1330", now, int64(len(b.Transfers))+1)
	return &Record{Kind: transferAccepted, No: no, At: now, ProviderNo: billNo, Transfer: want}, nil
}

// Confirm decides what the payee's word does: nil, nil is a repeat.
func (b *Book) Confirm(token string, now time.Time) (*Record, error) {
	t := b.payeeTokens[token]
	if t == nil {
		return nil, refusal.ErrNoTransfer
	}
	switch t.State(now) {
	case states.Waiting:
		return &Record{Kind: transferConfirmed, No: t.No, At: now}, nil
	case states.Transferring, states.Transferred:
		return nil, nil
	}
	return nil, refusal.Invalid("单据当前状态不能确认收款")
}

// Cancel decides what the merchant's request to cancel does: nil, nil is a repeat.
func (b *Book) Cancel(no string, now time.Time) (*Record, error) {
	t := b.Transfers[no]
	if t == nil {
		return nil, refusal.ErrNoTransfer
	}
	switch t.State(now) {
	case states.Accepted, states.Processing, states.Waiting:
		return &Record{Kind: transferCanceling, No: no, At: now}, nil
	case states.Canceling, states.Cancelled:
		return nil, nil
	}
	return nil, refusal.Invalid("单据当前状态不能撤销")
}
