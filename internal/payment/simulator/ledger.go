package simulator

import (
	"net/http"
	"time"

	"github.com/go-json-experiment/json"

	"hongbao/internal/payment/simulator/ledger"
)

const (
	// ledgerPageMax is how many orders are copied under one lock.
	ledgerPageMax = 1024
	// ledgerWriteMax is how long a reader of the whole ledger may take.
	ledgerWriteMax = 5 * time.Minute
)

// entry is one line of GET /ledger.
type entry struct {
	OrderNo       string     `json:"order_no"`
	State         string     `json:"state"` // NOTPAY, SUCCESS, REFUND or CLOSED
	AmountFen     int64      `json:"amount_fen"`
	TransactionID string     `json:"transaction_id,omitzero"`
	PaidAt        *time.Time `json:"paid_at,omitzero"`
	Notified      bool       `json:"notified"`
}

// ledger lists every order in the order of placing, one JSON object a line.
func (s *Simulator) ledger(w http.ResponseWriter, _ *http.Request) {
	// Past the server's own deadline, which is for small answers. A writer that
	// has no deadlines needs no longer one.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(ledgerWriteMax))
	w.Header().Set("Content-Type", "application/jsonl; charset=utf-8")
	now := s.cfg.Now()
	for from := 0; ; {
		orders, err := s.journal.Book.Page(from, ledgerPageMax)
		if err != nil {
			panic(http.ErrAbortHandler) // a short list must not pass for a whole one
		}
		for i := range orders {
			if err := json.MarshalWrite(w, s.entry(&orders[i], now)); err != nil {
				return // the reader is gone
			}
			if _, err := w.Write([]byte{'\n'}); err != nil {
				return
			}
		}
		if from += len(orders); len(orders) < ledgerPageMax {
			return
		}
	}
}

func (s *Simulator) entry(o *ledger.Order, now time.Time) entry {
	e := entry{OrderNo: o.No, State: o.State(now), AmountFen: o.AmountFen, TransactionID: o.TransactionID, Notified: o.Notified}
	if !o.PaidAt.IsZero() {
		e.PaidAt = &o.PaidAt
	}
	return e
}

func (s *Simulator) healthz(w http.ResponseWriter, _ *http.Request) {
	if _, err := s.journal.Book.Page(0, 0); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}
