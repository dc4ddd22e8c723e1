package loadtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"hongbao/envelope"
)

const (
	deskAnswerMax      = 15 * time.Second
	deskAnswerBytesMax = 1 << 20
	deskConnectionsMax = 256
)

// desk does what is asked rarely: send, pay, show. It may use net/http.
type desk struct {
	api  string // base URL
	http *http.Client
}

func newDesk(api string) *desk {
	return &desk{api: api, http: &http.Client{
		Timeout:   deskAnswerMax,
		Transport: &http.Transport{MaxIdleConns: deskConnectionsMax, MaxIdleConnsPerHost: deskConnectionsMax, DisableCompression: true},
	}}
}

func (d *desk) close() { d.http.CloseIdleConnections() }

// statusError is an answer that was not 2xx.
type statusError struct {
	status     int
	retryAfter time.Duration // -1 without the header
	body       string
}

func (e *statusError) Error() string { return fmt.Sprintf("%d %s", e.status, e.body) }

// sentAnswer is the answer to a send.
type sentAnswer struct {
	ID         envelope.ID    `json:"id"`
	State      envelope.State `json:"state"`
	Commitment string         `json:"draw_commitment"`
	Payment    struct {
		CodeURL string `json:"code_url"`
	} `json:"payment"`
}

// orderBody is the body of a send.
type orderBody struct {
	Kind      envelope.Kind   `json:"kind"`
	Total     envelope.Fen    `json:"total_fen,omitempty"`
	Share     envelope.Fen    `json:"share_fen,omitempty"`
	Count     int             `json:"count"`
	Group     string          `json:"group_id"`
	Recipient envelope.UserID `json:"recipient_id,omitempty"`
}

func (d *desk) send(ctx context.Context, token, key string, g *Gift, recipient envelope.UserID) (s sentAnswer, err error) {
	order := orderBody{Kind: g.Kind, Total: g.Total, Count: g.Count, Group: "loadtest"}
	switch g.Kind {
	case envelope.Equal:
		order.Total, order.Share = 0, g.Total/envelope.Fen(g.Count)
	case envelope.Exclusive:
		order.Recipient = recipient
	}
	body, err := json.Marshal(order)
	if err != nil {
		return s, err
	}
	return s, d.call(ctx, request{method: http.MethodPost, url: d.api + "/v1/envelopes", token: token, key: key, body: body}, &s)
}

// pay pays as the payer's wallet would.
func (d *desk) pay(ctx context.Context, codeURL string) error {
	return d.call(ctx, request{method: http.MethodPost, url: codeURL}, nil)
}

// Shown is an envelope as its sender sees it.
type Shown struct {
	ID          envelope.ID    `json:"id"`
	Kind        envelope.Kind  `json:"kind"`
	State       envelope.State `json:"state"`
	Total       envelope.Fen   `json:"total_fen"`
	Count       int            `json:"count"`
	ShareMin    envelope.Fen   `json:"share_min_fen"`
	ShareMax    envelope.Fen   `json:"share_max_fen"`
	Opened      envelope.Fen   `json:"opened_fen"`
	OpenedCount int            `json:"opened_count"`
	Refunded    envelope.Fen   `json:"refunded_fen"`
	Remaining   envelope.Fen   `json:"remaining_fen"`
	Commitment  string         `json:"draw_commitment"`
	Seed        string         `json:"draw_seed"`
	Ticket      string         `json:"ticket"`
	ExpiresAt   time.Time      `json:"expires_at"`
	Shares      []ShownShare   `json:"shares"`
	Refund      struct {
		State envelope.TransferState `json:"state"` // "" until there is one
	} `json:"refund"`
}

// ShownShare is one share of it.
type ShownShare struct {
	User     envelope.UserID `json:"user_id"`
	Amount   envelope.Fen    `json:"amount_fen"`
	Seq      int             `json:"seq"`
	BestLuck bool            `json:"best_luck"`
}

func (d *desk) show(ctx context.Context, token string, id envelope.ID) (*Shown, error) {
	s := new(Shown)
	return s, d.call(ctx, request{method: http.MethodGet, url: d.api + "/v1/envelopes/" + string(id), token: token}, s)
}

type request struct {
	method, url string
	token, key  string
	ticket      string
	body        []byte
}

// call carries out one request. An answer that is not 2xx is a *statusError.
func (d *desk) call(ctx context.Context, q request, out any) error {
	req, err := http.NewRequestWithContext(ctx, q.method, q.url, bytes.NewReader(q.body))
	if err != nil {
		return err
	}
	if q.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if q.token != "" {
		req.Header.Set("Authorization", "Bearer "+q.token)
	}
	if q.key != "" {
		req.Header.Set("Idempotency-Key", q.key)
	}
	if q.ticket != "" {
		req.Header.Set("Envelope-Ticket", q.ticket)
	}
	res, err := d.http.Do(req)
	if err != nil {
		return err
	}
	raw, err := io.ReadAll(io.LimitReader(res.Body, deskAnswerBytesMax))
	if err = errors.Join(err, res.Body.Close()); err != nil {
		return err
	}
	if res.StatusCode/100 != 2 {
		return &statusError{status: res.StatusCode, retryAfter: retryAfterOf(res), body: string(bytes.TrimSpace(raw))}
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(raw, out)
}

func retryAfterOf(res *http.Response) time.Duration {
	s, err := strconv.Atoi(res.Header.Get("Retry-After"))
	if err != nil || s < 0 {
		return -1
	}
	return time.Duration(s) * time.Second
}
