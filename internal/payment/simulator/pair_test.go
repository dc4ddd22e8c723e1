package simulator

import (
	"context"
	"testing"
	"time"

	"hongbao/envelope"
	"hongbao/internal/payment/bill"
)

// TestOurClientDoesAllCalls has our own client on the other side;
// independent_test.go has a stranger's.
func TestOurClientDoesAllCalls(t *testing.T) {
	m := newMerchant(t)
	cfg := testConfig(t)
	cfg.BillsAtOnce = true
	m.start(cfg)
	ctx, charge := context.Background(), m.charge(0)
	paid, _, err := m.pay(m.place(charge))
	if err != nil {
		t.Fatal(err)
	}
	<-m.notified
	refund := envelope.Transfer{OrderNo: charge.OrderNo, Round: 1, Payee: "sender", Amount: 2500, Charged: charge.Amount, CreatedAt: time.Now()}
	payout := envelope.Transfer{OrderNo: charge.OrderNo, Seq: 1, Round: 1, Payee: "opener", Amount: 7500, CreatedAt: time.Now()}
	want := map[bill.Kind]bill.Entry{
		bill.Charge: {No: string(charge.OrderNo), ProviderNo: paid.TransactionID, Amount: charge.Amount},
	}
	for kind, transfer := range map[bill.Kind]envelope.Transfer{bill.Refund: refund, bill.Payout: payout} {
		status, err := m.client.Place(ctx, transfer)
		if err != nil || status.No != transfer.No() || status.Progress == envelope.ProgressRefused {
			t.Fatalf("placed %s: %+v, %v", transfer.No(), status, err)
		}
		heard := <-m.transferred
		if heard.No != transfer.No() || heard.Progress != envelope.ProgressDone || heard.Amount != transfer.Amount || heard.ProviderNo != status.ProviderNo {
			t.Errorf("heard %+v, placed %+v", heard, status)
		}
		if asked, err := m.client.Query(ctx, transfer); err != nil || asked.Progress != envelope.ProgressDone || asked.ProviderNo != status.ProviderNo {
			t.Errorf("asked: %+v, %v", asked, err)
		}
		want[kind] = bill.Entry{No: transfer.No(), ProviderNo: status.ProviderNo, Amount: transfer.Amount, Out: true}
	}
	day := envelope.DayOf(time.Now())
	trade, err := m.client.TradeBill(ctx, day)
	if err != nil || len(trade) != 2 {
		t.Errorf("trade bill: %+v, %v", trade, err)
	}
	fund, err := m.client.FundFlowBill(ctx, day)
	if err != nil || len(fund) != 3 {
		t.Errorf("fund flow bill: %+v, %v", fund, err)
	}
	for _, e := range append(trade, fund...) {
		w := want[e.Kind]
		if e.No != w.No || e.ProviderNo != w.ProviderNo || e.Amount != w.Amount || e.Out != w.Out {
			t.Errorf("row %+v, want %+v", e, w)
		}
	}
}
