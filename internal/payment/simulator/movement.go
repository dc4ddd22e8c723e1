package simulator

import (
	"net/http"
	"strconv"
	"time"

	"hongbao/internal/payment/simulator/refusal"
)

const (
	movementsPage    = 1000
	movementsPageMax = 10000
)

// The kinds of a movement, and of the operation that leads to it.
const (
	kindCharge = "charge"
	kindRefund = "refund"
	kindPayout = "payout"
	kindBatch  = "batch" // of an event alone: its money moves as payouts
)

// movement is money that moved: one line of GET /simulator/ledger.
type movement struct {
	ID         int64     `json:"id"` // 1, 2, 3 … in the order of execution
	At         time.Time `json:"at"`
	Kind       string    `json:"kind"`
	No         string    `json:"no"`          // the merchant's number
	ProviderNo string    `json:"provider_no"` // transaction_id, refund_id, transfer_bill_no or detail_id
	AmountFen  int64     `json:"amount_fen"`
	Party      string    `json:"party"`            // the openid of a payee; empty for payers, who are all the same one
	Account    string    `json:"account,omitzero"` // of the merchant; empty is BASIC
}

// total is how much moved.
type total struct {
	Count int64 `json:"count"`
	Fen   int64 `json:"fen"`
}

func (t *total) add(fen int64) {
	t.Count++
	t.Fen += fen
}

// totals are GET /simulator/totals.
type totals struct {
	Charge total `json:"charge"`
	Refund total `json:"refund"`
	Payout total `json:"payout"`
}

func (t *totals) of(kind string) *total {
	switch kind {
	case kindRefund:
		return &t.Refund
	case kindPayout:
		return &t.Payout
	}
	return &t.Charge
}

// move notes that a record moved money. Movements follow from records alone, so
// the file that is read back gives the same ones under the same IDs.
func (b *book) move(r *record, m movement) {
	m.At, m.No = r.At, r.No
	b.add(m, r.Twice)
}

func (b *book) add(m movement, twice bool) {
	times := 1
	if twice {
		times = 2
	}
	sum := b.totals.of(m.Kind)
	for range times {
		m.ID = int64(len(b.movements)) + 1
		b.movements = append(b.movements, m)
		sum.add(m.AmountFen)
	}
}

// moved returns all movements so far. The slice is shared and never changes.
func (b *book) moved() ([]movement, totals, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.movements[:len(b.movements):len(b.movements)], b.totals, b.broken
}

// getMovements lists movements after an ID.
func (s *Simulator) getMovements(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	after, err1 := number(query.Get("after"), 0)
	limit, err2 := number(query.Get("limit"), movementsPage)
	if err1 != nil || err2 != nil || after < 0 || limit < 1 || limit > movementsPageMax {
		s.refuse(w, refusal.BadQuery("limit", query.Get("limit"), "want after >= 0 and 1 <= limit <= "+strconv.Itoa(movementsPageMax)))
		return
	}
	all, _, err := s.journal.book.moved()
	if err != nil {
		s.refuse(w, err)
		return
	}
	from := min(after, int64(len(all)))
	all = all[from:min(from+limit, int64(len(all)))]
	s.plain(w, http.StatusOK, map[string][]movement{"movements": all})
}

func (s *Simulator) getTotals(w http.ResponseWriter, _ *http.Request) {
	_, sums, err := s.journal.book.moved()
	if err != nil {
		s.refuse(w, err)
		return
	}
	s.plain(w, http.StatusOK, sums)
}

func number(text string, absent int64) (int64, error) {
	if text == "" {
		return absent, nil
	}
	return strconv.ParseInt(text, 10, 64)
}
