package receiver

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
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

// openMax bounds the events that an address can ask to be open.
const openMax = 200

// zone is that of the times on the page, which says so: the zone of the business day.
var zone = time.FixedZone("UTC+08:00", 8*60*60)

// page is what people look at. It loads nothing and runs nothing; it comes again
// by itself unless asked to stand still. What is open is part of its address, and so
// stays open when it comes again.
type page struct {
	template *template.Template
	policy   string
}

func newPage() (*page, error) {
	parsed, err := template.New("page").Funcs(template.FuncMap{
		"yuan":  func(fen int64) string { return fmt.Sprintf("%d.%02d", fen/100, fen%100) },
		"clock": func(t time.Time) string { return t.In(zone).Format(time.TimeOnly) },
		"stamp": func(t time.Time) string { return t.In(zone).Format(time.RFC3339) },
		"zone":  zone.String,
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
	open  []string // IDs of events that are shown
}

// IsOpen reports whether the page shows the whole of an event.
func (v pageView) IsOpen(id string) bool { return slices.Contains(v.open, id) }

// Turn is the address of the page with one event more, or less, open.
func (v pageView) Turn(id string) string {
	open := slices.DeleteFunc(slices.Clone(v.open), func(other string) bool { return other == id })
	if len(open) == len(v.open) {
		open = append(open, id)
	}
	return v.address(v.Still, open) + "#" + url.PathEscape(id)
}

// Pause is the address of the page that stands still, or goes on.
func (v pageView) Pause() string { return v.address(!v.Still, v.open) }

func (v pageView) address(still bool, open []string) string {
	query := url.Values{"open": open}
	if still {
		query.Set("still", "1")
	}
	return "/?" + query.Encode()
}

// pageOf is the page as its address asks for it.
func (r *Receiver) pageOf(query url.Values) pageView {
	v := pageView{view: r.look(r.show), Style: template.CSS(pageCSS), Still: query.Has("still")}
	asked := query["open"]
	for _, e := range v.Events { // so there are no more than are shown
		if slices.Contains(asked[:min(len(asked), openMax)], e.ID) {
			v.open = append(v.open, e.ID)
		}
	}
	return v
}

func (r *Receiver) showPage(w http.ResponseWriter, req *http.Request) {
	seen := r.pageOf(req.URL.Query())
	status := http.StatusOK
	var body bytes.Buffer
	if err := r.page.template.Execute(&body, seen); err != nil {
		r.log.Error("page", "error", err)
		status = http.StatusInternalServerError
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", r.page.policy)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // a client that hung up asks again
}
