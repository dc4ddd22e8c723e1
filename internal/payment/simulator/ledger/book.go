package ledger

import (
	"fmt"
	"strconv"
	"sync"
	"time"

	"hongbao/internal/payment/simulator/refusal"
)

const (
	// ordersMax bounds each of the book's lists: an order, a refund or a transfer is
	// about half a kilobyte of memory.
	ordersMax = 1 << 22
	// detailsMax bounds the details of all batches: one, with its movement, is about
	// a quarter of a kilobyte.
	detailsMax = 1 << 24
)

// The kinds of a record: what can happen to a charge, a refund, a transfer and a
// batch of transfers.
const (
	chargePlaced   = "placed"
	chargePaid     = "paid"
	chargeClosed   = "closed"
	ChargeNotified = "notified"

	refundAccepted = "refund_accepted"
	RefundEnded    = "refund_ended"
	RefundNotified = "refund_notified"

	transferAccepted  = "transfer_accepted"
	transferConfirmed = "transfer_confirmed"
	transferCanceling = "transfer_canceling"
	TransferEnded     = "transfer_ended"
	TransferNotified  = "transfer_notified"

	batchAccepted = "batch_accepted"
	BatchEnded    = "batch_ended"
	BatchNotified = "batch_notified"
)

// Record is one line of the ledger file: something that happened.
type Record struct {
	Kind string    `json:"kind"`
	No   string    `json:"order_no"` // the merchant's, of the charge, the refund, the transfer or the batch
	At   time.Time `json:"at"`

	ProviderNo string         `json:"transaction_id,omitzero"` // paid and accepted: ours
	Order      *OrderTerms    `json:"order,omitzero"`          // placed
	Refund     *RefundTerms   `json:"refund,omitzero"`         // accepted
	Transfer   *TransferTerms `json:"transfer,omitzero"`       // accepted
	End        string         `json:"end,omitzero"`            // ended: the state
	Reason     string         `json:"reason,omitzero"`         // ended: of FAIL
	Twice      bool           `json:"twice,omitzero"`          // the money moved two times: the bug that is made on request

	Batch   *BatchTerms `json:"batch,omitzero"`    // accepted
	Failed  []Failure   `json:"failed,omitzero"`   // ended: the details that were not paid, in their order
	TwiceOf []int       `json:"twice_of,omitzero"` // ended: the details that were paid two times, in their order
}

// Book is everything there is. The journal alone changes it, and holds the lock
// from the decision to the end of the fsync: what can be read is on disk. Its
// methods take the lock and return copies, but for those that decide ([Book.Place]
// and the like) and the exported maps: these are for decisions that
// [Journal.Commit] makes.
type Book struct {
	mu  sync.RWMutex
	max int // how many orders, refunds, transfers and batches it may hold, each

	orders       map[string]*Order
	payTokens    map[string]*Order
	transactions map[string]*Order // by our number, once paid
	inOrder      []*Order          // as they were placed
	paid         int64
	Refunds      map[string]*Refund
	Transfers    map[string]*Transfer
	payeeTokens  map[string]*Transfer
	bills        map[string]*Transfer // by our number
	Batches      map[string]*PayoutBatch
	batchIDs     map[string]*PayoutBatch // by our number
	details      int64                   // of all batches

	movements []Movement // append only, so that a prefix can be read without the lock
	totals    Totals
	broken    error // set once, when memory may be ahead of the disk
}

func newBook(max int) *Book {
	return &Book{
		max: max, orders: map[string]*Order{}, payTokens: map[string]*Order{}, transactions: map[string]*Order{}, Refunds: map[string]*Refund{},
		Transfers: map[string]*Transfer{}, payeeTokens: map[string]*Transfer{}, Batches: map[string]*PayoutBatch{},
		bills: map[string]*Transfer{}, batchIDs: map[string]*PayoutBatch{},
	}
}

// apply takes a record into the book: one just decided, or one read back from
// the ledger file. It refuses what cannot have happened.
func (b *Book) apply(r *Record) error {
	var possible bool
	switch r.Kind {
	case chargePlaced, chargePaid, chargeClosed, ChargeNotified:
		possible = b.applyOrder(r)
	case refundAccepted, RefundEnded, RefundNotified:
		possible = b.applyRefund(r)
	case transferAccepted, transferConfirmed, transferCanceling, TransferEnded, TransferNotified:
		possible = b.applyTransfer(r)
	case batchAccepted, BatchEnded, BatchNotified:
		possible = b.applyBatch(r)
	}
	if !possible {
		return fmt.Errorf("ledger: %s cannot be %s now", r.No, r.Kind)
	}
	return nil
}

// find returns a copy, so that the caller needs no lock.
func find[T any](b *Book, in map[string]*T, key string, none error) (T, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	var zero T
	if b.broken != nil {
		return zero, b.broken
	}
	if found := in[key]; found != nil {
		return *found, nil
	}
	return zero, none
}

// Order finds a charge by the merchant's number.
func (b *Book) Order(no string) (Order, error) { return find(b, b.orders, no, refusal.ErrNoOrder) }

// OrderByTransaction does so by ours.
func (b *Book) OrderByTransaction(id string) (Order, error) {
	return find(b, b.transactions, id, refusal.ErrNoOrder)
}

// Refund finds a refund by the merchant's number.
func (b *Book) Refund(no string) (Refund, error) { return find(b, b.Refunds, no, refusal.ErrNoRefund) }

// Transfer finds a payout by the merchant's number.
func (b *Book) Transfer(no string) (Transfer, error) {
	return find(b, b.Transfers, no, refusal.ErrNoTransfer)
}

// TransferByBillNo does so by ours.
func (b *Book) TransferByBillNo(id string) (Transfer, error) {
	return find(b, b.bills, id, refusal.ErrNoTransfer)
}

// BatchByID finds a batch by our number.
func (b *Book) BatchByID(id string) (PayoutBatch, error) {
	return find(b, b.batchIDs, id, refusal.ErrNoTransfer)
}

// Batch does so by the merchant's.
func (b *Book) Batch(no string) (PayoutBatch, error) {
	return find(b, b.Batches, no, refusal.ErrNoTransfer)
}

// OrderByToken finds a charge by the secret part of its code_url.
func (b *Book) OrderByToken(token string) (Order, error) {
	return find(b, b.payTokens, token, refusal.ErrNoOrder)
}

// TransferByToken finds a payout by the secret part of its confirmation page.
func (b *Book) TransferByToken(token string) (Transfer, error) {
	return find(b, b.payeeTokens, token, refusal.ErrNoTransfer)
}

// Unfinished is what an earlier life of the process left: what has no end, or an
// end whose notification was not taken.
type Unfinished struct {
	Orders    []Order
	Refunds   []Refund
	Transfers []Transfer
	Batches   []PayoutBatch
}

// Unfinished copies what is not done.
func (b *Book) Unfinished() (u Unfinished) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	for _, o := range b.orders {
		if !o.PaidAt.IsZero() && !o.Notified {
			u.Orders = append(u.Orders, *o)
		}
	}
	for _, f := range b.Refunds {
		if f.End == "" || !f.notified {
			u.Refunds = append(u.Refunds, *f)
		}
	}
	for _, t := range b.Transfers {
		if t.End == "" || !t.notified {
			u.Transfers = append(u.Transfers, *t)
		}
	}
	for _, p := range b.Batches {
		if p.End == "" || !p.notified {
			u.Batches = append(u.Batches, *p)
		}
	}
	return u
}

// Page copies at most n orders from position i on.
func (b *Book) Page(i, n int) ([]Order, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.broken != nil {
		return nil, b.broken
	}
	i = min(i, len(b.inOrder))
	orders := make([]Order, 0, n)
	for _, o := range b.inOrder[i:min(i+n, len(b.inOrder))] {
		orders = append(orders, *o)
	}
	return orders, nil
}

// providerNo has the provider's 28 digits. Numbers count through the life of the
// ledger, so no restart repeats one.
func providerNo(prefix string, now time.Time, n int64) string {
	return prefix + now.UTC().Format("20060102") + strconv.FormatInt(1e16+n, 10)[1:]
}
