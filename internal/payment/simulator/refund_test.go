package simulator

import (
	"context"
	"sync"
	"testing"

	"hongbao/internal/payment/simulator/ledger"
	"hongbao/internal/payment/simulator/refusal"
	"hongbao/internal/payment/simulator/states"
)

func TestRefundRefusalsAreAsInProduction(t *testing.T) {
	d := openDesk(t, testConfig(t))
	d.paid("order-1", 1000)
	if r := d.post(nativeTarget, d.chargeOf("unpaid-1", 1000)); r.status != 200 {
		t.Fatal(r)
	}
	change := func(field string, value any) object {
		body := d.refundOf("refund-1", "order-1", 100, 1000)
		body[field] = value
		return body
	}
	for _, row := range []struct {
		name   string
		body   any
		status int
		code   string
	}{
		{"unknown charge", d.refundOf("refund-1", "order-9", 100, 1000), 404, "RESOURCE_NOT_EXISTS"},
		{"unpaid charge", d.refundOf("refund-1", "unpaid-1", 100, 1000), 400, "INVALID_REQUEST"},
		{"another total", d.refundOf("refund-1", "order-1", 100, 1001), 400, "INVALID_REQUEST"},
		{"more than the total", d.refundOf("refund-1", "order-1", 1001, 1000), 400, "PARAM_ERROR"},
		{"nothing", d.refundOf("refund-1", "order-1", 0, 1000), 400, "PARAM_ERROR"},
		{"no number", d.refundOf("", "order-1", 1, 1000), 400, "PARAM_ERROR"},
		{"number", d.refundOf("refund 1", "order-1", 1, 1000), 400, "PARAM_ERROR"},
		{"another account", change("funds_account", "MINE"), 400, "PARAM_ERROR"},
		{"unknown transaction", change("transaction_id", "4200999"), 404, "RESOURCE_NOT_EXISTS"},
		{"notify_url", change("notify_url", "ftp://h/"), 400, "PARAM_ERROR"},
		{"fraction", `{"out_trade_no":"order-1","out_refund_no":"refund-1","amount":{"refund":1.5,"total":1000,"currency":"CNY"}}`, 400, "PARAM_ERROR"},
		{"said twice", `{"out_trade_no":"order-1","out_trade_no":"order-1"}`, 400, "PARAM_ERROR"},
	} {
		if r := d.post(refundsTarget, row.body); r.status != row.status || r.code() != row.code {
			t.Errorf("%s: %+v, want %d %s", row.name, r, row.status, row.code)
		}
	}
	if r := d.get(refundTarget("refund-1")); r.status != 404 || r.code() != "RESOURCE_NOT_EXISTS" {
		t.Errorf("a refund that never was: %+v", r)
	}
}

// FG13.
func TestRefundsAreMadeOnceWithinTheCharge(t *testing.T) {
	d := openDesk(t, testConfig(t))
	d.paid("order-1", 1000)
	var crowd sync.WaitGroup
	for range 16 {
		crowd.Go(func() {
			r := d.ask(context.Background(), "POST", refundsTarget, d.refundOf("refund-1", "order-1", 700, 1000))
			if r.status != 200 || r.said["status"] == nil {
				t.Errorf("%+v", r)
			}
		})
	}
	crowd.Wait()
	d.hear()
	for what, body := range map[string]object{
		"another amount": d.refundOf("refund-1", "order-1", 300, 1000),
		"too much":       d.refundOf("refund-2", "order-1", 301, 1000),
	} {
		if r := d.post(refundsTarget, body); r.status != 400 || r.code() != "INVALID_REQUEST" {
			t.Errorf("%s: %+v", what, r)
		}
	}
	if r := d.post(refundsTarget, d.refundOf("refund-2", "order-1", 300, 1000)); r.status != 200 {
		t.Errorf("the rest: %+v", r)
	}
	d.hear()
	var sums ledger.Totals
	d.tool("GET", "/simulator/totals", "", &sums)
	if want := (ledger.Totals{Charge: ledger.Total{Count: 1, Fen: 1000}, Refund: ledger.Total{Count: 2, Fen: 1000}}); sums != want {
		t.Errorf("totals %+v, want %+v", sums, want)
	}
}

func TestAChargeIsPaidOrClosed(t *testing.T) {
	d := openDesk(t, testConfig(t))
	closing := func(no string) reply {
		return d.post("/v3/pay/transactions/out-trade-no/"+no+"/close", object{"mchid": testMerchant})
	}
	placed := d.post(nativeTarget, d.chargeOf("order-1", 1000))
	for range 2 {
		if r := closing("order-1"); r.status != 204 || r.said != nil {
			t.Errorf("closing: %+v", r)
		}
	}
	var no refusal.Refusal
	if code := d.tool("POST", placed.said["code_url"].(string)[len(d.base):], "", &no); code != 400 || no.Code != "ORDER_CLOSED" {
		t.Errorf("paid: %d %+v", code, no)
	}
	if r := d.post(nativeTarget, d.chargeOf("order-1", 1000)); r.code() != "ORDER_CLOSED" {
		t.Errorf("placed again: %+v", r)
	}
	d.paid("order-2", 1000)
	if r := closing("order-2"); r.status != 400 || r.code() != "ORDERPAID" {
		t.Errorf("closing a paid one: %+v", r)
	}
	if r := closing("order-3"); r.status != 404 || r.code() != "ORDER_NOT_EXIST" {
		t.Errorf("closing an unknown one: %+v", r)
	}
	if r := d.post("/v3/pay/transactions/out-trade-no/order-2/close", object{"mchid": "1"}); r.status != 400 || r.code() != "PARAM_ERROR" {
		t.Errorf("another merchant: %+v", r)
	}
	d.stop()
	d.open()
	if r := d.get(chargeTarget("order-1")); r.said["trade_state"] != states.Closed {
		t.Errorf("after a restart: %+v", r)
	}
}

// FG2.
func TestEndingTwiceMovesAndNotifiesOnce(t *testing.T) {
	d := openDesk(t, testConfig(t))
	d.paid("order-1", 1000)
	d.post(refundsTarget, d.refundOf("refund-1", "order-1", 600, 1000))
	d.payout("payout1")
	d.payOutBatch("batch1", 2)
	d.hear()
	d.hear()
	d.hear()
	want := spell(d.movements())
	d.s.endRefund(context.Background(), "refund-1")
	d.s.endTransfer(context.Background(), "payout1")
	d.s.endBatch(context.Background(), "batch1")
	if have := spell(d.movements()); have != want {
		t.Errorf("moved %s, want %s", have, want)
	}
	d.stop()
	if len(d.heard) != 0 {
		t.Errorf("heard %d more", len(d.heard))
	}
}
