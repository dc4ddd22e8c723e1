package simulator

import (
	"context"
	"net/http"

	"hongbao/internal/payment/simulator/ledger"
	"hongbao/internal/payment/simulator/lies"
	"hongbao/internal/payment/simulator/refusal"
	"hongbao/internal/payment/simulator/states"
	"hongbao/internal/payment/simulator/wire"
)

func (s *Simulator) transaction(o *ledger.Order, state string) wire.Transaction {
	t := wire.Transaction{AppID: o.AppID, MerchantID: s.cfg.MerchantID, OrderNo: o.No, Attach: o.Attach, TradeState: state}
	t.Amount.Total, t.Amount.Currency = o.AmountFen, wire.Currency
	switch state {
	case states.Unpaid:
		t.TradeStateDesc = "订单未支付"
	case states.Closed:
		t.TradeStateDesc = "订单已关闭"
	case states.Returned:
		t.TradeStateDesc = "订单发生过退款"
	case states.Paid:
		t.TradeStateDesc = "支付成功"
	}
	if !o.PaidAt.IsZero() {
		t.TransactionID, t.SuccessTime = o.TransactionID, wire.Time(o.PaidAt)
		t.TradeType, t.BankType, t.Payer = wire.TradeType, wire.BankType, &wire.Payer{OpenID: wire.PayerOpenID}
		t.Amount.PayerTotal, t.Amount.PayerCurrency = o.AmountFen, wire.Currency
	}
	return t
}

// query says what became of an order.
func (s *Simulator) query(r *http.Request, _ []byte) (call, error) {
	no := r.PathValue("no")
	o, err := s.journal.Book.Order(no)
	return s.tellOrder(r, no, &o, err)
}

// queryTransaction does so by our number.
func (s *Simulator) queryTransaction(r *http.Request, _ []byte) (call, error) {
	o, err := s.journal.Book.OrderByTransaction(r.PathValue("id"))
	return s.tellOrder(r, o.No, &o, err)
}

func (s *Simulator) tellOrder(r *http.Request, no string, o *ledger.Order, err error) (call, error) {
	if mchid := r.URL.Query().Get("mchid"); mchid != s.cfg.MerchantID {
		return call{}, refusal.BadQuery("mchid", mchid, wantMerchant)
	}
	return call{Operation: lies.Operation{Kind: ledger.KindCharge, No: no}, do: func(context.Context) (any, error) {
		if err != nil {
			return nil, err
		}
		return s.transaction(o, o.State(s.cfg.Now())), nil
	}}, nil
}

const wantMerchant = "want the merchant that signs"

// close makes an order impossible to pay.
func (s *Simulator) close(r *http.Request, body []byte) (call, error) {
	var req struct {
		MerchantID string `json:"mchid"`
	}
	if err := refusal.ReadJSON(body, &req); err != nil {
		return call{}, err
	}
	if req.MerchantID != s.cfg.MerchantID {
		return call{}, refusal.BadField("/mchid", req.MerchantID, wantMerchant)
	}
	no := r.PathValue("no")
	return call{lies.Operation{Kind: ledger.KindCharge, No: no}, true, func(ctx context.Context) (any, error) {
		return nil, s.journal.Commit(ctx, func(b *ledger.Book) (*ledger.Record, error) { return b.Close(no, s.cfg.Now()) })
	}}, nil
}
