package ledger

import (
	"cmp"
	"time"
)

// The kinds of a movement, and of the operation that leads to it.
const (
	KindCharge = "charge"
	KindRefund = "refund"
	KindPayout = "payout"
	KindBatch  = "batch" // of an event alone: its money moves as payouts
)

// The accounts of the merchant.
const (
	AccountBasic     = "BASIC" // charges and refunds move here, and payouts unless Config says otherwise
	AccountOperation = "OPERATION"
	AccountFees      = "FEES" // nothing ever moves here
)

// Movement is money that moved: one line of GET /simulator/ledger.
type Movement struct {
	ID         int64     `json:"id"` // 1, 2, 3 … in the order of execution
	At         time.Time `json:"at"`
	Kind       string    `json:"kind"`
	No         string    `json:"no"`          // the merchant's number
	ProviderNo string    `json:"provider_no"` // transaction_id, refund_id, transfer_bill_no or detail_id
	AmountFen  int64     `json:"amount_fen"`
	Party      string    `json:"party"`            // the openid of a payee; empty for payers: there is one wallet for all
	Account    string    `json:"account,omitzero"` // of the merchant; empty is BASIC
}

// Total is how much moved.
type Total struct {
	Count int64 `json:"count"`
	Fen   int64 `json:"fen"`
}

// Add counts one more.
func (t *Total) Add(fen int64) {
	t.Count++
	t.Fen += fen
}

// Totals are GET /simulator/totals.
type Totals struct {
	Charge Total `json:"charge"`
	Refund Total `json:"refund"`
	Payout Total `json:"payout"`
}

// Of is the total of a kind.
func (t *Totals) Of(kind string) *Total {
	switch kind {
	case KindRefund:
		return &t.Refund
	case KindPayout:
		return &t.Payout
	}
	return &t.Charge
}

// move notes that a record moved money. Movements follow from records alone, so
// the file that is read back gives the same ones under the same IDs.
func (b *Book) move(r *Record, m Movement) {
	m.At, m.No = r.At, r.No
	b.add(m, r.Twice)
}

func (b *Book) add(m Movement, twice bool) {
	times := 1
	if twice {
		times = 2
	}
	sum := b.totals.Of(m.Kind)
	for range times {
		m.ID = int64(len(b.movements)) + 1
		b.movements = append(b.movements, m)
		sum.Add(m.AmountFen)
	}
}

// Movements returns all movements so far. The slice is shared and never changes.
func (b *Book) Movements() ([]Movement, Totals, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.movements[:len(b.movements):len(b.movements)], b.totals, b.broken
}

// AccountOrBasic is where it moved.
func (m *Movement) AccountOrBasic() string { return cmp.Or(m.Account, AccountBasic) }

// SignedFen is what a movement does to the merchant's balance.
func (m *Movement) SignedFen() int64 {
	if m.Kind == KindCharge {
		return m.AmountFen
	}
	return -m.AmountFen
}
