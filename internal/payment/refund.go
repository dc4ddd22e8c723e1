package payment

import (
	"errors"
	"fmt"
	"net/url"

	"github.com/go-json-experiment/json"

	"hongbao/envelope"
)

const (
	refundPath   = "/v3/refund/domestic/refunds"
	refundReason = "红包退款"
)

type refundRequest struct {
	OrderNo   string       `json:"out_trade_no"`
	No        string       `json:"out_refund_no"`
	Reason    string       `json:"reason"`
	NotifyURL string       `json:"notify_url"`
	Amount    refundAmount `json:"amount"`
}

type refundAmount struct {
	Refund   int64  `json:"refund"` // fen
	Total    int64  `json:"total"`  // fen of the charge
	Currency string `json:"currency,omitzero"`
}

// refundBill is a refund as the provider tells it. An answer has the status and
// the currency; a notification has the merchant, and calls the status otherwise.
type refundBill struct {
	MerchantID   string       `json:"mchid"`
	OrderNo      string       `json:"out_trade_no"`
	No           string       `json:"out_refund_no"`
	ProviderNo   string       `json:"refund_id"`
	Status       string       `json:"status"`
	RefundStatus string       `json:"refund_status"`
	Amount       refundAmount `json:"amount"`
}

func (c *Client) refundWire(t *envelope.Transfer) (wire, error) {
	if t.Amount < 1 || t.Charged < t.Amount || t.Charged > amountFenMax {
		return wire{}, fmt.Errorf("payment refund %s: want 1 <= amount <= charged <= %d fen, have %d of %d", t.No(), int64(amountFenMax), t.Amount, t.Charged)
	}
	return wire{
		name: "refund", path: refundPath, about: refundPath + "/" + url.PathEscape(t.No()),
		request: refundRequest{
			OrderNo: string(t.OrderNo), No: t.No(), Reason: refundReason, NotifyURL: c.cfg.NotifyURL,
			Amount: refundAmount{Refund: int64(t.Amount), Total: int64(t.Charged), Currency: currency},
		},
		read: readRefund,
	}, nil
}

func readRefund(answer []byte, t *envelope.Transfer) (envelope.TransferStatus, error) {
	var b refundBill
	if err := json.Unmarshal(answer, &b); err != nil {
		return envelope.TransferStatus{}, err
	}
	if b.OrderNo != string(t.OrderNo) || b.Amount.Total != int64(t.Charged) || b.Amount.Currency != currency {
		return envelope.TransferStatus{}, errors.New("the answer is about another charge or currency")
	}
	return b.status(b.Status)
}

// status says what the provider's word for the state of the refund means.
func (b *refundBill) status(state string) (envelope.TransferStatus, error) {
	s := envelope.TransferStatus{No: b.No, Amount: envelope.Fen(b.Amount.Refund), ProviderNo: b.ProviderNo}
	switch state {
	case "PROCESSING":
		s.Progress = envelope.ProgressUnderWay
	case "SUCCESS":
		s.Progress = envelope.ProgressDone
	case "ABNORMAL": // people send it somewhere else at the provider, under this number, or close it there (FS8)
		s.Progress, s.Code = envelope.ProgressStuck, state
	case "CLOSED":
		s.Progress, s.Code = envelope.ProgressRefused, state
	default:
		return envelope.TransferStatus{}, fmt.Errorf("refund status %q", cut(state, codeBytesMax))
	}
	if b.Amount.Refund < 1 {
		return envelope.TransferStatus{}, fmt.Errorf("want a refund >= 1 fen, have %d", b.Amount.Refund)
	}
	return s, checkProviderNo(s.ProviderNo)
}
