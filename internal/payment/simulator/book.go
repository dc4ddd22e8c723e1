package simulator

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
	placed   = "placed"
	paid     = "paid"
	closed   = "closed"
	notified = "notified"

	refundAccepted = "refund_accepted"
	refundEnded    = "refund_ended"
	refundNotified = "refund_notified"

	transferAccepted  = "transfer_accepted"
	transferConfirmed = "transfer_confirmed"
	transferCanceling = "transfer_canceling"
	transferEnded     = "transfer_ended"
	transferNotified  = "transfer_notified"

	batchAccepted = "batch_accepted"
	batchEnded    = "batch_ended"
	batchNotified = "batch_notified"
)

// record is one line of the ledger file: something that happened.
type record struct {
	Kind string    `json:"kind"`
	No   string    `json:"order_no"` // the merchant's, of the charge, the refund, the transfer or the batch
	At   time.Time `json:"at"`

	ProviderNo string         `json:"transaction_id,omitzero"` // paid and accepted: ours
	Order      *terms         `json:"order,omitzero"`          // placed
	Refund     *refundTerms   `json:"refund,omitzero"`         // accepted
	Transfer   *transferTerms `json:"transfer,omitzero"`       // accepted
	End        string         `json:"end,omitzero"`            // ended: the state
	Reason     string         `json:"reason,omitzero"`         // ended: of FAIL
	Twice      bool           `json:"twice,omitzero"`          // the money moved two times: the bug that is told on request

	Batch   *batchTerms `json:"batch,omitzero"`    // accepted
	Failed  []failure   `json:"failed,omitzero"`   // ended: the details that were not paid, in their order
	TwiceOf []int       `json:"twice_of,omitzero"` // ended: the details that were paid two times, in their order
}

// book is everything there is. The journal alone changes it, and holds the lock
// from the decision to the end of the fsync: whoever reads sees only what is on
// disk.
type book struct {
	mu  sync.RWMutex
	max int // how many orders, refunds, transfers and batches it may hold, each

	orders       map[string]*order
	payTokens    map[string]*order
	transactions map[string]*order // by our number, once paid
	inOrder      []*order          // as they were placed
	paid         int64
	refunds      map[string]*refund
	transfers    map[string]*transfer
	payeeTokens  map[string]*transfer
	bills        map[string]*transfer // by our number
	batches      map[string]*payoutBatch
	batchIDs     map[string]*payoutBatch // by our number
	details      int64                   // of all batches

	movements []movement // append only, so that a prefix can be read without the lock
	totals    totals
	broken    error // set once, when memory may be ahead of the disk
}

func newBook(max int) *book {
	return &book{
		max: max, orders: map[string]*order{}, payTokens: map[string]*order{}, transactions: map[string]*order{}, refunds: map[string]*refund{},
		transfers: map[string]*transfer{}, payeeTokens: map[string]*transfer{}, batches: map[string]*payoutBatch{},
		bills: map[string]*transfer{}, batchIDs: map[string]*payoutBatch{},
	}
}

// apply takes a record into the book: one just decided, or one read back from
// the ledger file. It refuses what cannot have happened.
func (b *book) apply(r *record) error {
	var possible bool
	switch r.Kind {
	case placed, paid, closed, notified:
		possible = b.applyOrder(r)
	case refundAccepted, refundEnded, refundNotified:
		possible = b.applyRefund(r)
	case transferAccepted, transferConfirmed, transferCanceling, transferEnded, transferNotified:
		possible = b.applyTransfer(r)
	case batchAccepted, batchEnded, batchNotified:
		possible = b.applyBatch(r)
	}
	if !possible {
		return fmt.Errorf("ledger: %s cannot be %s now", r.No, r.Kind)
	}
	return nil
}

// find returns a copy, so that the caller needs no lock.
func find[T any](b *book, in map[string]*T, key string, none error) (T, error) {
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

func (b *book) order(no string) (order, error) { return find(b, b.orders, no, refusal.ErrNoOrder) }
func (b *book) transaction(id string) (order, error) {
	return find(b, b.transactions, id, refusal.ErrNoOrder)
}
func (b *book) refund(no string) (refund, error) { return find(b, b.refunds, no, refusal.ErrNoRefund) }
func (b *book) transfer(no string) (transfer, error) {
	return find(b, b.transfers, no, refusal.ErrNoTransfer)
}
func (b *book) bill(id string) (transfer, error) { return find(b, b.bills, id, refusal.ErrNoTransfer) }
func (b *book) batchID(id string) (payoutBatch, error) {
	return find(b, b.batchIDs, id, refusal.ErrNoTransfer)
}
func (b *book) batch(no string) (payoutBatch, error) {
	return find(b, b.batches, no, refusal.ErrNoTransfer)
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

// providerNo has the provider's 28 digits. Numbers count through the life of the
// ledger, so no restart repeats one.
func providerNo(prefix string, now time.Time, n int64) string {
	return prefix + now.UTC().Format("20060102") + strconv.FormatInt(1e16+n, 10)[1:]
}
