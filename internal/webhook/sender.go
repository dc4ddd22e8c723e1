package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"hongbao/envelope"
)

const (
	// connsMax bounds the connections to the endpoint, busy and idle alike: an
	// idle pool smaller than the load would dial anew for every event.
	connsMax = 64
	// connIdleMax closes a connection before most receivers do.
	connIdleMax = 30 * time.Second
	// answerBytesMax bounds what is read of an answer, so that its connection can
	// be used again. A longer one costs the connection and nothing else.
	answerBytesMax = 4 << 10
	// headerBytesMax bounds the header of an answer.
	headerBytesMax = 16 << 10
)

// Sender posts events to one endpoint. It is safe for concurrent use.
type Sender struct {
	cfg     *Config
	hooks   []*standardwebhooks.Webhook // one a secret
	http    *http.Client
	metrics *metrics
}

// New refuses an incomplete configuration and names the field and its rule. It
// does not call the endpoint.
func New(cfg Config) (*Sender, error) {
	c, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	s := &Sender{cfg: c, metrics: newMetrics(), http: &http.Client{
		Timeout:   c.Timeout,
		Transport: newTransport(c.guard(), c.Timeout, net.DefaultResolver),
		// What is signed for one endpoint is not sent to whoever it names.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	for _, secret := range c.Secrets {
		hook, err := standardwebhooks.NewWebhook(string(secret))
		if err != nil {
			return nil, fmt.Errorf("webhook: Secrets: %w", err)
		}
		s.hooks = append(s.hooks, hook)
	}
	return s, nil
}

// newTransport has no proxy: the guard would then see the proxy's address and not
// the endpoint's.
func newTransport(g guard, timeout time.Duration, resolver *net.Resolver) *http.Transport {
	return &http.Transport{
		DialContext:            (&net.Dialer{Timeout: timeout / 2, Resolver: resolver, Control: g.control}).DialContext,
		TLSHandshakeTimeout:    timeout / 2,
		MaxConnsPerHost:        connsMax,
		MaxIdleConns:           connsMax,
		MaxIdleConnsPerHost:    connsMax,
		IdleConnTimeout:        connIdleMax,
		MaxResponseHeaderBytes: headerBytesMax,
		DisableCompression:     true, // nothing is read, so nothing needs to be unpacked
	}
}

// Format prints the configuration, without its secrets, under every verb.
func (s *Sender) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, s.cfg.String()) }

// LogValue is the same.
func (s *Sender) LogValue() slog.Value { return s.cfg.LogValue() }

// Close drops the idle connections. Facts may still be told.
func (s *Sender) Close() { s.http.CloseIdleConnections() }

// Tell posts the event of a fact once and is nil when the endpoint has it: any
// 2xx. An error wraps [ErrGone] when the endpoint wants no more events, and a
// [envelope.BusyError] when it says when to come back. After any other error the
// fact may be told again: the endpoint may have it or not.
func (s *Sender) Tell(ctx context.Context, f envelope.Fact) error {
	m, err := write(&f, s.cfg.Tickets)
	if err != nil {
		return fmt.Errorf("webhook: %w", err)
	}
	start := time.Now()
	err = s.post(ctx, m)
	s.metrics.observe(m.kind, start, err)
	if err != nil {
		return fmt.Errorf("webhook %s: %w", m.id, err)
	}
	return nil
}

func (s *Sender) post(ctx context.Context, m message) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.cfg.URL, bytes.NewReader(m.body))
	if err != nil {
		return err
	}
	if err := s.sign(req.Header, m); err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "hongbao")
	res, err := s.http.Do(req)
	if err != nil {
		// The outer error quotes the URL, and a URL may hold a key.
		if outer, ok := errors.AsType[*url.Error](err); ok {
			err = outer.Err
		}
		return err
	}
	defer res.Body.Close()
	// What the answer says beside its status is not looked at, and not logged: it
	// may quote the ticket. A body that breaks off takes nothing back.
	_, _ = io.CopyN(io.Discard, res.Body, answerBytesMax+1)
	return judge(res, s.cfg.Now())
}

func (s *Sender) sign(h http.Header, m message) error {
	now := s.cfg.Now()
	signatures := make([]string, len(s.hooks))
	for i, hook := range s.hooks {
		var err error
		if signatures[i], err = hook.Sign(m.id, now, m.body); err != nil {
			return err
		}
	}
	h.Set(standardwebhooks.HeaderWebhookID, m.id)
	h.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	h.Set(standardwebhooks.HeaderWebhookSignature, strings.Join(signatures, " "))
	return nil
}
