package simulator

import (
	"cmp"
	"context"
	"time"

	"hongbao/internal/payment/simulator/refusal"
)

// confirmWaitMax is how long a payee may take to confirm; then the bill fails.
const confirmWaitMax = 24 * time.Hour

// transferTerms are what the merchant asked for. A repeat has to ask for the same.
type transferTerms struct {
	OpenID    string    `json:"openid"`
	AmountFen int64     `json:"amount_fen"`
	SceneID   string    `json:"scene_id"`
	Remark    string    `json:"remark"`
	NotifyURL string    `json:"notify_url,omitzero"` // may be absent: then nobody is notified
	Token     string    `json:"token"`               // ours: the secret part of the confirmation page
	Account   string    `json:"account,omitzero"`    // ours: what it leaves from; empty is BASIC
	ReadyAt   time.Time `json:"ready_at,omitzero"`   // ours: when the payee can confirm; zero is at once
}

func (t *transferTerms) same(o *transferTerms) bool {
	return t.OpenID == o.OpenID && t.AmountFen == o.AmountFen && t.SceneID == o.SceneID && t.Remark == o.Remark && t.NotifyURL == o.NotifyURL
}

// transfer is one payout, which the provider calls a transfer bill, as it stands.
type transfer struct {
	transferTerms
	no        string
	billNo    string
	at        time.Time
	updatedAt time.Time
	confirmed bool
	canceling bool
	end       string // the state it ended in; empty before
	reason    string // of FAIL
	notified  bool
}

// The states of a transfer, in the provider's words.
const (
	stateAccepted     = "ACCEPTED"
	stateProcessing   = "PROCESSING"
	stateWaiting      = "WAIT_USER_CONFIRM"
	stateTransferring = "TRANSFERING"
	stateTransferred  = "SUCCESS"
	stateFailed       = "FAIL"
	stateCanceling    = "CANCELING"
	stateCancelled    = "CANCELLED"
)

// Why a transfer failed, in the provider's words.
const (
	reasonLimit   = "REALNAME_ACCOUNT_RECEIVED_QUOTA_EXCEED" // the payee's account takes no more
	reasonClosed  = "PAYEE_ACCOUNT_ABNORMAL"                 // the payee's account takes nothing
	reasonOverdue = "OVERDUE_CLOSE"                          // not confirmed within confirmWaitMax, or its batch closed
)

func (t *transfer) state(now time.Time) string {
	switch {
	case t.end != "":
		return t.end
	case t.canceling:
		return stateCanceling
	case t.confirmed:
		return stateTransferring
	case !now.Before(t.ReadyAt):
		return stateWaiting
	case now.Sub(t.at) < t.ReadyAt.Sub(t.at)/2:
		return stateAccepted
	}
	return stateProcessing
}

func (b *book) applyTransfer(r *record) (possible bool) {
	t := b.transfers[r.No]
	switch {
	case r.Kind == transferAccepted && t == nil && r.Transfer != nil && r.ProviderNo != "":
		t = &transfer{transferTerms: *r.Transfer, no: r.No, billNo: r.ProviderNo, at: r.At, updatedAt: r.At}
		b.transfers[t.no], b.payeeTokens[t.Token], b.bills[t.billNo] = t, t, t
	case t == nil:
		return false
	case r.Kind == transferConfirmed && t.end == "" && !t.confirmed && !t.canceling:
		t.confirmed, t.updatedAt = true, r.At
	case r.Kind == transferCanceling && t.end == "" && !t.confirmed && !t.canceling:
		t.canceling, t.updatedAt = true, r.At
	case r.Kind == transferEnded && t.end == "" && t.mayEnd(r.End):
		t.end, t.reason, t.updatedAt, t.notified = r.End, r.Reason, r.At, t.NotifyURL == ""
		if t.end == stateTransferred {
			b.move(r, movement{Kind: kindPayout, ProviderNo: t.billNo, AmountFen: t.AmountFen, Party: t.OpenID, Account: t.Account})
		}
	case r.Kind == transferNotified && t.end != "":
		t.notified = true
	default:
		return false
	}
	return true
}

// mayEnd holds the arrows: no money without the payee's word.
func (t *transfer) mayEnd(end string) bool {
	switch end {
	case stateTransferred:
		return t.confirmed
	case stateCancelled:
		return t.canceling
	}
	return end == stateFailed && !t.canceling
}

// acceptTransfer decides what a request to pay out does: nil, nil is a repeat.
func (b *book) acceptTransfer(no string, want *transferTerms, now time.Time) (*record, error) {
	if t := b.transfers[no]; t != nil {
		if !t.same(want) {
			return nil, refusal.Invalid("商户单号已存在，且与之前请求的参数不一致")
		}
		return nil, nil
	}
	if len(b.transfers) >= b.max {
		return nil, refusal.ErrFull
	}
	billNo := providerNo("1330", now, int64(len(b.transfers))+1)
	return &record{Kind: transferAccepted, No: no, At: now, ProviderNo: billNo, Transfer: want}, nil
}

// confirm decides what the payee's word does: nil, nil is a repeat.
func (b *book) confirm(token string, now time.Time) (*record, error) {
	t := b.payeeTokens[token]
	if t == nil {
		return nil, refusal.ErrNoTransfer
	}
	switch t.state(now) {
	case stateWaiting:
		return &record{Kind: transferConfirmed, No: t.no, At: now}, nil
	case stateTransferring, stateTransferred:
		return nil, nil
	}
	return nil, refusal.Invalid("单据当前状态不能确认收款")
}

// cancel decides what the merchant's request to cancel does: nil, nil is a repeat.
func (b *book) cancel(no string, now time.Time) (*record, error) {
	t := b.transfers[no]
	if t == nil {
		return nil, refusal.ErrNoTransfer
	}
	switch t.state(now) {
	case stateAccepted, stateProcessing, stateWaiting:
		return &record{Kind: transferCanceling, No: no, At: now}, nil
	case stateCanceling, stateCancelled:
		return nil, nil
	}
	return nil, refusal.Invalid("单据当前状态不能撤销")
}

// confirmTransfer takes the payee's word and has the money moved a moment later.
func (s *Simulator) confirmTransfer(ctx context.Context, token string) (transfer, error) {
	var fresh *record
	err := s.journal.commit(ctx, func(b *book) (*record, error) {
		r, err := b.confirm(token, s.cfg.Now())
		fresh = r
		return r, err
	})
	// A repeat must not end the transfer sooner than the first asked for.
	if err == nil && fresh != nil {
		s.moves.at(time.Now().Add(s.cfg.TransferAfter), func(ctx context.Context) { s.endTransfer(ctx, fresh.No) })
	}
	t, findErr := s.transferOf(token)
	return t, cmp.Or(err, findErr)
}

// endTransfer takes a transfer to its end, whichever is next, and queues its
// notification: the payee's money, the merchant's cancellation, or the end of
// the payee's time.
func (s *Simulator) endTransfer(ctx context.Context, no string) {
	s.end(ctx, event{kindPayout, no}, func(b *book) *record {
		t := b.transfers[no]
		if t.end != "" {
			return nil
		}
		r := &record{Kind: transferEnded, No: no, At: s.cfg.Now(), End: stateTransferred}
		switch {
		case t.canceling:
			r.End = stateCancelled
		case !t.confirmed:
			r.End, r.Reason = stateFailed, reasonOverdue
		default:
			if r.Reason, r.Twice = s.luck(operation{kindPayout, no, t.OpenID}); r.Reason != "" {
				r.End = stateFailed
			}
		}
		return r
	})
}

// luck says why a payout that nothing else stops is refused all the same, or
// whether its money moves two times. Without lies it is neither.
func (s *Simulator) luck(about operation) (reason string, again bool) {
	switch lie, _ := s.liar.tell(about, refuseLimit, refuseClosed); lie {
	case refuseLimit:
		return reasonLimit, false
	case refuseClosed:
		return reasonClosed, false
	}
	return "", s.liar.tells(about, twice)
}
