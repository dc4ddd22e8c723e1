package simulator

import (
	"hongbao/internal/payment/apiv3"
)

// The events of refunds and payouts; payment has that of charges.
const (
	eventRefundSuccess    = "REFUND.SUCCESS"
	eventRefundAbnormal   = "REFUND.ABNORMAL"
	eventRefundClosed     = "REFUND.CLOSED"
	eventTransferFinished = "MCHTRANSFER.BILL.FINISHED"
	eventBatchFinished    = "MCHTRANSFER.BATCH.FINISHED"
	eventBatchClosed      = "MCHTRANSFER.BATCH.CLOSED"

	resourceKindRefund   = "refund"
	resourceKindTransfer = "mch_payment"
)

// refundNews is the plaintext of a refund's notification.
type refundNews struct {
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

func (n refundNews) offByOne() any { n.Amount.Refund++; n.Amount.PayerRefund++; return n }

func (n refundNews) contrary() (string, any) {
	if n.Status != refundSuccess {
		return "", nil
	}
	n.Status = refundClosed // ABNORMAL would only be late news
	return eventRefundClosed, n
}

// transferNews is the plaintext of a payout's notification.
type transferNews struct {
	No         string `json:"out_bill_no"`
	BillNo     string `json:"transfer_bill_no"`
	State      string `json:"state"`
	MerchantID string `json:"mch_id"`
	AmountFen  int64  `json:"transfer_amount"`
	OpenID     string `json:"openid"`
	FailReason string `json:"fail_reason,omitzero"`
	CreateTime string `json:"create_time"`
	UpdateTime string `json:"update_time"`
}

func (n transferNews) offByOne() any { n.AmountFen++; return n }

func (n transferNews) contrary() (string, any) {
	if n.State != stateTransferred {
		return "", nil
	}
	n.State, n.FailReason = stateFailed, reasonClosed
	return eventTransferFinished, n
}

// letter is what there is to say about an event.
func (s *Simulator) letter(e event) (letter, error) {
	switch e.kind {
	case kindRefund:
		return s.refundLetter(e.no)
	case kindPayout:
		return s.transferLetter(e.no)
	case kindBatch:
		return s.batchLetter(e.no)
	}
	o, err := s.journal.book.order(e.no)
	if err != nil {
		return letter{}, err
	}
	return letter{
		to: o.NotifyURL, id: "EV-" + o.transactionID, at: o.paidAt, event: apiv3.EventTransactionSuccess,
		kind: apiv3.ResourceKindTransaction, summary: "支付成功",
		plaintext: s.transaction(&o, statePaid), // whatever was refunded since
		about:     operation{kind: kindCharge, no: o.no},
	}, nil
}

func (s *Simulator) refundLetter(no string) (letter, error) {
	f, err := s.journal.book.refund(no)
	if err != nil {
		return letter{}, err
	}
	o, err := s.journal.book.order(f.OrderNo)
	if err != nil {
		return letter{}, err
	}
	n := refundNews{
		MerchantID: s.cfg.MerchantID, OrderNo: o.no, TransactionID: o.transactionID, RefundNo: f.no, RefundID: f.id,
		Status: f.end, UserReceivedAccount: userReceivedAccount,
	}
	n.Amount.Total, n.Amount.PayerTotal, n.Amount.Refund, n.Amount.PayerRefund = o.AmountFen, o.AmountFen, f.AmountFen, f.AmountFen
	l := letter{to: f.NotifyURL, id: "EV-" + f.id + "-" + f.end, at: f.endedAt, kind: resourceKindRefund, about: operation{kind: kindRefund, no: f.no}}
	switch f.end {
	case refundAbnormal:
		l.event, l.summary = eventRefundAbnormal, "退款异常"
	case refundClosed:
		l.event, l.summary = eventRefundClosed, "退款关闭"
	default:
		l.event, l.summary, n.SuccessTime = eventRefundSuccess, "退款成功", wireTime(f.endedAt)
	}
	l.plaintext = n
	return l, nil
}

func (s *Simulator) transferLetter(no string) (letter, error) {
	t, err := s.journal.book.transfer(no)
	if err != nil {
		return letter{}, err
	}
	l := letter{
		to: t.NotifyURL, id: "EV-" + t.billNo, at: t.updatedAt, event: eventTransferFinished, kind: resourceKindTransfer,
		summary: "商家转账单据终态通知",
		plaintext: transferNews{
			No: t.no, BillNo: t.billNo, State: t.end, MerchantID: s.cfg.MerchantID, AmountFen: t.AmountFen, OpenID: t.OpenID,
			FailReason: t.reason, CreateTime: wireTime(t.at), UpdateTime: wireTime(t.updatedAt),
		},
		about: operation{kindPayout, t.no, t.OpenID},
	}
	if t.end == stateTransferred {
		l.summary = "商家转账成功"
	}
	return l, nil
}
