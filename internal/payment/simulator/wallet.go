package simulator

import (
	"context"
	"net/http"
	"strings"
	"time"

	"hongbao/internal/payment/simulator/refusal"

	"github.com/go-json-experiment/json"
)

const (
	// firstDeliveryWaitMax is how long a payer's answer waits to say whether the
	// merchant has heard already. The payment stands either way.
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
func (s *Simulator) pay(ctx context.Context, token string) (order, error) {
	var fresh bool
	// A payer who hangs up must not part a payment from its notification.
	err := s.journal.commit(context.WithoutCancel(ctx), func(b *book) (*record, error) {
		r, err := b.pay(token, s.cfg.Now())
		if fresh = r != nil; fresh {
			r.Twice = s.liar.tells(operation{kind: kindCharge, no: r.No}, twice)
		}
		return r, err
	})
	if err != nil {
		return order{}, err
	}
	o, err := s.orderOf(token)
	if err != nil || !fresh {
		return o, err
	}
	timer := time.NewTimer(firstDeliveryWaitMax)
	defer timer.Stop()
	select {
	case o.notified = <-s.notify(event{kindCharge, o.no}):
	case <-timer.C:
	case <-ctx.Done():
	}
	return o, nil
}

func (s *Simulator) orderOf(token string) (order, error) {
	return find(s.journal.book, s.journal.book.payTokens, token, refusal.ErrNoOrder)
}

func (s *Simulator) transferOf(token string) (transfer, error) {
	return find(s.journal.book, s.journal.book.payeeTokens, token, refusal.ErrNoTransfer)
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
	s.plain(w, http.StatusOK, receipt{OrderNo: o.no, TransactionID: o.transactionID, TradeState: o.state(s.cfg.Now()), Notified: o.notified})
}

func (s *Simulator) getPay(w http.ResponseWriter, r *http.Request) {
	o, err := s.orderOf(r.PathValue("token"))
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
	// A payee who hangs up has confirmed all the same.
	t, err := s.confirmTransfer(context.WithoutCancel(r.Context()), r.PathValue("token"))
	switch {
	case wantsPage(r):
		s.showConfirm(w, &t, err)
	case err != nil:
		s.refuse(w, err)
	default:
		s.plain(w, http.StatusOK, acknowledgement{No: t.no, BillNo: t.billNo, State: t.state(s.cfg.Now())})
	}
}

func (s *Simulator) getConfirm(w http.ResponseWriter, r *http.Request) {
	t, err := s.transferOf(r.PathValue("token"))
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
	_, _ = w.Write(body) // whoever hung up asks again
}

// wantsPage tells a browser's form from a program.
func wantsPage(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "text/html")
}
