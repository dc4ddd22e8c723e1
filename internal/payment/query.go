package payment

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/go-json-experiment/json"

	"hongbao/envelope"
)

const (
	queryPath       = "/v3/pay/transactions/out-trade-no/"
	codeNoOrder     = "ORDER_NOT_EXIST"
	codeOrderClosed = "ORDER_CLOSED"
)

var errNoCharge = errors.New("no such charge")

// QueryCharge asks what became of a charge; it is what decides when a
// notification does not come. The errors are those of [Client.Prepay] without
// ErrChargePaid. A trade state unknown to this package is an
// [envelope.ErrUnknownOutcome].
func (c *Client) QueryCharge(ctx context.Context, no envelope.ID) (status envelope.ChargeStatus, err error) {
	defer c.metrics.observe("query", time.Now(), &err)
	target := queryPath + url.PathEscape(string(no)) + "?mchid=" + url.QueryEscape(c.cfg.MerchantID)
	body, err := c.send(ctx, call{
		name: "query", method: http.MethodGet, target: target,
		means: map[string]error{codeNoOrder: errNoCharge},
	})
	if errors.Is(err, errNoCharge) {
		return envelope.ChargeStatus{State: envelope.ChargeNotFound}, nil
	}
	if err != nil {
		return envelope.ChargeStatus{}, err
	}
	status, err = c.readStatus(no, body)
	if err != nil {
		return envelope.ChargeStatus{}, fmt.Errorf("payment query %s: %w: %w", no, envelope.ErrUnknownOutcome, err)
	}
	return status, nil
}

func (c *Client) readStatus(no envelope.ID, body []byte) (envelope.ChargeStatus, error) {
	var t transaction
	if err := json.Unmarshal(body, &t); err != nil {
		return envelope.ChargeStatus{}, err
	}
	// A signed answer about another order, replayed, must not pass for ours.
	if t.OrderNo != string(no) || t.MerchantID != c.cfg.MerchantID || t.AppID != c.cfg.AppID {
		return envelope.ChargeStatus{}, fmt.Errorf("the answer is about order %q of %q, %q", t.OrderNo, t.MerchantID, t.AppID)
	}
	switch t.TradeState {
	case "NOTPAY":
		return envelope.ChargeStatus{State: envelope.ChargeUnpaid}, nil
	case "CLOSED":
		return envelope.ChargeStatus{State: envelope.ChargeClosed}, nil
	case "SUCCESS":
		p, err := c.payment(&t)
		return envelope.ChargeStatus{State: envelope.ChargePaid, Payment: p}, err
	case "REFUND":
		p, err := c.payment(&t)
		return envelope.ChargeStatus{State: envelope.ChargeRefunded, Payment: p}, err
	}
	return envelope.ChargeStatus{}, fmt.Errorf("trade state %q", t.TradeState)
}

// CloseCharge implements [envelope.Cashier]. A charge that is closed or was never
// placed is as good as closed. The errors are those of [Client.Prepay].
func (c *Client) CloseCharge(ctx context.Context, no envelope.ID) (err error) {
	defer c.metrics.observe("close", time.Now(), &err)
	body, err := json.Marshal(struct {
		MerchantID string `json:"mchid"`
	}{c.cfg.MerchantID})
	if err != nil {
		return fmt.Errorf("payment close %s: %w", no, err)
	}
	_, err = c.send(ctx, call{
		name: "close", method: http.MethodPost, target: queryPath + url.PathEscape(string(no)) + "/close", body: body,
		means: map[string]error{codeOrderPaid: envelope.ErrChargePaid, codeNoOrder: errNoCharge, codeOrderClosed: envelope.ErrChargeClosed},
	})
	if errors.Is(err, errNoCharge) || errors.Is(err, envelope.ErrChargeClosed) {
		return nil
	}
	return err
}
