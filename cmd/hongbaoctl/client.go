package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	clientTimeout  = 10 * time.Second
	answerBytesMax = 64 << 20 // the events of a long load
)

// client is one user talking to the API.
type client struct {
	base  string
	token string
}

// show is what GET /v1/envelopes/{id} answers, as far as we use it.
type show struct {
	ID         string  `json:"id"`
	Kind       string  `json:"kind"`
	State      string  `json:"state"`
	TotalFen   int64   `json:"total_fen"`
	Count      int     `json:"count"`
	ShareMin   int64   `json:"share_min_fen"` // 0, from before there was one, is 1
	ShareMax   int64   `json:"share_max_fen"`
	OpenedFen  int64   `json:"opened_fen"`
	Opened     int     `json:"opened_count"`
	Refunded   int64   `json:"refunded_fen"`
	Commitment string  `json:"draw_commitment"`
	Seed       string  `json:"draw_seed"`
	Ticket     string  `json:"ticket"`
	Shares     []share `json:"shares"`
	Payout     struct {
		State     string `json:"state"`
		AmountFen int64  `json:"amount_fen"`
	} `json:"payout"`
}

// summary is what GET /v1/me/summary answers.
type summary struct {
	SentCount     int   `json:"sent_count"`
	SentFen       int64 `json:"sent_fen"`
	ReceivedCount int   `json:"received_count"`
	ReceivedFen   int64 `json:"received_fen"`
	BestLuckCount int   `json:"best_luck_count"`
}

type share struct {
	UserID    string `json:"user_id"`
	AmountFen int64  `json:"amount_fen"`
	Seq       int    `json:"seq"`
	BestLuck  bool   `json:"best_luck"`
}

type sent struct {
	ID         string `json:"id"`
	State      string `json:"state"`
	Commitment string `json:"draw_commitment"`
	Payment    struct {
		OrderNo string `json:"order_no"`
		CodeURL string `json:"code_url"`
	} `json:"payment"`
}

type opened struct {
	Outcome   string `json:"outcome"`
	AmountFen int64  `json:"amount_fen"`
	Seq       int    `json:"seq"`
}

func (c *client) send(ctx context.Context, key string, order any) (s sent, err error) {
	return s, c.call(ctx, http.MethodPost, c.base+"/v1/envelopes", order, &s, "Idempotency-Key", key)
}

func (c *client) show(ctx context.Context, id, ticket string) (s show, err error) {
	return s, c.call(ctx, http.MethodGet, c.base+"/v1/envelopes/"+id, nil, &s, "Envelope-Ticket", ticket)
}

func (c *client) grab(ctx context.Context, id, ticket string) (o opened, err error) {
	return o, c.call(ctx, http.MethodPost, c.base+"/v1/envelopes/"+id+"/grab", nil, &o, "Envelope-Ticket", ticket)
}

func (c *client) open(ctx context.Context, id, ticket string) (o opened, err error) {
	return o, c.call(ctx, http.MethodPost, c.base+"/v1/envelopes/"+id+"/open", nil, &o, "Envelope-Ticket", ticket)
}

func (c *client) summary(ctx context.Context) (s summary, err error) {
	return s, c.call(ctx, http.MethodGet, c.base+"/v1/me/summary", nil, &s, "", "")
}

// pay pays as the payer's wallet would.
func (c *client) pay(ctx context.Context, codeURL string) error {
	return c.call(ctx, http.MethodPost, codeURL, nil, nil, "", "")
}

func (c *client) call(ctx context.Context, method, url string, in, out any, header, value string) (err error) {
	ctx, cancel := context.WithTimeout(ctx, clientTimeout)
	defer cancel()
	var body []byte
	if in != nil {
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	req.Header.Set("Accept", "application/json")
	if value != "" {
		req.Header.Set(header, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	raw, err := io.ReadAll(io.LimitReader(res.Body, answerBytesMax))
	if err = errors.Join(err, res.Body.Close()); err != nil {
		return err
	}
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s: %s", method, url, res.Status, raw)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(raw, out)
}
