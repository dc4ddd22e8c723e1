package operator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

const (
	// callMax outlives the bound that hongbaod has for the same call, so that it is
	// hongbaod that says what came of it.
	callMax        = answerMax + 5*time.Second
	answerBytesMax = 64 << 20 // some hundred SETs full of what waits for people
)

// Client calls the API. Every call may be repeated.
type Client struct {
	Base  string       // http://host:port
	Token string       // with scope operate; open calls need none
	HTTP  *http.Client // nil: the default one
}

// Problem is an answer that is not the one wanted (RFC 9457).
type Problem struct {
	Type      string `json:"type"`
	Status    int    `json:"status"`
	Code      string `json:"code"`
	Title     string `json:"title"`
	Detail    string `json:"detail,omitempty"`
	Field     string `json:"field,omitempty"`
	Rule      string `json:"rule,omitempty"`
	RequestID string `json:"request_id,omitempty"`
	Retryable bool   `json:"retryable"`
}

// Error says the reason first, then where it came from.
func (p *Problem) Error() string {
	reason := p.Title
	switch {
	case p.Field != "":
		reason = p.Field + " " + p.Rule
	case p.Detail != "":
		reason = p.Detail
	}
	said := fmt.Sprintf("%s (hongbaod answers %d %s", reason, p.Status, p.Code)
	if p.RequestID != "" {
		said += ", request " + p.RequestID
	}
	return said + ")"
}

// ErrNotReached wraps the reason why there was no answer.
var ErrNotReached = errors.New("hongbaod is not reached")

// ask makes one call of a pattern.
func ask[O any](ctx context.Context, c *Client, pattern string, in any) (out O, err error) {
	raw, err := c.raw(ctx, pattern, in, callMax)
	if err != nil {
		return out, err
	}
	if _, none := any(out).(None); none {
		return out, nil
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		return out, fmt.Errorf("%s: %w", pattern, err)
	}
	return out, nil
}

// raw makes one call and returns the body of its answer.
func (c *Client) raw(ctx context.Context, pattern string, in any, max time.Duration) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, max)
	defer cancel()
	method, path, query := encode(pattern, in)
	req, err := http.NewRequestWithContext(ctx, method, c.Base+path, nil)
	if err != nil {
		return nil, err
	}
	req.URL.RawQuery = query.Encode()
	return c.do(req)
}

// do makes a request and returns the body of an answer that is the one wanted.
func (c *Client) do(req *http.Request) ([]byte, error) {
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	h := c.HTTP
	if h == nil {
		h = http.DefaultClient
	}
	res, err := h.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotReached, err)
	}
	raw, err := io.ReadAll(io.LimitReader(res.Body, answerBytesMax))
	if err = errors.Join(err, res.Body.Close()); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotReached, err)
	}
	if res.StatusCode/100 == 2 {
		return raw, nil
	}
	p := &Problem{}
	if json.Unmarshal(raw, p) != nil || p.Code == "" {
		p.Title, p.Code = strings.TrimSpace(string(raw[:min(len(raw), 1000)])), "no_problem"
	}
	p.Status = res.StatusCode
	return nil, p
}

// Outbox is what every SET owes.
func (c *Client) Outbox(ctx context.Context) (Outbox, error) {
	return ask[Outbox](ctx, c, "GET /outbox", None{})
}

// Pause stops a topic, or all, in every SET.
func (c *Client) Pause(ctx context.Context, in PauseInput) (Steered, error) {
	return ask[Steered](ctx, c, "POST /outbox/pause", in)
}

// Resume lets a topic, or all, go on.
func (c *Client) Resume(ctx context.Context, in ResumeInput) (Steered, error) {
	return ask[Steered](ctx, c, "POST /outbox/resume", in)
}

// Parked are deliveries that were given up.
func (c *Client) Parked(ctx context.Context) (Parked, error) {
	return ask[Parked](ctx, c, "GET /parked", None{})
}

// Retry makes a parked delivery due at once.
func (c *Client) Retry(ctx context.Context, in DeliveryInput) error {
	_, err := ask[None](ctx, c, "POST /parked/{id}/{topic}/retry", in)
	return err
}

// Disputes are what the provider says and our rows deny.
func (c *Client) Disputes(ctx context.Context) (Disputes, error) {
	return ask[Disputes](ctx, c, "GET /disputes", None{})
}

// Held are transfers that wait for people.
func (c *Client) Held(ctx context.Context, in HeldInput) (Held, error) {
	return ask[Held](ctx, c, "GET /held", in)
}

// Release proposes to try a held transfer again.
func (c *Client) Release(ctx context.Context, in NumberInput) (Proposal, error) {
	return ask[Proposal](ctx, c, "POST /held/{no}/release", in)
}

// Redirect proposes to pay another person.
func (c *Client) Redirect(ctx context.Context, in RedirectInput) (Proposal, error) {
	return ask[Proposal](ctx, c, "POST /held/{no}/redirect", in)
}

// Settle proposes to take a held transfer as paid by the provider.
func (c *Client) Settle(ctx context.Context, in NumberInput) (Proposal, error) {
	return ask[Proposal](ctx, c, "POST /held/{no}/settle", in)
}

// Dismiss proposes to end what is disputed about a transfer.
func (c *Client) Dismiss(ctx context.Context, in NumberInput) (Proposal, error) {
	return ask[Proposal](ctx, c, "POST /held/{no}/dismiss", in)
}

// Withdraw takes a proposal back.
func (c *Client) Withdraw(ctx context.Context, in NumberInput) error {
	_, err := ask[None](ctx, c, "POST /held/{no}/withdraw", in)
	return err
}

// BulkRelease proposes to release all that is held for a reason.
func (c *Client) BulkRelease(ctx context.Context, in BulkReleaseInput) (Bulk, error) {
	return ask[Bulk](ctx, c, "POST /held/release", in)
}

// BulkApprove approves what another person has so proposed.
func (c *Client) BulkApprove(ctx context.Context, in BulkApproveInput) (Bulk, error) {
	return ask[Bulk](ctx, c, "POST /held/approve", in)
}

// Decisions are what people have proposed and decided.
func (c *Client) Decisions(ctx context.Context, in DecisionsInput) (Decisions, error) {
	return ask[Decisions](ctx, c, "GET /decisions", in)
}

// Approve carries out what another person proposed.
func (c *Client) Approve(ctx context.Context, in ApproveInput) (HeldRow, error) {
	return ask[HeldRow](ctx, c, "POST /held/{no}/approve", in)
}

// Dissolve proposes to dissolve a batch of payouts.
func (c *Client) Dissolve(ctx context.Context, in BatchInput) error {
	_, err := ask[None](ctx, c, "POST /batches/{batch}/dissolve", in)
	return err
}

// ApproveDissolve carries out what another person proposed about a batch.
func (c *Client) ApproveDissolve(ctx context.Context, in BatchInput) error {
	_, err := ask[None](ctx, c, "POST /batches/{batch}/approve", in)
	return err
}

// RetryStuck has what is stuck asked about or for again now.
func (c *Client) RetryStuck(ctx context.Context, in RetryStuckInput) (Retried, error) {
	return ask[Retried](ctx, c, "POST /stuck/retry", in)
}

// Refuse makes a SET answer opens that need its database with 503.
func (c *Client) Refuse(ctx context.Context, in SetInput) error {
	_, err := ask[None](ctx, c, "POST /sets/{set}/refuse", in)
	return err
}

// Admit ends that.
func (c *Client) Admit(ctx context.Context, in SetInput) error {
	_, err := ask[None](ctx, c, "POST /sets/{set}/admit", in)
	return err
}

// LoadMode is how the process opens.
func (c *Client) LoadMode(ctx context.Context) (LoadMode, error) {
	return ask[LoadMode](ctx, c, "GET /load/mode", None{})
}

// Metrics are the process's metrics, in Prometheus' text format.
func (c *Client) Metrics(ctx context.Context) ([]byte, error) {
	return c.raw(ctx, "GET /metrics", None{}, callMax)
}

// Profile is a profile of the process, as go tool pprof reads it.
func (c *Client) Profile(ctx context.Context, in ProfileInput) ([]byte, error) {
	return c.raw(ctx, "GET /debug/pprof/{profile}", in, callMax+ProfileSecondsMax*time.Second)
}

// Answer is what a script wants of it.
func (p *Problem) Answer() (status int, code string) { return p.Status, p.Code }
