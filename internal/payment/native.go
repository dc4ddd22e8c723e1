package payment

import (
	"context"
	"fmt"
	"net/http"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json"

	"hongbao/envelope"
)

const (
	nativePath          = "/v3/pay/transactions/native"
	descriptionBytesMax = 127
	codeURLBytesMax     = 512
	currency            = "CNY"
	codeOrderPaid       = "ORDERPAID"
	// amountFenMax bounds every amount in either direction: a hundred million
	// yuan, far above what any envelope holds.
	amountFenMax = 10_000_000_000
)

type nativeRequest struct {
	AppID       string `json:"appid"`
	MerchantID  string `json:"mchid"`
	Description string `json:"description"`
	OrderNo     string `json:"out_trade_no"`
	TimeExpire  string `json:"time_expire"`
	NotifyURL   string `json:"notify_url"`
	Amount      amount `json:"amount"`
}

type amount struct {
	Total    int64  `json:"total"` // fen
	Currency string `json:"currency"`
}

// CheckDescription refuses what the provider may refuse, or its bills may garble:
// it wants 1 to 127 bytes of printable UTF-8 without emoji, comma and backtick.
func CheckDescription(s string) error {
	if s == "" || len(s) > descriptionBytesMax || !utf8.ValidString(s) {
		return fmt.Errorf("want 1 to %d bytes of UTF-8, have %q", descriptionBytesMax, cut(s, descriptionBytesMax))
	}
	for _, r := range s {
		if !unicode.IsPrint(r) || r > 0xffff || r == ',' || r == '`' {
			return fmt.Errorf("want printable characters without emoji, comma and backtick, have %q", r)
		}
	}
	return nil
}

// Prepay implements [envelope.Provider]. The errors are [envelope.ErrChargePaid],
// [envelope.ErrChargeClosed], an [envelope.RefusedError], a [envelope.BusyError] while the provider is out, and
// [envelope.ErrUnknownOutcome].
func (c *Client) Prepay(ctx context.Context, charge envelope.Charge) (codeURL string, err error) {
	defer c.metrics.observe("prepay", time.Now(), &err)
	if charge.Amount < 1 || charge.Amount > amountFenMax || charge.ExpiresAt.IsZero() {
		return "", fmt.Errorf("payment prepay %s: want an expiry and 1 <= amount <= %d fen, have %d", charge.OrderNo, int64(amountFenMax), charge.Amount)
	}
	body, err := json.Marshal(nativeRequest{
		AppID:       c.cfg.AppID,
		MerchantID:  c.cfg.MerchantID,
		Description: c.cfg.Description,
		OrderNo:     string(charge.OrderNo),
		TimeExpire:  charge.ExpiresAt.Format(time.RFC3339),
		NotifyURL:   c.cfg.NotifyURL,
		Amount:      amount{Total: int64(charge.Amount), Currency: currency},
	})
	if err != nil {
		return "", fmt.Errorf("payment prepay %s: %w", charge.OrderNo, err)
	}
	body, err = c.send(ctx, call{
		name: "prepay", method: http.MethodPost, target: nativePath, body: body,
		means: map[string]error{codeOrderPaid: envelope.ErrChargePaid, codeOrderClosed: envelope.ErrChargeClosed},
	})
	if err != nil {
		return "", err
	}
	var placed struct {
		CodeURL string `json:"code_url"`
	}
	if err := json.Unmarshal(body, &placed); err != nil || placed.CodeURL == "" || len(placed.CodeURL) > codeURLBytesMax {
		return "", fmt.Errorf("payment prepay %s: %w: the answer has no code_url", charge.OrderNo, envelope.ErrUnknownOutcome)
	}
	return placed.CodeURL, nil
}
