package webhook

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

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
	signer  signer
	request *http.Request // what every event's request has
	// transport is used without a client over it: a client follows redirects, and
	// what is signed for one endpoint is not sent to the host it names.
	transport *http.Transport
	metrics   *metrics
}

// New refuses an incomplete configuration and names the field and its rule. It
// does not call the endpoint.
func New(cfg Config) (*Sender, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	c := &cfg
	signer, err := newSigner(c.Secrets)
	if err != nil {
		return nil, fmt.Errorf("webhook: Secrets: %w", err)
	}
	request, err := http.NewRequest(http.MethodPost, c.URL, nil)
	if err != nil {
		return nil, fmt.Errorf("webhook: URL: %w", err)
	}
	return &Sender{
		cfg: c, signer: signer, request: request, metrics: newMetrics(),
		transport: newTransport(c.guard(), c.Timeout, net.DefaultResolver),
	}, nil
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

// Close drops the connections: an idle one at once, a busy one when its event is
// answered. It belongs after the last Tell; one that comes later dials again.
func (s *Sender) Close() { s.transport.CloseIdleConnections() }

// Tell posts the event of a fact once and is nil when the endpoint has it: any
// 2xx. An error wraps [ErrGone] when the endpoint wants no more events, and a
// [envelope.BusyError] when it says when to come back. After any other error the
// fact may be sent again: the endpoint may have it or not.
func (s *Sender) Notify(ctx context.Context, f envelope.Fact) error {
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

// post returns no error that quotes the URL, which may hold a key.
func (s *Sender) post(ctx context.Context, m message) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	res, err := s.transport.RoundTrip(s.signed(ctx, m))
	if err != nil {
		return err
	}
	defer res.Body.Close()
	// What the answer says beside its status is not looked at, and not logged: it
	// may quote the ticket. A body that breaks off takes nothing back.
	_, _ = io.CopyN(io.Discard, res.Body, answerBytesMax+1)
	return judge(res, s.cfg.Now())
}

// signed is the request of one attempt. The transport asks for the body anew when
// it finds that the endpoint has closed the connection it took.
func (s *Sender) signed(ctx context.Context, m message) *http.Request {
	timestamp := strconv.FormatInt(s.cfg.Now().Unix(), 10)
	req := s.request.WithContext(ctx)
	req.Header = http.Header{
		headerID:        {m.id},
		headerTimestamp: {timestamp},
		headerSignature: {s.signer.sign(m.id, timestamp, m.body)},
		"Content-Type":  {"application/json"},
		"User-Agent":    {"hongbao"},
	}
	req.ContentLength = int64(len(m.body))
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(m.body)), nil }
	req.Body = io.NopCloser(bytes.NewReader(m.body))
	return req
}
