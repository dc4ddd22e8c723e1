package simulator

import (
	"context"
	"testing"

	"hongbao/internal/payment/simulator/ledger"
	"hongbao/internal/payment/simulator/states"
	"hongbao/internal/payment/simulator/wire"
)

func TestClosedBatchHasPaidTheFirstHalf(t *testing.T) {
	d := openDesk(t, testConfig(t))
	d.lie(`{"rules": [{"lie": "batch_closed", "no": "batch1", "times": 1}, {"lie": "refuse_limit", "no": "batch1x1", "times": 1}]}`)
	d.payOutBatch("batch1", 5)
	c := d.hear()
	if c.event != wire.EventBatchClosed || c.said["batch_status"] != states.Closed || c.said["close_reason"] != states.ReasonOverdue ||
		c.said["success_num"] != 1.0 || c.said["success_amount"] != 1.0 || c.said["fail_num"] != 4.0 || c.said["fail_amount"] != 14.0 {
		t.Errorf("heard %+v", c)
	}
	if r := d.get(batchTarget("batch1")); in(r.said, "transfer_batch.batch_status") != states.Closed || in(r.said, "transfer_batch.close_reason") != states.ReasonOverdue || in(r.said, "transfer_batch.fail_num") != 4.0 {
		t.Errorf("asked, it says %+v", r)
	}
	want := "x0 SUCCESS, x1 FAIL, x2 FAIL, x3 FAIL, x4 FAIL"
	d.stop()
	d.open()
	if have := d.details("batch1", "detail_status=ALL"); have != want {
		t.Errorf("read back %s, want %s", have, want)
	}
	for i, reason := range []any{nil, states.ReasonLimit, states.ReasonOverdue, states.ReasonOverdue, states.ReasonOverdue} {
		if one := d.detail("batch1", i); one["fail_reason"] != reason {
			t.Errorf("detail %d: %v, want %v", i, one, reason)
		}
	}
	if have := spell(d.movements()); have != "1 payout batch1x0 1" {
		t.Errorf("moved %s", have)
	}
}

// FG4.
func TestTwiceMovesOneDetailTwice(t *testing.T) {
	d := openDesk(t, testConfig(t))
	d.lie(`{"rules": [{"lie": "twice", "no": "batch1x1", "times": 1}]}`)
	d.payOutBatch("batch1", 3)
	if c := d.hear(); c.said["success_num"] != 3.0 || c.said["success_amount"] != 6.0 {
		t.Errorf("heard %+v, want what the merchant asked for", c)
	}
	want := "1 payout batch1x0 1, 2 payout batch1x1 2, 3 payout batch1x1 2, 4 payout batch1x2 3"
	if have := spell(d.movements()); have != want {
		t.Errorf("moved %s\nwant  %s", have, want)
	}
	d.stop()
	d.open()
	if have := spell(d.movements()); have != want {
		t.Errorf("read back %s\nwant  %s", have, want)
	}
	var sums ledger.Totals
	if d.tool("GET", "/simulator/totals", "", &sums); sums.Payout != (ledger.Total{Count: 4, Fen: 8}) {
		t.Errorf("totals %+v", sums)
	}
}

// FG3.
func TestBatchSuccessThenFailIsOnlySaid(t *testing.T) {
	d := openDesk(t, testConfig(t))
	d.lie(`{"rates": {"success_then_fail": 1}, "later_ms": 20}`)
	d.payOutBatch("batch1", 2)
	first, second := d.hear(), d.hear()
	if first.event != wire.EventBatchFinished || second.event != wire.EventBatchClosed || second.signature != nil || first.id == second.id ||
		second.said["success_num"] != 0.0 || second.said["fail_amount"] != 3.0 {
		t.Errorf("%+v, then %+v", first, second)
	}
	if r := d.get(batchTarget("batch1")); in(r.said, "transfer_batch.batch_status") != states.BatchFinished || len(d.movements()) != 2 {
		t.Errorf("asked, it says %+v; movements %+v", r, d.movements())
	}
	d.lie(`{"rates": {"success_then_fail": 1, "refuse_limit": 1}, "later_ms": 1}`)
	d.payOutBatch("batch2", 2) // nothing moved, so there is nothing to take back
	if c := d.hear(); c.said["fail_num"] != 2.0 {
		t.Errorf("heard %+v", c)
	}
	d.stop()
	if n := len(d.heard); n != 0 {
		t.Errorf("heard %d more", n)
	}
}

func TestBatchCallbackFaultsFollowItsNumber(t *testing.T) {
	d := openDesk(t, testConfig(t))
	d.lie(`{"rules": [{"lie": "duplicate_callback", "no": "batch1", "times": 1, "copies": 3},
		{"lie": "reordered_callback", "no": "batch2", "times": 1, "late_ms": 86400000}, {"lie": "drop_callback", "no": "batch4", "times": 1}]}`)
	d.payOutBatch("batch1", 2)
	ids := map[string]int{}
	for range 3 {
		ids[d.hear().id]++
	}
	if len(ids) != 1 {
		t.Errorf("heard %v, want one three times", ids)
	}
	d.payOutBatch("batch2", 2)
	d.until(batchTarget("batch2"), "transfer_batch.batch_status", states.BatchFinished)
	d.payOutBatch("batch3", 2)
	if first, second := d.hear(), d.hear(); first.said["out_batch_no"] != "batch3" || second.said["out_batch_no"] != "batch2" {
		t.Errorf("heard %v before %v", first.said["out_batch_no"], second.said["out_batch_no"])
	}
	d.payOutBatch("batch4", 2)
	d.until(batchTarget("batch4"), "transfer_batch.batch_status", states.BatchFinished)
	d.stop()
	if n := len(d.heard); n != 0 {
		t.Errorf("heard %d more", n)
	}
	d.open() // which does not lie
	if c := d.hear(); c.said["out_batch_no"] != "batch4" {
		t.Errorf("the next life says %+v", c)
	}
}

func TestLiesAboutBatchAnswersChangeNothing(t *testing.T) {
	d := openDesk(t, testConfig(t))
	d.lie(`{"rates": {"unknown_state": 1, "unsigned_answer": 1}}`)
	ask := func(method, target string, body any) object {
		r := d.ask(context.Background(), method, target, body)
		if r.status != 200 || r.signature == nil {
			t.Errorf("%s: %+v, want it unsigned", target, r)
		}
		return r.said
	}
	if said := ask("POST", batchesTarget, d.batchOf("batch1", 2)); said["batch_status"] != stateNobodyKnows {
		t.Errorf("placed: %v", said)
	}
	if said := ask("GET", batchTarget("batch1"), nil); in(said, "transfer_batch.batch_status") != stateNobodyKnows {
		t.Errorf("asked: %v", said)
	}
	if said := ask("GET", batchTarget("batch1")+"/details/out-detail-no/batch1x0", nil); said["detail_status"] != stateNobodyKnows {
		t.Errorf("asked about a detail: %v", said)
	}
	d.lie(`{}`)
	d.until(batchTarget("batch1"), "transfer_batch.batch_status", states.BatchFinished)
	if n := len(d.movements()); n != 2 {
		t.Errorf("%d movements", n)
	}
}
