package receiver

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

const (
	keptMax        = 200
	showDefault    = 50
	bodyBytesMax   = 128 << 10 // what the service promises to stay below
	headerWaitMax  = 5 * time.Second
	requestWaitMax = 10 * time.Second
	answerWaitMax  = 15 * time.Second
	idleWaitMax    = 60 * time.Second
	headerBytesMax = 16 << 10
	shutdownMax    = 5 * time.Second
)

// Config is what a receiver needs.
type Config struct {
	Secret string // whsec_…, the one that the service signs under
	Show   int    // events on the page, 1 to 200; 0 is 50
	Now    func() time.Time
	Log    *slog.Logger
}

// Format names no secret under any verb.
func (c Config) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, "event receiver") }

func (c *Config) validate() error {
	switch {
	case c.Secret == "":
		return errors.New("event receiver: Secret: want whsec_ and base64")
	case c.Show < 1 || c.Show > keptMax:
		return fmt.Errorf("event receiver: Show: want 1 <= events <= %d, have %d", keptMax, c.Show)
	case c.Now == nil || c.Log == nil:
		return errors.New("event receiver: Now, Log: want a clock and a log")
	}
	return nil
}

// Receiver keeps the last events in memory. It is safe for concurrent use.
type Receiver struct {
	hook *standardwebhooks.Webhook
	page *page
	inbox
	now  func() time.Time
	log  *slog.Logger
	show int
}

// New refuses an incomplete configuration and names the field and its rule.
func New(cfg Config) (*Receiver, error) {
	cfg.Show = cmp.Or(cfg.Show, showDefault)
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	hook, err := standardwebhooks.NewWebhook(cfg.Secret)
	if err != nil {
		return nil, errors.New("event receiver: Secret: want whsec_ and base64")
	}
	p, err := newPage()
	if err != nil {
		return nil, err
	}
	return &Receiver{hook: hook, page: p, now: cfg.Now, log: cfg.Log, show: cfg.Show}, nil
}

// Handler takes events at POST /events and shows them at GET / and GET /events.
func (r *Receiver) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /events", r.take)
	mux.HandleFunc("GET /events", r.list)
	mux.HandleFunc("GET /{$}", r.showPage)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	return mux
}

// Run serves on ln until ctx ends, which is nil, or something breaks. It closes
// ln.
func (r *Receiver) Run(ctx context.Context, ln net.Listener) error {
	server := &http.Server{
		Handler: r.Handler(), ReadHeaderTimeout: headerWaitMax, ReadTimeout: requestWaitMax,
		WriteTimeout: answerWaitMax, IdleTimeout: idleWaitMax, MaxHeaderBytes: headerBytesMax,
		ErrorLog: slog.NewLogLogger(r.log.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	select {
	case err := <-served:
		return fmt.Errorf("event receiver: %w", err)
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownMax)
	defer cancel()
	if server.Shutdown(ctx) != nil {
		_ = server.Close() // they had their time
	}
	<-served
	return nil
}

// take answers 204 to what it has, and 400 to what it will not believe.
func (r *Receiver) take(w http.ResponseWriter, req *http.Request) {
	// Room for what the header promises, and for the read that finds the end.
	room := min(max(req.ContentLength, 0), bodyBytesMax) + bytes.MinRead
	buffer := bytes.NewBuffer(make([]byte, 0, room))
	if _, err := buffer.ReadFrom(http.MaxBytesReader(w, req.Body, bodyBytesMax)); err != nil {
		r.refuse(w, http.StatusRequestEntityTooLarge, err)
		return
	}
	body := buffer.Bytes()
	if err := r.hook.Verify(body, req.Header); err != nil {
		r.refuse(w, http.StatusBadRequest, err)
		return
	}
	e := event{ID: req.Header.Get(standardwebhooks.HeaderWebhookID), ReceivedAt: r.now(), Times: 1, Body: jsontext.Value(body)}
	if err := json.Unmarshal(body, &e.Content); err != nil {
		r.refuse(w, http.StatusBadRequest, err)
		return
	}
	r.keep(e)
	w.WriteHeader(http.StatusNoContent)
}

func (r *Receiver) refuse(w http.ResponseWriter, status int, err error) {
	r.miss()
	r.log.Warn("event refused", "status", status, "error", err)
	http.Error(w, http.StatusText(status), status)
}

func (r *Receiver) list(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if err := json.MarshalWrite(w, r.look(keptMax)); err != nil {
		r.log.Warn("events", "error", err) // a client that hung up asks again
	}
}
