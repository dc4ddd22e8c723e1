package payment

import (
	"fmt"
	"time"

	"hongbao/envelope"
)

// transactionIDBytesMax is the provider's own limit.
const transactionIDBytesMax = 32

// transaction is a charge as the provider tells it, in an answer to a query and
// inside a notification.
type transaction struct {
	AppID         string `json:"appid"`
	MerchantID    string `json:"mchid"`
	OrderNo       string `json:"out_trade_no"`
	TransactionID string `json:"transaction_id"`
	TradeState    string `json:"trade_state"`
	SuccessTime   string `json:"success_time"`
	Amount        amount `json:"amount"`
}

// payment takes a paid transaction into the service, if it is ours.
func (c *Client) payment(t *transaction) (envelope.Payment, error) {
	switch {
	case t.MerchantID != c.cfg.MerchantID:
		return envelope.Payment{}, notOurs("a transaction of merchant %q", cut(t.MerchantID, codeBytesMax))
	case t.AppID != c.cfg.AppID:
		return envelope.Payment{}, notOurs("a transaction of app %q", cut(t.AppID, codeBytesMax))
	case t.Amount.Currency != currency:
		return envelope.Payment{}, fmt.Errorf("transaction: want currency %s, have %q", currency, t.Amount.Currency)
	case t.Amount.Total < 1 || t.Amount.Total > amountFenMax:
		return envelope.Payment{}, fmt.Errorf("transaction: want 1 <= amount <= %d fen, have %d", int64(amountFenMax), t.Amount.Total)
	case !isIdentifier(t.TransactionID) || len(t.TransactionID) > transactionIDBytesMax:
		return envelope.Payment{}, fmt.Errorf("transaction: want a transaction ID of 1 to %d letters or digits", transactionIDBytesMax)
	}
	no, err := envelope.ParseID(t.OrderNo)
	if err != nil {
		return envelope.Payment{}, notOurs("a transaction of order %q: %v", cut(t.OrderNo, transactionIDBytesMax), err)
	}
	paidAt, err := time.Parse(time.RFC3339, t.SuccessTime)
	if err != nil {
		return envelope.Payment{}, fmt.Errorf("transaction: success_time: %w", err)
	}
	return envelope.Payment{OrderNo: no, TransactionID: t.TransactionID, Amount: envelope.Fen(t.Amount.Total), PaidAt: paidAt}, nil
}
