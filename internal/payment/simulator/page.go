package simulator

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"net/http"

	"hongbao/internal/payment/simulator/ledger"
	"hongbao/internal/payment/simulator/refusal"
	"hongbao/internal/payment/simulator/states"
	"hongbao/internal/payment/simulator/wire"
)

var (
	//go:embed page.html
	payHTML string
	//go:embed confirm.html
	confirmHTML string
	//go:embed page.css
	pageCSS string
)

// pages are the wallet's: where a payer pays and where a payee confirms. They
// load nothing, and their policy lets them run nothing: the one style sheet is
// inline and named by its hash.
type pages struct {
	pay, confirm *template.Template
	policy       string
}

func newPages() (*pages, error) {
	pay, err1 := template.New("pay").Parse(payHTML)
	confirm, err2 := template.New("confirm").Parse(confirmHTML)
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	sum := sha256.Sum256([]byte(pageCSS))
	return &pages{
		pay: pay, confirm: confirm,
		policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
			"'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
	}, nil
}

// pageView is what a page shows.
type pageView struct {
	Style         template.CSS
	State         string // of the order or transfer; empty when there is none to show
	Yuan          string
	Description   string
	OrderNo       string
	TransactionID string
	Trouble       string
}

// showPay renders an order, or why there is none.
func (s *Simulator) showPay(w http.ResponseWriter, o *ledger.Order, err error) {
	var view pageView
	switch {
	case errors.Is(err, refusal.ErrClosed):
		view.State = states.Closed
	case err == nil:
		view = pageView{
			State: o.State(s.cfg.Now()), Yuan: wire.Yuan(o.AmountFen), Description: o.Description, OrderNo: o.No, TransactionID: o.TransactionID,
		}
	}
	s.show(w, s.pages.pay, view, err)
}

// showConfirm renders a transfer, or why there is none.
func (s *Simulator) showConfirm(w http.ResponseWriter, t *ledger.Transfer, err error) {
	var view pageView
	if t.No != "" {
		view = pageView{
			State: t.State(s.cfg.Now()), Yuan: wire.Yuan(t.AmountFen), Description: t.Remark, OrderNo: t.No, TransactionID: t.BillNo, Trouble: t.Reason,
		}
	}
	s.show(w, s.pages.confirm, view, err)
}

func (s *Simulator) show(w http.ResponseWriter, page *template.Template, view pageView, err error) {
	view.Style = template.CSS(pageCSS)
	status := http.StatusOK
	if err != nil {
		refused := refusal.Of(err)
		status, view.Trouble = refused.Status, refused.Code
	}
	var body bytes.Buffer
	if err := page.Execute(&body, view); err != nil {
		s.cfg.Log.Error("page", "error", err)
		status = http.StatusInternalServerError
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", s.pages.policy)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer") // the address is what pays
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // a client that hung up asks again
}
