package payment

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"hongbao/envelope"
	"hongbao/internal/payment/apiv3"
)

const (
	// connsMax bounds the connections to the provider, busy and idle alike: an
	// idle pool smaller than the load would dial anew for every call.
	connsMax = 64
	// connIdleMax closes a connection before the provider's front does.
	connIdleMax = 30 * time.Second
	// answerBytesMax bounds what is read of an answer.
	answerBytesMax = 64 << 10
)

// Client speaks APIv3 for one merchant. It is safe for concurrent use.
type Client struct {
	cfg      *Config
	verifier apiv3.Verifier
	http     *http.Client
	metrics  *metrics
}

var (
	_ envelope.Provider = (*Client)(nil)
	_ envelope.Cashier  = (*Client)(nil)
)

// New refuses an incomplete configuration and names the field and its rule. It
// does not call the provider.
func New(cfg Config) (*Client, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	c := &cfg
	return &Client{
		cfg:      c,
		verifier: apiv3.Verifier{Keys: c.PlatformKeys, Now: c.Now},
		metrics:  newMetrics(),
		http: &http.Client{
			Timeout: c.Timeout,
			// A redirect is not signed; following one would send a signed
			// request to the host it names.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{
				Proxy:               http.ProxyFromEnvironment,
				DialContext:         (&net.Dialer{Timeout: c.Timeout / 2}).DialContext,
				TLSHandshakeTimeout: c.Timeout / 2,
				MaxConnsPerHost:     connsMax,
				MaxIdleConns:        connsMax,
				MaxIdleConnsPerHost: connsMax,
				IdleConnTimeout:     connIdleMax,
				DisableCompression:  true, // signatures cover the bytes as sent
			},
		},
	}, nil
}

// Format prints the configuration, without its keys, under every verb.
func (c *Client) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, c.cfg.String()) }

// LogValue is the same.
func (c *Client) LogValue() slog.Value { return c.cfg.LogValue() }

// Close drops the idle connections. Calls may still be made.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// call is one request, the same at every attempt but for its signature.
type call struct {
	name   string // for metrics and errors
	method string
	target string // path and query
	body   []byte

	means map[string]error // the refusals that are answers to this very call
	// moves says that the call moves money. It is sent once: what an attempt that
	// had no answer has done is queried, not retried.
	moves bool
}

// answer is what came back. An answer whose stamp is not nil must not be acted on.
type answer struct {
	status int
	body   []byte
	stamp  error // why the signature does not hold
}

// attempt makes one signed round trip. An error is the transport's: whether the
// provider saw the request is open.
func (c *Client) attempt(ctx context.Context, q call) (answer, error) {
	req, err := c.request(ctx, &q)
	if err != nil {
		return answer{}, err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, answerBytesMax+1))
	if err != nil {
		return answer{}, fmt.Errorf("reading the answer: %w", err)
	}
	a := answer{status: res.StatusCode, body: body}
	if len(body) > answerBytesMax {
		a.stamp = errors.New("the answer is too long to be one")
		return a, nil
	}
	a.stamp = c.verifier.Verify(res.Header, body)
	return a, nil
}

// request signs the call.
func (c *Client) request(ctx context.Context, q *call) (*http.Request, error) {
	auth, err := apiv3.Authorize(c.cfg.MerchantKey, c.cfg.MerchantID, c.cfg.MerchantSerial, c.cfg.Now(), q.method, q.target, q.body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, q.method, c.cfg.BaseURL+q.target, bytes.NewReader(q.body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", auth.String())
	req.Header.Set(apiv3.HeaderSerial, c.cfg.PlatformSerial)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "hongbao")
	if len(q.body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, nil
}
