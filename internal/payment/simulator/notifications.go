package simulator

import (
	"hongbao/internal/payment/apiv3"
	"hongbao/internal/payment/simulator/dispatch"
	"hongbao/internal/payment/simulator/ledger"
	"hongbao/internal/payment/simulator/lies"
	"hongbao/internal/payment/simulator/states"
	"hongbao/internal/payment/simulator/wire"
)

// notificationOf is the message about an event.
func (s *Simulator) notificationOf(e dispatch.Event) (message, error) {
	switch e.Kind {
	case ledger.KindRefund:
		return s.refundNotification(e.No)
	case ledger.KindPayout:
		return s.transferNotification(e.No)
	case ledger.KindBatch:
		return s.batchNotification(e.No)
	}
	o, err := s.journal.Book.Order(e.No)
	if err != nil {
		return message{}, err
	}
	return message{
		to: o.NotifyURL, id: "EV-" + o.TransactionID, at: o.PaidAt, event: apiv3.EventTransactionSuccess,
		kind: apiv3.ResourceKindTransaction, summary: "支付成功",
		plaintext: s.transaction(&o, states.Paid), // whatever was refunded since
		about:     lies.Operation{Kind: ledger.KindCharge, No: o.No},
	}, nil
}

func (s *Simulator) refundNotification(no string) (message, error) {
	f, err := s.journal.Book.Refund(no)
	if err != nil {
		return message{}, err
	}
	o, err := s.journal.Book.Order(f.OrderNo)
	if err != nil {
		return message{}, err
	}
	n := wire.RefundNotification{
		MerchantID: s.cfg.MerchantID, OrderNo: o.No, TransactionID: o.TransactionID, RefundNo: f.No, RefundID: f.ID,
		Status: f.End, UserReceivedAccount: wire.UserReceivedAccount,
	}
	n.Amount.Total, n.Amount.PayerTotal, n.Amount.Refund, n.Amount.PayerRefund = o.AmountFen, o.AmountFen, f.AmountFen, f.AmountFen
	l := message{to: f.NotifyURL, id: "EV-" + f.ID + "-" + f.End, at: f.EndedAt, kind: wire.ResourceKindRefund, about: lies.Operation{Kind: ledger.KindRefund, No: f.No}}
	switch f.End {
	case states.RefundAbnormal:
		l.event, l.summary = wire.EventRefundAbnormal, "退款异常"
	case states.RefundClosed:
		l.event, l.summary = wire.EventRefundClosed, "退款关闭"
	default:
		l.event, l.summary, n.SuccessTime = wire.EventRefundSuccess, "退款成功", wire.Time(f.EndedAt)
	}
	l.plaintext = n
	return l, nil
}

func (s *Simulator) transferNotification(no string) (message, error) {
	t, err := s.journal.Book.Transfer(no)
	if err != nil {
		return message{}, err
	}
	l := message{
		to: t.NotifyURL, id: "EV-" + t.BillNo, at: t.UpdatedAt, event: wire.EventTransferFinished, kind: wire.ResourceKindTransfer,
		summary: "商家转账单据终态通知",
		plaintext: wire.TransferNotification{
			No: t.No, BillNo: t.BillNo, State: t.End, MerchantID: s.cfg.MerchantID, AmountFen: t.AmountFen, OpenID: t.OpenID,
			FailReason: t.Reason, CreateTime: wire.Time(t.At), UpdateTime: wire.Time(t.UpdatedAt),
		},
		about: lies.Operation{Kind: ledger.KindPayout, No: t.No, Party: t.OpenID},
	}
	if t.End == states.Transferred {
		l.summary = "商家转账成功"
	}
	return l, nil
}
