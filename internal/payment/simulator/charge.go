package simulator

import (
	"net/http"
)

// transaction is an order in the provider's words.
type transaction struct {
	AppID          string `json:"appid"`
	MerchantID     string `json:"mchid"`
	OrderNo        string `json:"out_trade_no"`
	TransactionID  string `json:"transaction_id,omitzero"`
	TradeType      string `json:"trade_type,omitzero"`
	TradeState     string `json:"trade_state"`
	TradeStateDesc string `json:"trade_state_desc"`
	BankType       string `json:"bank_type,omitzero"`
	SuccessTime    string `json:"success_time,omitzero"`
	Amount         struct {
		Total         int64  `json:"total"`
		PayerTotal    int64  `json:"payer_total,omitzero"`
		Currency      string `json:"currency"`
		PayerCurrency string `json:"payer_currency,omitzero"`
	} `json:"amount"`
}

func (s *Simulator) transaction(o *order) transaction {
	t := transaction{AppID: o.AppID, MerchantID: s.cfg.MerchantID, OrderNo: o.no, TradeState: o.state(s.cfg.Now())}
	t.Amount.Total, t.Amount.Currency = o.AmountFen, currency
	switch t.TradeState {
	case stateUnpaid:
		t.TradeStateDesc = "订单未支付"
	case stateClosed:
		t.TradeStateDesc = "订单已关闭"
	case statePaid:
		t.TradeStateDesc = "支付成功"
		t.TransactionID, t.SuccessTime = o.transactionID, wireTime(o.paidAt)
		t.TradeType, t.BankType = "NATIVE", "OTHERS"
		t.Amount.PayerTotal, t.Amount.PayerCurrency = o.AmountFen, currency
	}
	return t
}

// query says what became of an order.
func (s *Simulator) query(r *http.Request, _ []byte) (any, error) {
	if r.URL.Query().Get("mchid") != s.cfg.MerchantID {
		return nil, badParameter("mchid: want the merchant that signs")
	}
	o, err := s.journal.book.byNumber(r.PathValue("no"))
	if err != nil {
		return nil, err
	}
	return s.transaction(&o), nil
}
