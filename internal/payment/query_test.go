package payment

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hongbao/envelope"
)

func TestQueryTellsTheStatesApart(t *testing.T) {
	wholly := envelope.Payment{OrderNo: orderNo(), TransactionID: paid().TransactionID, Amount: 10000, PaidAt: noon()}
	for state, want := range map[string]envelope.ChargeStatus{
		"SUCCESS": {State: envelope.ChargePaid, Payment: wholly},
		"REFUND":  {State: envelope.ChargeRefunded, Payment: wholly},
		"NOTPAY":  {State: envelope.ChargeUnpaid},
		"CLOSED":  {State: envelope.ChargeClosed},
	} {
		p := paid()
		p.TradeState = state
		c, _ := providerSaying(t, reply{status: 200, body: string(marshal(t, p))})
		got, err := c.QueryCharge(context.Background(), orderNo())
		got.Payment.PaidAt = got.Payment.PaidAt.UTC()
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v %s", state, err, diff)
		}
	}
	c, _ := providerSaying(t, reply{status: 404, body: `{"code":"ORDER_NOT_EXIST"}`})
	if got, err := c.QueryCharge(context.Background(), orderNo()); err != nil || got.State != envelope.ChargeNotFound {
		t.Errorf("not found: %+v, %v", got, err)
	}
}

// FG5.
func TestForeignQueryAnswersAreUnknown(t *testing.T) {
	for name, change := range map[string]func(*transaction){
		"another order":    func(p *transaction) { p.OrderNo = string(envelope.Body(1<<40 + 8).In(3)) },
		"another merchant": func(p *transaction) { p.MerchantID = "1900000002" },
		"another app":      func(p *transaction) { p.AppID = "wx1" },
		"another currency": func(p *transaction) { p.Amount.Currency = "USD" },
		"no amount":        func(p *transaction) { p.Amount.Total = 0 },
		"no time":          func(p *transaction) { p.SuccessTime = "" },
		"an unknown state": func(p *transaction) { p.TradeState = "PAYERROR" },
		"no state":         func(p *transaction) { p.TradeState = "" },
	} {
		p := paid()
		change(&p)
		c, _ := providerSaying(t, reply{status: 200, body: string(marshal(t, p))})
		if got, err := c.QueryCharge(context.Background(), orderNo()); !errors.Is(err, envelope.ErrUnknownOutcome) || got != (envelope.ChargeStatus{}) {
			t.Errorf("%s: %+v, %v, want an unknown outcome", name, got, err)
		}
	}
	c, _ := providerSaying(t, reply{status: 404, body: `{"code":"NOT_FOUND"}`})
	if got, err := c.QueryCharge(context.Background(), orderNo()); !errors.Is(err, envelope.ErrUnknownOutcome) {
		t.Errorf("an unknown code: %+v, %v, want an unknown outcome", got, err)
	}
}
