package simulator

import (
	"fmt"
	"sync"
	"time"
)

// ordersMax bounds the book: an order is about half a kilobyte of memory.
const ordersMax = 1 << 22

// The kinds of a record. An order goes through them in this order.
const (
	placed   = "placed"
	paid     = "paid"
	notified = "notified"
)

// record is one line of the ledger file: something that happened to an order.
type record struct {
	Kind    string    `json:"kind"`
	OrderNo string    `json:"order_no"`
	At      time.Time `json:"at"`

	TransactionID string `json:"transaction_id,omitzero"` // paid
	Order         *terms `json:"order,omitzero"`          // placed
}

// terms are what the merchant asked for. A repeat has to ask for the same.
type terms struct {
	AppID       string    `json:"appid"`
	AmountFen   int64     `json:"amount_fen"`
	Description string    `json:"description"`
	ExpiresAt   time.Time `json:"expires_at"`
	NotifyURL   string    `json:"notify_url"`
	Token       string    `json:"token"` // ours: the secret part of the code_url
}

func (t *terms) same(o *terms) bool {
	return t.AppID == o.AppID && t.AmountFen == o.AmountFen && t.Description == o.Description &&
		t.ExpiresAt.Equal(o.ExpiresAt) && t.NotifyURL == o.NotifyURL
}

// order is one charge as it stands.
type order struct {
	terms
	no            string
	transactionID string
	paidAt        time.Time // zero until paid
	notified      bool
}

// The states of an order, in the provider's words.
const (
	stateUnpaid = "NOTPAY"
	statePaid   = "SUCCESS"
	stateClosed = "CLOSED"
)

func (o *order) state(now time.Time) string {
	switch {
	case !o.paidAt.IsZero():
		return statePaid
	case now.Before(o.ExpiresAt):
		return stateUnpaid
	}
	return stateClosed
}

// book is every order there is. The journal alone changes it, and holds the lock
// from the decision to the end of the fsync: whoever reads sees only what is on
// disk.
type book struct {
	mu      sync.RWMutex
	max     int // how many orders it may hold
	orders  map[string]*order
	tokens  map[string]*order
	inOrder []*order // as they were placed
	paid    int64
	broken  error // set once, when memory may be ahead of the disk
}

func newBook(ordersMax int) *book {
	return &book{max: ordersMax, orders: map[string]*order{}, tokens: map[string]*order{}}
}

// apply takes a record into the book: one just decided, or one read back from
// the ledger file. It refuses what cannot have happened.
func (b *book) apply(r *record) error {
	o := b.orders[r.OrderNo]
	switch {
	case r.Kind == placed && o == nil && r.Order != nil:
		o = &order{terms: *r.Order, no: r.OrderNo}
		b.orders[o.no], b.tokens[o.Token] = o, o
		b.inOrder = append(b.inOrder, o)
	case r.Kind == paid && o != nil && o.paidAt.IsZero() && r.TransactionID != "":
		o.transactionID, o.paidAt = r.TransactionID, r.At
		b.paid++
	case r.Kind == notified && o != nil && !o.paidAt.IsZero():
		o.notified = true
	default:
		return fmt.Errorf("ledger: order %s cannot be %s now", r.OrderNo, r.Kind)
	}
	return nil
}

// byNumber and byToken return a copy, so that the caller needs no lock.
func (b *book) byNumber(no string) (order, error)   { return b.find(b.orders, no) }
func (b *book) byToken(token string) (order, error) { return b.find(b.tokens, token) }

func (b *book) find(in map[string]*order, key string) (order, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.broken != nil {
		return order{}, b.broken
	}
	if o := in[key]; o != nil {
		return *o, nil
	}
	return order{}, errNoOrder
}

// page copies at most n orders from position i on.
func (b *book) page(i, n int) ([]order, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.broken != nil {
		return nil, b.broken
	}
	i = min(i, len(b.inOrder))
	orders := make([]order, 0, n)
	for _, o := range b.inOrder[i:min(i+n, len(b.inOrder))] {
		orders = append(orders, *o)
	}
	return orders, nil
}

// place decides what a request to place an order does: nil, nil is a repeat.
func (b *book) place(no string, want *terms, now time.Time) (*record, error) {
	o := b.orders[no]
	if o == nil {
		if len(b.orders) >= b.max {
			return nil, &refusal{500, "SYSTEM_ERROR", "the book is full"}
		}
		if !now.Before(want.ExpiresAt) {
			return nil, errClosed
		}
		return &record{Kind: placed, OrderNo: no, At: now, Order: want}, nil
	}
	switch o.state(now) {
	case statePaid:
		return nil, &refusal{400, "ORDERPAID", "该订单已支付"}
	case stateClosed:
		return nil, errClosed
	}
	if !o.same(want) {
		return nil, &refusal{403, "OUT_TRADE_NO_USED", "商户订单号重复"}
	}
	return nil, nil
}

// pay decides what pressing the button does: nil, nil is a repeat.
func (b *book) pay(token string, now time.Time) (*record, error) {
	o := b.tokens[token]
	if o == nil {
		return nil, errNoOrder
	}
	switch o.state(now) {
	case statePaid:
		return nil, nil
	case stateClosed:
		return nil, errClosed
	}
	return &record{Kind: paid, OrderNo: o.no, At: now, TransactionID: b.nextTransactionID(now)}, nil
}

// nextTransactionID has the provider's 28 digits. Payments are numbered through
// the life of the ledger, so no restart repeats one.
func (b *book) nextTransactionID(now time.Time) string {
	return fmt.Sprintf("4200%s%016d", now.UTC().Format("20060102"), b.paid+1)
}
