package simulator

import (
	"context"
	"net/http"

	"hongbao/internal/payment/simulator/refusal"
)

// transaction is an order in the provider's words.
type transaction struct {
	AppID          string `json:"appid"`
	MerchantID     string `json:"mchid"`
	OrderNo        string `json:"out_trade_no"`
	TransactionID  string `json:"transaction_id,omitzero"`
	Attach         string `json:"attach,omitzero"`
	TradeType      string `json:"trade_type,omitzero"`
	TradeState     string `json:"trade_state"`
	TradeStateDesc string `json:"trade_state_desc"`
	BankType       string `json:"bank_type,omitzero"`
	SuccessTime    string `json:"success_time,omitzero"`
	Payer          *payer `json:"payer,omitzero"`
	Amount         struct {
		Total         int64  `json:"total"`
		PayerTotal    int64  `json:"payer_total,omitzero"`
		Currency      string `json:"currency"`
		PayerCurrency string `json:"payer_currency,omitzero"`
	} `json:"amount"`
}

type payer struct {
	OpenID string `json:"openid"`
}

func (t transaction) withState(state string) any { t.TradeState = state; return t }
func (t transaction) offByOne() any              { t.Amount.Total++; t.Amount.PayerTotal++; return t }
func (t transaction) contrary() (string, any)    { return "", nil }

func (s *Simulator) transaction(o *order, state string) transaction {
	t := transaction{AppID: o.AppID, MerchantID: s.cfg.MerchantID, OrderNo: o.no, Attach: o.Attach, TradeState: state}
	t.Amount.Total, t.Amount.Currency = o.AmountFen, currency
	switch state {
	case stateUnpaid:
		t.TradeStateDesc = "订单未支付"
	case stateClosed:
		t.TradeStateDesc = "订单已关闭"
	case stateReturned:
		t.TradeStateDesc = "订单发生过退款"
	case statePaid:
		t.TradeStateDesc = "支付成功"
	}
	if !o.paidAt.IsZero() {
		t.TransactionID, t.SuccessTime = o.transactionID, wireTime(o.paidAt)
		t.TradeType, t.BankType, t.Payer = tradeType, bankType, &payer{payerOpenID}
		t.Amount.PayerTotal, t.Amount.PayerCurrency = o.AmountFen, currency
	}
	return t
}

// What every payment here is.
const (
	tradeType   = "NATIVE"
	bankType    = "OTHERS"
	payerOpenID = "oSimulatedPayer0000000000001" // there is one wallet for all payers
)

// query says what became of an order.
func (s *Simulator) query(r *http.Request, _ []byte) (call, error) {
	no := r.PathValue("no")
	o, err := s.journal.book.order(no)
	return s.tellOrder(r, no, &o, err)
}

// queryTransaction does so by our number.
func (s *Simulator) queryTransaction(r *http.Request, _ []byte) (call, error) {
	o, err := s.journal.book.transaction(r.PathValue("id"))
	return s.tellOrder(r, o.no, &o, err)
}

func (s *Simulator) tellOrder(r *http.Request, no string, o *order, err error) (call, error) {
	if mchid := r.URL.Query().Get("mchid"); mchid != s.cfg.MerchantID {
		return call{}, refusal.BadQuery("mchid", mchid, wantMerchant)
	}
	return call{operation: operation{kind: kindCharge, no: no}, do: func(context.Context) (any, error) {
		if err != nil {
			return nil, err
		}
		return s.transaction(o, o.state(s.cfg.Now())), nil
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
	return call{operation{kind: kindCharge, no: no}, true, func(ctx context.Context) (any, error) {
		return nil, s.journal.commit(ctx, func(b *book) (*record, error) { return b.close(no, s.cfg.Now()) })
	}}, nil
}
