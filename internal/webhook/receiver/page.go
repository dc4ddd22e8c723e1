package receiver

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"time"
)

// namesMax bounds the shares that one line of the page names; the rest is in the
// event itself below it.
const namesMax = 5

var (
	//go:embed page.html
	pageHTML string
	//go:embed page.css
	pageCSS string
)

// page is what people look at. It loads nothing and runs nothing; it comes again
// by itself unless asked to stand still.
type page struct {
	template *template.Template
	policy   string
}

func newPage() (*page, error) {
	parsed, err := template.New("page").Funcs(template.FuncMap{
		"yuan":  func(fen int64) string { return fmt.Sprintf("%d.%02d", fen/100, fen%100) },
		"clock": func(t time.Time) string { return t.Format(time.TimeOnly) },
		"first": func(all []share) []share { return all[:min(len(all), namesMax)] },
		"rest":  func(all []share) int { return max(0, len(all)-namesMax) },
		"lines": lines,
	}).Parse(pageHTML)
	if err != nil {
		return nil, fmt.Errorf("event receiver: %w", err)
	}
	sum := sha256.Sum256([]byte(pageCSS))
	return &page{
		template: parsed,
		policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
			"'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'",
	}, nil
}

// lines is an event for reading. What cannot be laid out is shown as it came.
func lines(e event) string {
	pretty := e.Body.Clone()
	if err := pretty.Indent(); err != nil {
		return string(e.Body)
	}
	return string(pretty)
}

type pageView struct {
	view
	Style template.CSS
	Still bool
}

func (r *Receiver) showPage(w http.ResponseWriter, req *http.Request) {
	seen := pageView{view: r.look(r.show), Style: template.CSS(pageCSS), Still: req.URL.Query().Has("still")}
	status := http.StatusOK
	var body bytes.Buffer
	if err := r.page.template.Execute(&body, seen); err != nil {
		r.log.Error("page", "err", err)
		status = http.StatusInternalServerError
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", r.page.policy)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // whoever hung up asks again
}
