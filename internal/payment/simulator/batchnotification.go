package simulator

import (
	"hongbao/internal/payment/simulator/ledger"
	"hongbao/internal/payment/simulator/lies"
	"hongbao/internal/payment/simulator/states"
	"hongbao/internal/payment/simulator/wire"
)

func (s *Simulator) batchNotification(no string) (message, error) {
	p, err := s.journal.Book.Batch(no)
	if err != nil {
		return message{}, err
	}
	failed := p.Unpaid()
	l := message{
		to: p.NotifyURL, id: "EV-" + p.ID, at: p.UpdatedAt, event: wire.EventBatchFinished, kind: wire.ResourceKindTransfer,
		summary: "商家转账批次终态通知",
		plaintext: wire.BatchNotification{
			MerchantID: s.cfg.MerchantID, No: p.No, BatchID: p.ID, Status: p.End, CloseReason: p.CloseReason(),
			TotalFen: p.All.Fen, TotalNum: p.All.Count, SuccessFen: p.Paid.Fen, SuccessNum: p.Paid.Count,
			FailFen: failed.Fen, FailNum: failed.Count, UpdateTime: wire.Time(p.UpdatedAt),
		},
		about: lies.Operation{Kind: ledger.KindPayout, No: p.No},
	}
	if p.End == states.Closed {
		l.event = wire.EventBatchClosed
	}
	return l, nil
}
