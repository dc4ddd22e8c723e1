package wire

import (
	"fmt"

	"hongbao/internal/payment/simulator/refusal"
	"hongbao/internal/payment/simulator/states"
)

// RefundNotification is the plaintext of a refund's notification.
type RefundNotification struct {
	MerchantID          string `json:"mchid"`
	OrderNo             string `json:"out_trade_no"`
	TransactionID       string `json:"transaction_id"`
	RefundNo            string `json:"out_refund_no"`
	RefundID            string `json:"refund_id"`
	Status              string `json:"refund_status"`
	SuccessTime         string `json:"success_time,omitzero"`
	UserReceivedAccount string `json:"user_received_account"`
	Amount              struct {
		Total       int64 `json:"total"`
		Refund      int64 `json:"refund"`
		PayerTotal  int64 `json:"payer_total"`
		PayerRefund int64 `json:"payer_refund"`
	} `json:"amount"`
}

// OffByOne is about one fen more.
func (n RefundNotification) OffByOne() any { n.Amount.Refund++; n.Amount.PayerRefund++; return n }

// Contrary takes back that money moved.
func (n RefundNotification) Contrary() (string, any) {
	if n.Status != states.RefundSuccess {
		return "", nil
	}
	n.Status = states.RefundClosed // ABNORMAL would only be late
	return EventRefundClosed, n
}

const (
	refundNoBytesMax     = 64
	refundReasonBytesMax = 80
)

// RefundRequest is the provider's, but for what nothing here shows: goods_detail
// and amount.from.
type RefundRequest struct {
	TransactionID string `json:"transaction_id"`
	OrderNo       string `json:"out_trade_no"`
	Account       string `json:"funds_account"`
	RefundNo      string `json:"out_refund_no"`
	Reason        string `json:"reason"`
	NotifyURL     string `json:"notify_url"`
	Amount        struct {
		Refund   int64  `json:"refund"`
		Total    int64  `json:"total"`
		Currency string `json:"currency"`
	} `json:"amount"`
}

// RefundAmount is in fen. Nothing here has coupons, so everything is the payer's.
type RefundAmount struct {
	Total            int64  `json:"total"`
	Refund           int64  `json:"refund"`
	PayerTotal       int64  `json:"payer_total"`
	PayerRefund      int64  `json:"payer_refund"`
	SettlementTotal  int64  `json:"settlement_total"`
	SettlementRefund int64  `json:"settlement_refund"`
	DiscountRefund   int64  `json:"discount_refund"`
	Currency         string `json:"currency"`
}

// RefundAnswer is a refund in the provider's words.
type RefundAnswer struct {
	RefundID            string       `json:"refund_id"`
	RefundNo            string       `json:"out_refund_no"`
	TransactionID       string       `json:"transaction_id"`
	OrderNo             string       `json:"out_trade_no"`
	Channel             string       `json:"channel"`
	UserReceivedAccount string       `json:"user_received_account"`
	Account             string       `json:"funds_account"`
	SuccessTime         string       `json:"success_time,omitzero"`
	CreateTime          string       `json:"create_time"`
	Status              string       `json:"status"`
	Amount              RefundAmount `json:"amount"`
}

// WithState is the same answer with another state.
func (a RefundAnswer) WithState(state string) any { a.Status = state; return a }

const (
	UserReceivedAccount = "支付用户零钱"

	FundsUnsettled = "UNSETTLED" // where a refund comes from unless asked for
	fundsAvailable = "AVAILABLE"
)

// Check refuses what the provider would, as far as that can be said without the book.
func (req *RefundRequest) Check() error {
	switch {
	case req.TransactionID == "" && !isOrderNo(req.OrderNo):
		return refusal.BadField("/out_trade_no", req.OrderNo, "want a charge's number, or its transaction_id")
	case !isNumber(req.RefundNo, 1, refundNoBytesMax, "_-|*@"):
		return refusal.BadField("/out_refund_no", req.RefundNo, fmt.Sprintf("want 1 to %d of 0-9 A-Z a-z _ - | * @", refundNoBytesMax))
	case len(req.Reason) > refundReasonBytesMax:
		return refusal.BadField("/reason", req.Reason, fmt.Sprintf("want at most %d bytes", refundReasonBytesMax))
	case req.NotifyURL != "" && !isNotifyURL(req.NotifyURL):
		return refusal.BadField("/notify_url", req.NotifyURL, wantNotifyURL)
	case req.Account != "" && req.Account != fundsAvailable && req.Account != FundsUnsettled:
		return refusal.BadField("/funds_account", req.Account, "want "+fundsAvailable+" or "+FundsUnsettled)
	case req.Amount.Refund < 1 || req.Amount.Refund > req.Amount.Total:
		return refusal.BadField("/amount/refund", req.Amount.Refund, "want 1 <= refund <= total, in fen")
	case req.Amount.Currency != Currency:
		return refusal.BadField("/amount/currency", req.Amount.Currency, "want "+Currency)
	}
	return nil
}
