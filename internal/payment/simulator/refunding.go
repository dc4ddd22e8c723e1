package simulator

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	"hongbao/internal/payment/simulator/ledger"
	"hongbao/internal/payment/simulator/lies"
	"hongbao/internal/payment/simulator/refusal"
	"hongbao/internal/payment/simulator/states"
	"hongbao/internal/payment/simulator/wire"
)

// refund takes a request to refund. A repeat gets the refund as it stands.
func (s *Simulator) refund(_ *http.Request, body []byte) (call, error) {
	var req wire.RefundRequest
	if err := refusal.ReadJSON(body, &req); err != nil {
		return call{}, err
	}
	if err := req.Check(); err != nil {
		return call{}, err
	}
	orderNo, err := s.refundedOrder(&req)
	if err != nil {
		return call{}, err
	}
	want := &ledger.RefundTerms{
		OrderNo: orderNo, AmountFen: req.Amount.Refund, TotalFen: req.Amount.Total, Reason: req.Reason, Account: req.Account, NotifyURL: req.NotifyURL,
	}
	return call{lies.Operation{Kind: ledger.KindRefund, No: req.RefundNo}, true, func(ctx context.Context) (any, error) {
		return s.acceptRefund(ctx, req.RefundNo, want)
	}}, nil
}

// refundedOrder is the merchant's number of the charge that a refund names by
// either number, or by both.
func (s *Simulator) refundedOrder(req *wire.RefundRequest) (string, error) {
	if req.TransactionID == "" {
		return req.OrderNo, nil
	}
	o, err := s.journal.Book.OrderByTransaction(req.TransactionID)
	switch {
	case errors.Is(err, refusal.ErrNoOrder):
		return "", refusal.ErrNoCharge
	case err != nil:
		return "", err
	case req.OrderNo != "" && req.OrderNo != o.No:
		return "", refusal.Invalid("transaction_id和out_trade_no不是同一笔订单")
	}
	return o.No, nil
}

func (s *Simulator) acceptRefund(ctx context.Context, no string, want *ledger.RefundTerms) (any, error) {
	var fresh bool
	err := s.journal.Commit(ctx, func(b *ledger.Book) (*ledger.Record, error) {
		r, err := b.AcceptRefund(no, want, s.cfg.Now())
		fresh = r != nil
		return r, err
	})
	if err != nil {
		return nil, err
	}
	if fresh {
		s.moves.At(time.Now().Add(s.cfg.RefundAfter), func(ctx context.Context) { s.endRefund(ctx, no) })
	}
	return s.refundAnswer(no)
}

// queryRefund says what became of a refund.
func (s *Simulator) queryRefund(r *http.Request, _ []byte) (call, error) {
	no := r.PathValue("no")
	return call{Operation: lies.Operation{Kind: ledger.KindRefund, No: no}, do: func(context.Context) (any, error) { return s.refundAnswer(no) }}, nil
}

func (s *Simulator) refundAnswer(no string) (any, error) {
	f, err := s.journal.Book.Refund(no)
	if err != nil {
		return nil, err
	}
	o, err := s.journal.Book.Order(f.OrderNo)
	if err != nil {
		return nil, err
	}
	a := wire.RefundAnswer{
		RefundID: f.ID, RefundNo: f.No, TransactionID: o.TransactionID, OrderNo: o.No, Channel: "ORIGINAL",
		UserReceivedAccount: wire.UserReceivedAccount, Account: cmp.Or(f.Account, wire.FundsUnsettled), CreateTime: wire.Time(f.At), Status: f.State(),
		Amount: wire.RefundAmount{
			Total: o.AmountFen, Refund: f.AmountFen, PayerTotal: o.AmountFen, PayerRefund: f.AmountFen,
			SettlementTotal: o.AmountFen, SettlementRefund: f.AmountFen, Currency: wire.Currency,
		},
	}
	if f.End == states.RefundSuccess {
		a.SuccessTime = wire.Time(f.EndedAt)
	}
	return a, nil
}
