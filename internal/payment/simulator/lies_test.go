package simulator

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"hongbao/internal/payment/apiv3"
	"hongbao/internal/payment/simulator/ledger"
	"hongbao/internal/payment/simulator/lies"
	"hongbao/internal/payment/simulator/states"
	"hongbao/internal/payment/simulator/wire"
)

// TestLiesAboutCallsComeInPairs tells every lie about a call, executed and
// not, for a charge, a refund, a payout and a batch, and then holds the same number
// against the truth: asking finds it or not, repeating does it once (FG1).
func TestLiesAboutCallsComeInPairs(t *testing.T) {
	d := openDesk(t, testConfig(t))
	d.paid("paid-order", 100000)
	n := 0
	for _, row := range []struct {
		lie      lies.Lie
		status   int // 0 is no answer
		code     string
		executed bool
		later    bool
	}{
		{lies.TimeoutAfter, 0, "", true, false},
		{lies.TimeoutBefore, 0, "", false, false},
		{lies.UnknownCodeAfter, 400, "A_CODE_NOBODY_KNOWS", true, false},
		{lies.UnknownCode, 400, "A_CODE_NOBODY_KNOWS", false, false},
		{lies.NotEnough, 403, "NOT_ENOUGH", false, false},
		{lies.ExecuteLater, 500, "SYSTEM_ERROR", false, true},
		{lies.TimeoutLater, 0, "", false, true},
	} {
		for _, kind := range []string{ledger.KindCharge, ledger.KindRefund, ledger.KindPayout, ledger.KindBatch} {
			n++
			no := fmt.Sprintf("number%03d", n)
			target, body, question := d.request(kind, no)
			d.tool("DELETE", "/simulator/lies", "", nil)
			d.lie(fmt.Sprintf(`{"rules": [{"lie": %q, "kind": %q, "no": %q, "times": 1, "later_ms": 200}]}`, row.lie, strings.Replace(kind, ledger.KindBatch, ledger.KindPayout, 1), no))
			ctx, giveUp := context.WithCancel(context.Background())
			answer := make(chan reply, 1)
			go func() { answer <- d.ask(ctx, "POST", target, body) }()
			for d.told()[row.lie] == 0 {
				runtime.Gosched()
			}
			if row.executed {
				d.until(question, numberField(kind), no)
			} else if asked := d.get(question); !row.later && asked.status != 404 {
				t.Errorf("%s of a %s: asked, it says %+v", row.lie, kind, asked)
			}
			if row.status == 0 {
				giveUp()
			}
			if r := <-answer; r.status != row.status || row.code != "" && r.code() != row.code {
				t.Errorf("%s of a %s: answered %+v", row.lie, kind, r)
			}
			giveUp()
			if row.later { // it comes without a retry
				d.until(question, numberField(kind), no)
			}
			if again := d.post(target, body); again.status != 200 {
				t.Errorf("%s of a %s: repeated, it says %+v", row.lie, kind, again)
			}
			if kind != ledger.KindCharge {
				d.hear()
			}
		}
	}
	d.stop()
	if len(d.heard) != 0 {
		t.Errorf("%d callbacks more than ends", len(d.heard))
	}
	if _, sums, _ := d.s.journal.Book.Movements(); sums.Refund.Count != 7 || sums.Payout.Count != 7+7*2 || sums.Charge.Count != 1 {
		t.Errorf("moved %+v, want each number once", sums)
	}
}

// request is a call that moves one kind of money, and the question about it.
func (d *desk) request(kind, no string) (target string, body object, question string) {
	switch kind {
	case ledger.KindRefund:
		return refundsTarget, d.refundOf(no, "paid-order", 10, 100000), refundTarget(no)
	case ledger.KindPayout:
		return transfersTarget, d.transferOf(no, 10), transferTarget(no)
	case ledger.KindBatch:
		return batchesTarget, d.batchOf(no, 2), batchTarget(no)
	}
	return nativeTarget, d.chargeOf(no, 10), chargeTarget(no)
}

// TestSilenceEndsWithTheProcess: a caller that never gives up does not keep
// the simulator up (FG1).
func TestSilenceEndsWithTheProcess(t *testing.T) {
	d := openDesk(t, testConfig(t))
	d.lie(`{"rates": {"timeout_before": 1}}`)
	answer := make(chan reply, 1)
	go func() { answer <- d.ask(context.Background(), "POST", transfersTarget, d.transferOf("payout1", 1)) }()
	for d.told()[lies.TimeoutBefore] == 0 {
		runtime.Gosched()
	}
	start := time.Now()
	d.stop()
	if took := time.Since(start); took >= shutdownMax {
		t.Errorf("stopped after %v", took)
	}
	if r := <-answer; r.status != 0 {
		t.Errorf("answered %+v", r)
	}
}

func numberField(kind string) string {
	return map[string]string{ledger.KindCharge: "out_trade_no", ledger.KindRefund: "out_refund_no", ledger.KindPayout: "out_bill_no", ledger.KindBatch: "transfer_batch.out_batch_no"}[kind]
}

func TestLiesAboutAnswersLeaveTheTruthAlone(t *testing.T) {
	d := openDesk(t, testConfig(t))
	d.paid("paid-order", 1000)
	ask := func() reply { return d.ask(context.Background(), "GET", chargeTarget("paid-order"), nil) }

	d.lie(`{"rates": {"outage": 1}}`)
	if r := ask(); r.status != 503 || r.signature == nil {
		t.Errorf("outage: %+v", r)
	}
	if r := d.ask(context.Background(), "POST", transfersTarget, d.transferOf("payout1", 1)); r.status != 503 {
		t.Errorf("outage: %+v", r)
	}
	if code := d.tool("DELETE", "/simulator/lies", "", nil); code != 204 {
		t.Fatalf("DELETE: %d", code)
	}
	if r := d.get(transferTarget("payout1")); r.status != 404 {
		t.Errorf("executed in an outage: %+v", r)
	}
	d.lie(`{"rules": [{"lie": "unsigned_answer", "times": 1}, {"lie": "wrongly_signed_answer", "times": 1}, {"lie": "unknown_state", "times": 1}]}`)
	first, second, third := ask(), ask(), ask()
	if first.signature == nil || first.said["trade_state"] != stateNobodyKnows {
		t.Errorf("unsigned, and in a state nobody knows: %+v", first)
	}
	if second.signature == nil || second.said["trade_state"] != states.Paid {
		t.Errorf("wrongly signed: %+v", second)
	}
	if third.signature != nil || third.said["trade_state"] != states.Paid {
		t.Errorf("afterwards: %+v", third)
	}
	for _, l := range []lies.Lie{lies.UnsignedAnswer, lies.WronglySigned, lies.UnknownState} {
		if n := d.told()[l]; n != 1 {
			t.Errorf("%s was told %d times, want once", l, n)
		}
	}
}

// payout has one paid out, and does not wait for its callback.
func (d *desk) payout(no string) {
	d.t.Helper()
	if r := d.post(transfersTarget, d.transferOf(no, 500)); r.status != 200 {
		d.t.Fatalf("transfer: %+v", r)
	}
}

// FF1.
func TestDuplicateCallbacksAreCopies(t *testing.T) {
	d := openDesk(t, testConfig(t))
	d.lie(`{"rules": [{"lie": "duplicate_callback", "times": 1, "copies": 16}]}`)
	d.payout("payout1")
	ids := map[string]int{}
	for range 16 {
		c := d.hear()
		if c.signature != nil || c.said["state"] != states.Transferred {
			t.Errorf("%+v", c)
		}
		ids[c.id]++
	}
	d.stop()
	if len(ids) != 1 || len(d.heard) != 0 {
		t.Errorf("heard %v and %d more, want one 16 times", ids, len(d.heard))
	}
}

// FF7.
func TestDroppedCallbacksWaitForARestart(t *testing.T) {
	d := openDesk(t, testConfig(t))
	d.lie(`{"rules": [{"lie": "drop_callback", "no": "payout1", "times": 1}]}`)
	d.payout("payout1")
	d.until(transferTarget("payout1"), "state", states.Transferred)
	d.payout("payout2")
	if c := d.hear(); c.said["out_bill_no"] != "payout2" {
		t.Errorf("heard %+v", c)
	}
	d.stop()
	if len(d.heard) != 0 {
		t.Errorf("heard %d more", len(d.heard))
	}
	d.open() // which does not lie
	if c := d.hear(); c.said["out_bill_no"] != "payout1" {
		t.Errorf("the next life says %+v", c)
	}
}

// FF6.
func TestLateCallbacksComeAfterLaterOnes(t *testing.T) {
	for _, doc := range []string{
		`{"rules": [{"lie": "reordered_callback", "no": "payout1", "times": 1, "late_ms": 86400000}]}`,
		`{"rules": [{"lie": "reordered_callback", "no": "payout1", "times": 1, "late_ms": 300}]}`,
		`{"rules": [{"lie": "late_callback", "no": "payout1", "times": 1, "late_ms": 3000}]}`,
	} {
		d := openDesk(t, testConfig(t))
		d.lie(doc)
		d.payout("payout1")
		d.until(transferTarget("payout1"), "state", states.Transferred)
		if strings.Contains(doc, "300") { // none follows, so the bound releases it
			if c := d.hear(); c.said["out_bill_no"] != "payout1" {
				t.Errorf("%s: heard %+v", doc, c)
			}
			continue
		}
		d.payout("payout2")
		first, second := d.hear(), d.hear()
		if first.said["out_bill_no"] != "payout2" || second.said["out_bill_no"] != "payout1" {
			t.Errorf("%s: heard %v before %v", doc, first.said["out_bill_no"], second.said["out_bill_no"])
		}
	}
}

// FF3, FF5.
func TestWrongCallbacksPrecedeTheTrueOne(t *testing.T) {
	d := openDesk(t, testConfig(t))
	d.lie(`{"rates": {"forged_callback": 1, "probe_callback": 1, "wrong_amount": 1}}`)
	r := d.post(nativeTarget, d.chargeOf("order-1", 1000))
	d.payAt(r)
	d.post(refundsTarget, d.refundOf("refund-1", "order-1", 600, 1000))
	d.payout("payout1")
	d.payOutBatch("batch1", 4)
	amounts := map[string][]any{}
	for range 16 {
		c := d.hear()
		fen := c.said["transfer_amount"]
		if fen == nil {
			fen = c.said["success_amount"]
		}
		if in, ok := c.said["amount"].(object); ok {
			if fen = in["refund"]; fen == nil {
				fen = in["total"]
			}
		}
		valid := "valid"
		if c.probe {
			valid = "probe"
		} else if c.signature != nil {
			valid = "invalid"
		}
		amounts[c.event] = append(amounts[c.event], fmt.Sprint(fen, " ", valid))
	}
	for event, fen := range map[string]int{apiv3.EventTransactionSuccess: 1000, wire.EventRefundSuccess: 600, wire.EventTransferFinished: 500, wire.EventBatchFinished: 10} {
		want := fmt.Sprintf("[%d invalid %d probe %d valid %d valid]", fen+1, fen, fen+1, fen)
		if have := fmt.Sprint(amounts[event]); have != want {
			t.Errorf("%s: heard %s, want %s", event, have, want)
		}
	}
}

// FG3.
func TestSuccessThenFailIsACallbackAlone(t *testing.T) {
	d := openDesk(t, testConfig(t))
	d.paid("order-1", 1000)
	d.lie(`{"rates": {"success_then_fail": 1}, "later_ms": 20}`)
	d.payout("payout1")
	first, second := d.hear(), d.hear()
	if first.said["state"] != states.Transferred || second.said["state"] != states.Failed || second.signature != nil || first.id == second.id {
		t.Errorf("payout: %+v, then %+v", first, second)
	}
	d.post(refundsTarget, d.refundOf("refund-1", "order-1", 600, 1000))
	first, second = d.hear(), d.hear()
	if first.event != wire.EventRefundSuccess || second.event != wire.EventRefundClosed || second.said["refund_status"] != states.RefundClosed {
		t.Errorf("refund: %+v, then %+v", first, second)
	}
	if r := d.get(transferTarget("payout1")); r.said["state"] != states.Transferred || len(d.movements()) != 3 {
		t.Errorf("asked, it says %+v; movements %+v", r, d.movements())
	}
}

// FG4.
func TestTwiceMovesMoneyTwiceUnderOneNumber(t *testing.T) {
	d := openDesk(t, testConfig(t))
	d.lie(`{"rates": {"twice": 1}}`)
	d.paid("order-1", 1000)
	d.post(refundsTarget, d.refundOf("refund-1", "order-1", 600, 1000))
	d.hear()
	d.payout("payout1")
	d.hear()
	want := "1 charge order-1 1000, 2 charge order-1 1000, 3 refund refund-1 600, 4 refund refund-1 600, 5 payout payout1 500, 6 payout payout1 500"
	if have := spell(d.movements()); have != want {
		t.Errorf("moved %s\nwant  %s", have, want)
	}
	d.stop()
	d.open()
	if have := spell(d.movements()); have != want {
		t.Errorf("read back %s\nwant  %s", have, want)
	}
}

func spell(movements []ledger.Movement) string {
	lines := make([]string, len(movements))
	for i, m := range movements {
		lines[i] = fmt.Sprintf("%d %s %s %d", m.ID, m.Kind, m.No, m.AmountFen)
	}
	return strings.Join(lines, ", ")
}
