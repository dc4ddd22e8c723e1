package simulator

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
)

var (
	//go:embed page.html
	pageHTML string
	//go:embed page.css
	pageCSS string
)

// page is the wallet's only page. It loads nothing, and its policy lets it run
// nothing: the one style sheet is inline and named by its hash.
type page struct {
	template *template.Template
	policy   string
}

func newPage() (*page, error) {
	parsed, err := template.New("page").Parse(pageHTML)
	if err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	sum := sha256.Sum256([]byte(pageCSS))
	return &page{
		template: parsed,
		policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
			"'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
	}, nil
}

// pageView is what the page shows.
type pageView struct {
	Style         template.CSS
	State         string // of the order; empty when there is none to show
	Yuan          string
	Description   string
	OrderNo       string
	TransactionID string
	Trouble       string
}

// showPage renders an order, or why there is none.
func (s *Simulator) showPage(w http.ResponseWriter, o *order, err error) {
	view, status := pageView{Style: template.CSS(pageCSS)}, http.StatusOK
	switch {
	case err != nil:
		refused := asRefusal(err)
		status, view.Trouble = refused.status, refused.Code
		if refused == errClosed {
			view.State = stateClosed
		}
	default:
		view.State, view.Yuan = o.state(s.cfg.Now()), yuan(o.AmountFen)
		view.Description, view.OrderNo, view.TransactionID = o.Description, o.no, o.transactionID
	}
	var body bytes.Buffer
	if err := s.page.template.Execute(&body, view); err != nil {
		s.cfg.Log.Error("page", "err", err)
		status = http.StatusInternalServerError
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", s.page.policy)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer") // the address is what pays
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // whoever hung up asks again
}

func yuan(fen int64) string { return fmt.Sprintf("%d.%02d", fen/100, fen%100) }
