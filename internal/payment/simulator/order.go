package simulator

import (
	"net/http"
	"time"

	"hongbao/internal/payment/simulator/refusal"
)

// terms are what the merchant asked for. A repeat has to ask for the same.
type terms struct {
	AppID       string    `json:"appid"`
	AmountFen   int64     `json:"amount_fen"`
	Description string    `json:"description"`
	Attach      string    `json:"attach,omitzero"`
	ExpiresAt   time.Time `json:"expires_at"`
	Untimed     bool      `json:"untimed,omitzero"` // the merchant did not say when it expires
	NotifyURL   string    `json:"notify_url"`
	Token       string    `json:"token"` // ours: the secret part of the code_url
}

func (t *terms) same(o *terms) bool {
	return t.AppID == o.AppID && t.AmountFen == o.AmountFen && t.Description == o.Description && t.Attach == o.Attach &&
		t.Untimed == o.Untimed && (t.Untimed || t.ExpiresAt.Equal(o.ExpiresAt)) && t.NotifyURL == o.NotifyURL
}

// order is one charge as it stands.
type order struct {
	terms
	no            string
	transactionID string
	paidAt        time.Time // zero until paid
	closed        bool      // by the merchant
	notified      bool
	returnedFen   int64 // by refunds, those under way included
}

// The states of an order, in the provider's words.
const (
	stateUnpaid   = "NOTPAY"
	statePaid     = "SUCCESS"
	stateReturned = "REFUND" // paid, and since then some or all goes back
	stateClosed   = "CLOSED"
)

func (o *order) state(now time.Time) string {
	switch {
	case o.returnedFen > 0:
		return stateReturned
	case !o.paidAt.IsZero():
		return statePaid
	case !o.closed && now.Before(o.ExpiresAt):
		return stateUnpaid
	}
	return stateClosed
}

func (b *book) applyOrder(r *record) (possible bool) {
	o := b.orders[r.No]
	switch {
	case r.Kind == placed && o == nil && r.Order != nil:
		o = &order{terms: *r.Order, no: r.No}
		b.orders[o.no], b.payTokens[o.Token] = o, o
		b.inOrder = append(b.inOrder, o)
	case r.Kind == paid && o != nil && o.paidAt.IsZero() && !o.closed && r.ProviderNo != "":
		o.transactionID, o.paidAt = r.ProviderNo, r.At
		b.transactions[o.transactionID] = o
		b.paid++
		b.move(r, movement{Kind: kindCharge, ProviderNo: o.transactionID, AmountFen: o.AmountFen})
	case r.Kind == closed && o != nil && o.paidAt.IsZero() && !o.closed:
		o.closed = true
	case r.Kind == notified && o != nil && !o.paidAt.IsZero():
		o.notified = true
	default:
		return false
	}
	return true
}

// place decides what a request to place an order does: nil, nil is a repeat.
func (b *book) place(no string, want *terms, now time.Time) (*record, error) {
	o := b.orders[no]
	if o == nil {
		if len(b.orders) >= b.max {
			return nil, refusal.ErrFull
		}
		if !now.Before(want.ExpiresAt) {
			return nil, refusal.ErrClosed
		}
		return &record{Kind: placed, No: no, At: now, Order: want}, nil
	}
	switch o.state(now) {
	case statePaid, stateReturned:
		return nil, refusal.ErrPaid
	case stateClosed:
		return nil, refusal.ErrClosed
	}
	if !o.same(want) {
		return nil, refusal.New(http.StatusForbidden, "OUT_TRADE_NO_USED", "商户订单号重复")
	}
	return nil, nil
}

// pay decides what pressing the button does: nil, nil is a repeat.
func (b *book) pay(token string, now time.Time) (*record, error) {
	o := b.payTokens[token]
	if o == nil {
		return nil, refusal.ErrNoOrder
	}
	switch o.state(now) {
	case statePaid, stateReturned:
		return nil, nil
	case stateClosed:
		return nil, refusal.ErrClosed
	}
	return &record{Kind: paid, No: o.no, At: now, ProviderNo: providerNo("4200", now, b.paid+1)}, nil
}

// close decides what the merchant's request to close does: nil, nil is an order
// that can not be paid any more already.
func (b *book) close(no string, now time.Time) (*record, error) {
	o := b.orders[no]
	if o == nil {
		return nil, refusal.ErrNoOrder
	}
	switch o.state(now) {
	case statePaid, stateReturned:
		return nil, refusal.ErrPaid
	case stateClosed:
		return nil, nil
	}
	return &record{Kind: closed, No: no, At: now}, nil
}
