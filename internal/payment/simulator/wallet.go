package simulator

import (
	"context"
	"net/http"
	"strings"
	"time"

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
		fresh = r != nil
		return r, err
	})
	if err != nil {
		return order{}, err
	}
	o, err := s.journal.book.byToken(token)
	if err != nil || !fresh {
		return o, err
	}
	timer := time.NewTimer(firstDeliveryWaitMax)
	defer timer.Stop()
	select {
	case o.notified = <-s.dispatch.notify(o.no):
	case <-timer.C:
	case <-ctx.Done():
	}
	return o, nil
}

func (s *Simulator) postPay(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, formBytesMax)
	o, err := s.pay(r.Context(), r.PathValue("token"))
	if wantsPage(r) {
		s.showPage(w, &o, err)
		return
	}
	if err != nil {
		refused := asRefusal(err)
		s.plain(w, refused.status, refused)
		return
	}
	s.plain(w, http.StatusOK, receipt{OrderNo: o.no, TransactionID: o.transactionID, TradeState: statePaid, Notified: o.notified})
}

func (s *Simulator) getPay(w http.ResponseWriter, r *http.Request) {
	o, err := s.journal.book.byToken(r.PathValue("token"))
	s.showPage(w, &o, err)
}

// plain answers JSON without a signature: to a wallet, not to the merchant.
func (s *Simulator) plain(w http.ResponseWriter, status int, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		s.cfg.Log.Error("answer", "err", err)
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
