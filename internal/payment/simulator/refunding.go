package simulator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"hongbao/internal/payment/simulator/refusal"
)

const (
	refundNoBytesMax     = 64
	refundReasonBytesMax = 80
)

// refundRequest is the provider's, but for what nothing here shows: goods_detail
// and amount.from.
type refundRequest struct {
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

// refundAmount is in fen. Nothing here has coupons, so everything is the payer's.
type refundAmount struct {
	Total            int64  `json:"total"`
	Refund           int64  `json:"refund"`
	PayerTotal       int64  `json:"payer_total"`
	PayerRefund      int64  `json:"payer_refund"`
	SettlementTotal  int64  `json:"settlement_total"`
	SettlementRefund int64  `json:"settlement_refund"`
	DiscountRefund   int64  `json:"discount_refund"`
	Currency         string `json:"currency"`
}

// refundAnswer is a refund in the provider's words.
type refundAnswer struct {
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
	Amount              refundAmount `json:"amount"`
}

func (a refundAnswer) withState(state string) any { a.Status = state; return a }

const (
	userReceivedAccount = "支付用户零钱"

	fundsUnsettled = "UNSETTLED" // where a refund comes from unless asked for
	fundsAvailable = "AVAILABLE"
)

var errNothingToRefund = refusal.New(http.StatusNotFound, "RESOURCE_NOT_EXISTS", "订单不存在")

// refund takes a request to refund. A repeat gets the refund as it stands.
func (s *Simulator) refund(_ *http.Request, body []byte) (call, error) {
	var req refundRequest
	if err := refusal.ReadJSON(body, &req); err != nil {
		return call{}, err
	}
	if err := req.check(); err != nil {
		return call{}, err
	}
	orderNo, err := s.refundedOrder(&req)
	if err != nil {
		return call{}, err
	}
	want := &refundTerms{
		OrderNo: orderNo, AmountFen: req.Amount.Refund, TotalFen: req.Amount.Total, Reason: req.Reason, Account: req.Account, NotifyURL: req.NotifyURL,
	}
	return call{operation{kind: kindRefund, no: req.RefundNo}, true, func(ctx context.Context) (any, error) {
		return s.acceptRefund(ctx, req.RefundNo, want)
	}}, nil
}

func (req *refundRequest) check() error {
	switch {
	case req.TransactionID == "" && !isOrderNo(req.OrderNo):
		return refusal.BadField("/out_trade_no", req.OrderNo, "want a charge's number, or its transaction_id")
	case !isNumber(req.RefundNo, 1, refundNoBytesMax, "_-|*@"):
		return refusal.BadField("/out_refund_no", req.RefundNo, fmt.Sprintf("want 1 to %d of 0-9 A-Z a-z _ - | * @", refundNoBytesMax))
	case len(req.Reason) > refundReasonBytesMax:
		return refusal.BadField("/reason", req.Reason, fmt.Sprintf("want at most %d bytes", refundReasonBytesMax))
	case req.NotifyURL != "" && !isNotifyURL(req.NotifyURL):
		return refusal.BadField("/notify_url", req.NotifyURL, wantNotifyURL)
	case req.Account != "" && req.Account != fundsAvailable && req.Account != fundsUnsettled:
		return refusal.BadField("/funds_account", req.Account, "want "+fundsAvailable+" or "+fundsUnsettled)
	case req.Amount.Refund < 1 || req.Amount.Refund > req.Amount.Total:
		return refusal.BadField("/amount/refund", req.Amount.Refund, "want 1 <= refund <= total, in fen")
	case req.Amount.Currency != currency:
		return refusal.BadField("/amount/currency", req.Amount.Currency, "want "+currency)
	}
	return nil
}

// refundedOrder is the merchant's number of the charge that a refund names by
// either number, or by both.
func (s *Simulator) refundedOrder(req *refundRequest) (string, error) {
	if req.TransactionID == "" {
		return req.OrderNo, nil
	}
	o, err := s.journal.book.transaction(req.TransactionID)
	switch {
	case errors.Is(err, refusal.ErrNoOrder):
		return "", errNothingToRefund
	case err != nil:
		return "", err
	case req.OrderNo != "" && req.OrderNo != o.no:
		return "", refusal.Invalid("transaction_id和out_trade_no不是同一笔订单")
	}
	return o.no, nil
}

func (s *Simulator) acceptRefund(ctx context.Context, no string, want *refundTerms) (any, error) {
	var fresh bool
	err := s.journal.commit(ctx, func(b *book) (*record, error) {
		r, err := b.acceptRefund(no, want, s.cfg.Now())
		fresh = r != nil
		return r, err
	})
	if err != nil {
		return nil, err
	}
	if fresh {
		s.moves.at(time.Now().Add(s.cfg.RefundAfter), func(ctx context.Context) { s.endRefund(ctx, no) })
	}
	return s.refundAnswer(no)
}

// queryRefund says what became of a refund.
func (s *Simulator) queryRefund(r *http.Request, _ []byte) (call, error) {
	no := r.PathValue("no")
	return call{operation: operation{kind: kindRefund, no: no}, do: func(context.Context) (any, error) { return s.refundAnswer(no) }}, nil
}

func (s *Simulator) refundAnswer(no string) (any, error) {
	f, err := s.journal.book.refund(no)
	if err != nil {
		return nil, err
	}
	o, err := s.journal.book.order(f.OrderNo)
	if err != nil {
		return nil, err
	}
	a := refundAnswer{
		RefundID: f.id, RefundNo: f.no, TransactionID: o.transactionID, OrderNo: o.no, Channel: "ORIGINAL",
		UserReceivedAccount: userReceivedAccount, Account: cmp.Or(f.Account, fundsUnsettled), CreateTime: wireTime(f.at), Status: f.state(),
		Amount: refundAmount{
			Total: o.AmountFen, Refund: f.AmountFen, PayerTotal: o.AmountFen, PayerRefund: f.AmountFen,
			SettlementTotal: o.AmountFen, SettlementRefund: f.AmountFen, Currency: currency,
		},
	}
	if f.end == refundSuccess {
		a.SuccessTime = wireTime(f.endedAt)
	}
	return a, nil
}
