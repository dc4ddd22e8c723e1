package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"hongbao/cmd/internal/settings"
	"hongbao/internal/httpapi"
)

const (
	// operatorCallMax outlives the bound that hongbaod has for the same call, so
	// that it is hongbaod who says what came of it.
	operatorCallMax = 15 * time.Second
	// operatorTokenLife is enough for one call.
	operatorTokenLife = time.Minute
	operatorBytesMax  = 64 << 20 // some hundred SETs full of what waits for people
)

// operator speaks to the operator's listener of the hongbaod that serves with the
// same settings: as a person where money is moved, as nobody elsewhere.
type operator struct {
	base  string // http://host:port
	token string
	look  string // the verb that lists what the calls are about
}

func newOperator(c *cli, as person, look string) (*operator, error) {
	s, err := settings.Load(c.Config)
	if err != nil {
		return nil, err
	}
	o := &operator{base: "http://" + s.Listen.Operator, look: look}
	if as != "" {
		o.token, err = s.MintToken(string(as), httpapi.ScopeOperate.String(), operatorTokenLife, time.Now())
	}
	return o, err
}

// call makes one call and reads its answer into out, unless that is nil. Every
// call may be repeated.
func (o *operator) call(ctx context.Context, method, path string, query url.Values, out any) error {
	ctx, cancel := context.WithTimeout(ctx, operatorCallMax)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, o.base+path, nil)
	if err != nil {
		return err
	}
	req.URL.RawQuery = query.Encode()
	if o.token != "" {
		req.Header.Set("Authorization", "Bearer "+o.token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("%w; does hongbaod serve with these settings (--config)? a playground starts with: hongbaoctl playground up", err)
	}
	raw, err := io.ReadAll(io.LimitReader(res.Body, operatorBytesMax))
	if err = errors.Join(err, res.Body.Close()); err != nil {
		return fmt.Errorf("%s %s: %w", method, req.URL, err)
	}
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s: %s; %s", method, req.URL, res.Status, strings.TrimSpace(string(raw)), o.next(res.StatusCode))
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("%s %s: %w", method, req.URL, err)
	}
	return nil
}

// next is what to do about an answer that is not the one wanted.
func (o *operator) next(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "if you are that person, hongbaod was started with other keys.operators than these settings name: restart it"
	case http.StatusNotFound, http.StatusUnprocessableEntity:
		return "see what there is with: " + o.look
	case http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return "try again: a repeat does no harm"
	}
	return "hongbaod's log says more"
}
