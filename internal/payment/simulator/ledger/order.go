package ledger

import (
	"net/http"
	"time"

	"hongbao/internal/payment/simulator/refusal"
	"hongbao/internal/payment/simulator/states"
)

// OrderTerms are what the merchant asked for. A repeat has to ask for the same.
type OrderTerms struct {
	AppID       string    `json:"appid"`
	AmountFen   int64     `json:"amount_fen"`
	Description string    `json:"description"`
	Attach      string    `json:"attach,omitzero"`
	ExpiresAt   time.Time `json:"expires_at"`
	Untimed     bool      `json:"untimed,omitzero"` // the merchant did not say when it expires
	NotifyURL   string    `json:"notify_url"`
	Token       string    `json:"token"` // ours: the secret part of the code_url
}

func (t *OrderTerms) same(o *OrderTerms) bool {
	return t.AppID == o.AppID && t.AmountFen == o.AmountFen && t.Description == o.Description && t.Attach == o.Attach &&
		t.Untimed == o.Untimed && (t.Untimed || t.ExpiresAt.Equal(o.ExpiresAt)) && t.NotifyURL == o.NotifyURL
}

// Order is one charge as it stands.
type Order struct {
	OrderTerms
	No            string
	TransactionID string
	PaidAt        time.Time // zero until paid
	closed        bool      // by the merchant
	Notified      bool
	returnedFen   int64 // by refunds, those under way included
}

// State is where the charge is on its way.
func (o *Order) State(now time.Time) string {
	switch {
	case o.returnedFen > 0:
		return states.Returned
	case !o.PaidAt.IsZero():
		return states.Paid
	case !o.closed && now.Before(o.ExpiresAt):
		return states.Unpaid
	}
	return states.Closed
}

func (b *Book) applyOrder(r *Record) (possible bool) {
	o := b.orders[r.No]
	switch {
	case r.Kind == chargePlaced && o == nil && r.Order != nil:
		o = &Order{OrderTerms: *r.Order, No: r.No}
		b.orders[o.No], b.payTokens[o.Token] = o, o
		b.inOrder = append(b.inOrder, o)
	case r.Kind == chargePaid && o != nil && o.PaidAt.IsZero() && !o.closed && r.ProviderNo != "":
		o.TransactionID, o.PaidAt = r.ProviderNo, r.At
		b.transactions[o.TransactionID] = o
		b.paid++
		b.move(r, Movement{Kind: KindCharge, ProviderNo: o.TransactionID, AmountFen: o.AmountFen})
	case r.Kind == chargeClosed && o != nil && o.PaidAt.IsZero() && !o.closed:
		o.closed = true
	case r.Kind == ChargeNotified && o != nil && !o.PaidAt.IsZero():
		o.Notified = true
	default:
		return false
	}
	return true
}

// Place decides what a request to place an order does: nil, nil is a repeat.
func (b *Book) Place(no string, want *OrderTerms, now time.Time) (*Record, error) {
	o := b.orders[no]
	if o == nil {
		if len(b.orders) >= b.max {
			return nil, refusal.ErrFull
		}
		if !now.Before(want.ExpiresAt) {
			return nil, refusal.ErrClosed
		}
		return &Record{Kind: chargePlaced, No: no, At: now, Order: want}, nil
	}
	switch o.State(now) {
	case states.Paid, states.Returned:
		return nil, refusal.ErrPaid
	case states.Closed:
		return nil, refusal.ErrClosed
	}
	if !o.same(want) {
		return nil, refusal.New(http.StatusForbidden, "OUT_TRADE_NO_USED", "商户订单号重复")
	}
	return nil, nil
}

// Pay decides what pressing the button does: nil, nil is a repeat.
func (b *Book) Pay(token string, now time.Time) (*Record, error) {
	o := b.payTokens[token]
	if o == nil {
		return nil, refusal.ErrNoOrder
	}
	switch o.State(now) {
	case states.Paid, states.Returned:
		return nil, nil
	case states.Closed:
		return nil, refusal.ErrClosed
	}
	return &Record{Kind: chargePaid, No: o.No, At: now, ProviderNo: providerNo("4200", now, b.paid+1)}, nil
}

// Close decides what the merchant's request to close does: nil, nil is an order
// that can not be paid any more already.
func (b *Book) Close(no string, now time.Time) (*Record, error) {
	o := b.orders[no]
	if o == nil {
		return nil, refusal.ErrNoOrder
	}
	switch o.State(now) {
	case states.Paid, states.Returned:
		return nil, refusal.ErrPaid
	case states.Closed:
		return nil, nil
	}
	return &Record{Kind: chargeClosed, No: no, At: now}, nil
}
