package simulator

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"hongbao/internal/payment/simulator/dispatch"
	"hongbao/internal/payment/simulator/ledger"
	"hongbao/internal/payment/simulator/lies"
	"hongbao/internal/payment/simulator/refusal"
)

const (
	// firstDeliveryWaitMax is how long a payer's answer waits to say whether the
	// merchant has taken the notification already. The payment stands either way.
	firstDeliveryWaitMax = 2 * time.Second
	// formBytesMax bounds the body of a press of the button. It is not looked at.
	formBytesMax = 4 << 10
)

// receipt is what a wallet is answered.
type receipt struct {
	OrderNo       string `json:"order_no"`
	TransactionID string `json:"transaction_id"`
	TradeState    string `json:"trade_state"`
	Notified      bool   `json:"notified"` // the merchant has taken the notification
}

// pay pays an order: once, whatever is repeated.
func (s *Simulator) pay(ctx context.Context, token string) (ledger.Order, error) {
	var fresh bool
	// A payer that hangs up must not part a payment from its notification.
	err := s.journal.Commit(context.WithoutCancel(ctx), func(b *ledger.Book) (*ledger.Record, error) {
		r, err := b.Pay(token, s.cfg.Now())
		if fresh = r != nil; fresh {
			r.Twice = s.liar.Tells(lies.Operation{Kind: ledger.KindCharge, No: r.No}, lies.Twice)
		}
		return r, err
	})
	if err != nil {
		return ledger.Order{}, err
	}
	o, err := s.journal.Book.OrderByToken(token)
	if err != nil || !fresh {
		return o, err
	}
	timer := time.NewTimer(firstDeliveryWaitMax)
	defer timer.Stop()
	select {
	case o.Notified = <-s.notify(dispatch.Event{Kind: ledger.KindCharge, No: o.No}):
	case <-timer.C:
	case <-ctx.Done():
	}
	return o, nil
}

func (s *Simulator) postPay(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, formBytesMax)
	o, err := s.pay(r.Context(), r.PathValue("token"))
	if wantsPage(r) {
		s.showPay(w, &o, err)
		return
	}
	if err != nil {
		s.refuse(w, err)
		return
	}
	s.plain(w, http.StatusOK, receipt{OrderNo: o.No, TransactionID: o.TransactionID, TradeState: o.State(s.cfg.Now()), Notified: o.Notified})
}

func (s *Simulator) getPay(w http.ResponseWriter, r *http.Request) {
	o, err := s.journal.Book.OrderByToken(r.PathValue("token"))
	s.showPay(w, &o, err)
}

// acknowledgement is what a payee's wallet is answered.
type acknowledgement struct {
	No     string `json:"out_bill_no"`
	BillNo string `json:"transfer_bill_no"`
	State  string `json:"state"`
}

func (s *Simulator) postConfirm(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, formBytesMax)
	// A payee that hangs up has confirmed all the same.
	t, err := s.confirmTransfer(context.WithoutCancel(r.Context()), r.PathValue("token"))
	switch {
	case wantsPage(r):
		s.showConfirm(w, &t, err)
	case err != nil:
		s.refuse(w, err)
	default:
		s.plain(w, http.StatusOK, acknowledgement{No: t.No, BillNo: t.BillNo, State: t.State(s.cfg.Now())})
	}
}

func (s *Simulator) getConfirm(w http.ResponseWriter, r *http.Request) {
	t, err := s.journal.Book.TransferByToken(r.PathValue("token"))
	s.showConfirm(w, &t, err)
}

// refuse answers a refusal without a signature.
func (s *Simulator) refuse(w http.ResponseWriter, err error) {
	refused := refusal.Of(err)
	s.plain(w, refused.Status, refused)
}

// plain answers JSON without a signature: to a wallet, not to the merchant.
func (s *Simulator) plain(w http.ResponseWriter, status int, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		s.cfg.Log.Error("answer", "error", err)
		status = http.StatusInternalServerError
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that hung up asks again
}

// wantsPage tells a browser's form from a program.
func wantsPage(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "text/html")
}
