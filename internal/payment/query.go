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
	queryPath    = "/v3/pay/transactions/out-trade-no/"
	codeNotFound = "ORDER_NOT_EXIST"
)

var errNoCharge = errors.New("no such charge")

// ChargeState is what has become of a charge.
type ChargeState string

// The states of a charge.
const (
	ChargeNotFound ChargeState = "not_found" // never placed, as far as the provider knows today
	ChargeUnpaid   ChargeState = "unpaid"
	ChargePaid     ChargeState = "paid"
	ChargeRefunded ChargeState = "refunded" // paid, and since then some or all went back
	ChargeClosed   ChargeState = "closed"   // can not be paid any more
)

// ChargeStatus is the provider's answer about one charge.
type ChargeStatus struct {
	State   ChargeState
	Payment envelope.Payment // when paid or refunded
}

// QueryCharge asks what became of a charge; it is what decides when a
// notification does not come. The errors are those of [Client.Prepay] without
// ErrOrderPaid. A trade state unknown to this package is an
// [envelope.ErrUnknownOutcome].
func (c *Client) QueryCharge(ctx context.Context, no envelope.ID) (status ChargeStatus, err error) {
	defer c.metrics.observe("query", time.Now(), &err)
	target := queryPath + url.PathEscape(string(no)) + "?mchid=" + url.QueryEscape(c.cfg.MerchantID)
	body, err := c.send(ctx, call{
		name: "query", method: http.MethodGet, target: target,
		code: codeNotFound, means: errNoCharge,
	})
	if errors.Is(err, errNoCharge) {
		return ChargeStatus{State: ChargeNotFound}, nil
	}
	if err != nil {
		return ChargeStatus{}, err
	}
	status, err = c.readStatus(no, body)
	if err != nil {
		return ChargeStatus{}, fmt.Errorf("payment query %s: %w: %w", no, envelope.ErrUnknownOutcome, err)
	}
	return status, nil
}

func (c *Client) readStatus(no envelope.ID, body []byte) (ChargeStatus, error) {
	var t transaction
	if err := json.Unmarshal(body, &t); err != nil {
		return ChargeStatus{}, err
	}
	// A signed answer about another order, replayed, must not pass for ours.
	if t.OrderNo != string(no) || t.MerchantID != c.cfg.MerchantID || t.AppID != c.cfg.AppID {
		return ChargeStatus{}, fmt.Errorf("the answer is about order %q of %q, %q", t.OrderNo, t.MerchantID, t.AppID)
	}
	switch t.TradeState {
	case "NOTPAY":
		return ChargeStatus{State: ChargeUnpaid}, nil
	case "CLOSED":
		return ChargeStatus{State: ChargeClosed}, nil
	case "SUCCESS":
		p, err := c.payment(&t)
		return ChargeStatus{State: ChargePaid, Payment: p}, err
	case "REFUND":
		p, err := c.payment(&t)
		return ChargeStatus{State: ChargeRefunded, Payment: p}, err
	}
	return ChargeStatus{}, fmt.Errorf("trade state %q", t.TradeState)
}
