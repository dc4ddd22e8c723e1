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
	payoutPath   = "/v3/fund-app/mch-transfer/transfer-bills"
	payoutByPath = payoutPath + "/out-bill-no/"
	// payoutFenMax keeps payouts below the 2,000 CNY from which the provider wants
	// the payee's name, encrypted. A share is at most 200 CNY.
	payoutFenMax   = 199_999
	openIDBytesMax = 64
)

type payoutRequest struct {
	AppID      string        `json:"appid"`
	No         string        `json:"out_bill_no"`
	SceneID    string        `json:"transfer_scene_id"`
	OpenID     string        `json:"openid"`
	Amount     int64         `json:"transfer_amount"` // fen
	Remark     string        `json:"transfer_remark"`
	NotifyURL  string        `json:"notify_url"`
	Perception string        `json:"user_recv_perception,omitempty"`
	Report     []SceneReport `json:"transfer_scene_report_infos"`
}

// payoutBill is a payout as the provider tells it: in the answer to placing one,
// which leaves out amount, merchant and payee, to a query, and in a notification.
type payoutBill struct {
	MerchantID  string `json:"mch_id"`
	AppID       string `json:"appid"`
	No          string `json:"out_bill_no"`
	ProviderNo  string `json:"transfer_bill_no"`
	State       string `json:"state"`
	Amount      int64  `json:"transfer_amount"` // fen
	OpenID      string `json:"openid"`
	PackageInfo string `json:"package_info"`
	FailReason  string `json:"fail_reason"`
}

func (c *Client) payoutWire(t *envelope.Transfer) (wire, error) {
	openID, err := c.payee(t, t.No())
	if err != nil {
		return wire{}, fmt.Errorf("payment payout %w", err)
	}
	terms := c.cfg.Payouts
	return wire{
		name: "payout", path: payoutPath, about: payoutByPath + url.PathEscape(t.No()),
		request: payoutRequest{
			AppID: c.cfg.AppID, No: t.No(), SceneID: terms.SceneID, OpenID: openID, Amount: int64(t.Amount),
			Remark: terms.Remark, NotifyURL: c.cfg.NotifyURL, Perception: terms.Perception, Report: terms.Report,
		},
		read: c.readPayout,
	}, nil
}

// payee is the openid that the payout t, whose number is no, goes to. It refuses
// what can not be paid out.
func (c *Client) payee(t *envelope.Transfer, no string) (openID string, err error) {
	openID = c.cfg.OpenID(t.Payee)
	switch {
	case t.Amount < 1 || t.Amount > payoutFenMax:
		return "", fmt.Errorf("%s: want 1 <= amount <= %d fen, have %d", no, payoutFenMax, t.Amount)
	case !isVisible(openID) || len(openID) > openIDBytesMax:
		return "", fmt.Errorf("%s: want an openid of 1 to %d visible ASCII characters, have %q", no, openIDBytesMax, openID)
	}
	return openID, nil
}

func isVisible(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return s != ""
}

// readPayout compares what the answer names; the answer to placing a payout
// names the number alone.
func (c *Client) readPayout(answer []byte, t *envelope.Transfer) (envelope.TransferStatus, error) {
	var b payoutBill
	if err := json.Unmarshal(answer, &b); err != nil {
		return envelope.TransferStatus{}, err
	}
	switch {
	case b.MerchantID != "" && b.MerchantID != c.cfg.MerchantID,
		b.AppID != "" && b.AppID != c.cfg.AppID,
		b.OpenID != "" && b.OpenID != c.cfg.OpenID(t.Payee):
		return envelope.TransferStatus{}, errors.New("the answer is about another merchant, app or payee")
	case b.Amount < 0:
		return envelope.TransferStatus{}, fmt.Errorf("the answer is about %d fen", b.Amount)
	}
	return b.status()
}

// status says what the bill's state means.
func (b *payoutBill) status() (envelope.TransferStatus, error) {
	s := envelope.TransferStatus{No: b.No, Amount: envelope.Fen(b.Amount), ProviderNo: b.ProviderNo}
	switch b.State {
	case "ACCEPTED", "PROCESSING", "TRANSFERING", "CANCELING":
		s.Progress = envelope.ProgressUnderWay
	case "WAIT_USER_CONFIRM":
		s.Progress, s.Hint = envelope.ProgressAwaiting, b.PackageInfo
	case "SUCCESS":
		s.Progress = envelope.ProgressDone
	case "FAIL", "CANCELLED":
		s.Progress, s.Code = envelope.ProgressRefused, cut(b.FailReason, codeBytesMax)
		if s.Code == "" {
			s.Code = b.State
		}
	default:
		return envelope.TransferStatus{}, fmt.Errorf("payout state %q", cut(b.State, codeBytesMax))
	}
	if len(s.Hint) > hintBytesMax {
		return envelope.TransferStatus{}, fmt.Errorf("want a package_info of at most %d bytes, have %d", hintBytesMax, len(s.Hint))
	}
	return s, checkProviderNo(s.ProviderNo)
}

// CancelTransfer asks the provider to take back a payout that its payee has not
// confirmed. The status is what the provider says now; the cancellation itself
// comes later, and may lose against the payee. A refund can not be cancelled.
// The errors are those of [Client.Place].
func (c *Client) CancelTransfer(ctx context.Context, t envelope.Transfer) (status envelope.TransferStatus, err error) {
	w, err := c.wire(&t)
	if err == nil && t.IsRefund() {
		err = fmt.Errorf("payment cancel %s: a refund can not be cancelled", t.No())
	}
	if err != nil {
		return envelope.TransferStatus{}, err
	}
	defer c.metrics.observe("cancel", time.Now(), &err)
	answer, err := c.send(ctx, call{name: "cancel", method: http.MethodPost, target: w.about + "/cancel", moves: true})
	if err != nil {
		return envelope.TransferStatus{}, err
	}
	return c.statusOf("cancel", &t, answer, w.read)
}
