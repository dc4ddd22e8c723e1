package simulator

import (
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"hongbao/internal/payment/simulator/ledger"
	"hongbao/internal/payment/simulator/lies"
	"hongbao/internal/payment/simulator/refusal"
	"hongbao/internal/payment/simulator/states"
	"hongbao/internal/payment/simulator/wire"
)

// FG16, FG17.
func TestRefusedPayeesAndPayersHaveReasons(t *testing.T) {
	d := openDesk(t, testConfig(t))
	d.paid("order-1", 1000)
	for no, row := range map[string]struct {
		lie    lies.Lie
		reason string
	}{"limit1": {lies.RefuseLimit, states.ReasonLimit}, "closed1": {lies.RefuseClosed, states.ReasonClosed}} {
		d.lie(`{"rules": [{"lie": "` + string(row.lie) + `", "party": "payee-of-` + no + `", "times": 1}]}`)
		d.payout(no)
		c := d.hear()
		if c.event != wire.EventTransferFinished || c.said["state"] != states.Failed || c.said["fail_reason"] != row.reason {
			t.Errorf("%s: heard %+v", no, c)
		}
		if r := d.get(transferTarget(no)); r.said["state"] != states.Failed || r.said["fail_reason"] != row.reason {
			t.Errorf("%s: asked, it says %+v", no, r)
		}
	}
	for no, row := range map[string]struct {
		lie                  lies.Lie
		event, state, charge string
	}{
		"abnormal1": {lies.RefuseClosed, wire.EventRefundAbnormal, states.RefundAbnormal, states.Returned},
		"refused1":  {lies.RefuseRefund, wire.EventRefundClosed, states.RefundClosed, states.Returned},
	} {
		d.lie(`{"rules": [{"lie": "` + string(row.lie) + `", "kind": "refund", "no_prefix": "` + no[:4] + `", "times": 1}]}`)
		d.post(refundsTarget, d.refundOf(no, "order-1", 400, 1000))
		c := d.hear()
		if c.event != row.event || c.said["refund_status"] != row.state || c.said["success_time"] != nil {
			t.Errorf("%s: heard %+v", no, c)
		}
		if r := d.get(refundTarget(no)); r.said["status"] != row.state {
			t.Errorf("%s: asked, it says %+v", no, r)
		}
	}
	// An abnormal refund keeps its part of the charge, a closed one gives it back.
	if r := d.post(refundsTarget, d.refundOf("rest", "order-1", 600, 1000)); r.status != 200 {
		t.Errorf("the rest: %+v", r)
	}
	d.hear()
	if have := spell(d.movements()); have != "1 charge order-1 1000, 2 refund rest 600" {
		t.Errorf("moved %s", have)
	}
}

// What is abnormal ends once more, when the merchant acts: by its button, or by
// itself when the lie says so (FS8).
func TestAbnormalRefundsEndByTheMerchant(t *testing.T) {
	d := openDesk(t, testConfig(t))
	d.paid("order-1", 1000)
	press := func(no, end string) int {
		res, err := http.Post(d.base+"/simulator/refunds/"+no+"/finish?end="+end, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.StatusCode
	}
	for _, row := range []struct {
		no, lie, end, event string
	}{
		{"first1", "abnormal_first", "", wire.EventRefundSuccess},
		{"again1", "refuse_closed", states.RefundSuccess, wire.EventRefundSuccess},
		{"close1", "refuse_closed", states.RefundClosed, wire.EventRefundClosed},
	} {
		d.lie(`{"rules": [{"lie": "` + row.lie + `", "kind": "refund", "no": "` + row.no + `", "times": 1, "later_ms": 500}]}`)
		d.post(refundsTarget, d.refundOf(row.no, "order-1", 300, 1000))
		first := d.hear()
		if first.event != wire.EventRefundAbnormal {
			t.Fatalf("%s: heard %+v", row.no, first)
		}
		if row.end != "" {
			if got := press(row.no, states.RefundAbnormal); got != http.StatusBadRequest {
				t.Errorf("%s: pressed for what is no end: %d", row.no, got)
			}
			if got := press(row.no, row.end); got != http.StatusNoContent {
				t.Errorf("%s: %d", row.no, got)
			}
		}
		if c := d.hear(); c.event != row.event || c.said["refund_id"] != first.said["refund_id"] {
			t.Errorf("%s: heard %+v", row.no, c)
		}
		if got := press(row.no, states.RefundClosed); row.end != states.RefundClosed && got != http.StatusBadRequest {
			t.Errorf("%s: ended, and pressed again: %d", row.no, got)
		}
	}
	if have := spell(d.movements()); have != "1 charge order-1 1000, 2 refund first1 300, 3 refund again1 300" {
		t.Errorf("moved %s", have)
	}
	if r := d.post(refundsTarget, d.refundOf("rest", "order-1", 400, 1000)); r.status != 200 { // what was closed is there again
		t.Errorf("the rest: %+v", r)
	}
	if got := press("nobody", states.RefundSuccess); got != http.StatusNotFound {
		t.Errorf("a refund that is none: %d", got)
	}
}

func TestSlowAcceptanceShowsEveryState(t *testing.T) {
	var clock clock
	cfg := testConfig(t)
	cfg.ConfirmAfter, cfg.TransferAfter, cfg.Now = Never, time.Hour, clock.now
	d := openDesk(t, cfg)
	d.lie(`{"rules": [{"lie": "slow_acceptance", "times": 1, "later_ms": 3600000}]}`)
	for i, state := range []string{states.Accepted, states.Processing, states.Waiting, states.Transferring} {
		r := d.post(transfersTarget, d.transferOf("payout1", 5))
		page, payable := r.said["package_info"].(string)
		if r.said["state"] != state || payable != (state == states.Waiting) {
			t.Errorf("step %d: %+v, want %s", i, r, state)
		}
		if payable {
			d.tool("POST", strings.TrimPrefix(page, d.base), "", nil)
		} else {
			clock.pass(35 * time.Minute)
		}
	}
	d.stop()
	d.cfg.TransferAfter = time.Millisecond
	d.open()
	if c := d.hear(); c.said["state"] != states.Transferred {
		t.Errorf("heard %+v", c)
	}
}

func TestSlowPayeeConfirmsAfterAWhile(t *testing.T) {
	cfg := testConfig(t)
	cfg.ConfirmAfter = Never
	d := openDesk(t, cfg)
	d.lie(`{"rates": {"slow_payee": 1}, "later_ms": 200}`)
	start := time.Now()
	d.payout("payout1")
	if c := d.hear(); c.said["state"] != states.Transferred || time.Since(start) < 200*time.Millisecond {
		t.Errorf("heard %+v after %v", c, time.Since(start))
	}
}

func TestAnAbsentPayeeDoesNotConfirmInTime(t *testing.T) {
	d := openDesk(t, testConfig(t))
	d.lie(`{"rules": [{"lie": "absent_payee", "times": 1, "later_ms": 200}]}`)
	start := time.Now()
	d.payout("payout1")
	if c := d.hear(); c.said["state"] != states.Failed || c.said["fail_reason"] != states.ReasonOverdue || time.Since(start) < 200*time.Millisecond {
		t.Errorf("heard %+v after %v", c, time.Since(start))
	}
}

func TestLiesThatMakeNoSenseAreRefused(t *testing.T) {
	d := openDesk(t, testConfig(t))
	d.lie(`{"rates": {"twice": 0.5}}`)
	for what, doc := range map[string]string{
		"no document":     ``,
		"unknown lie":     `{"rates": {"honesty": 1}}`,
		"too likely":      `{"rates": {"twice": 1.5}}`,
		"unlikely":        `{"rates": {"twice": -0.5}}`,
		"unknown field":   `{"rate": {"twice": 1}}`,
		"case":            `{"Rates": {"twice": 1}}`,
		"said twice":      `{"seed": 1, "seed": 2}`,
		"trailing":        `{} {}`,
		"a rule's lie":    `{"rules": [{"lie": "honesty", "times": 1}]}`,
		"never":           `{"rules": [{"lie": "twice", "times": 0}]}`,
		"too often":       `{"rules": [{"lie": "twice", "times": 1000001}]}`,
		"too many copies": `{"copies": 17}`,
		"too late":        `{"rules": [{"lie": "late_callback", "times": 1, "late_ms": 86400001}]}`,
		"back in time":    `{"later_ms": -1}`,
		"too many rules":  `{"rules": [` + strings.Repeat(`{"lie":"twice","times":1},`, lies.RulesMax) + `{"lie":"twice","times":1}]}`,
	} {
		var no refusal.Refusal
		if code := d.tool("PUT", "/simulator/lies", doc, &no); code != 400 || no.Code != "PARAM_ERROR" {
			t.Errorf("%s: %d %+v", what, code, no)
		}
	}
	var status lies.Status
	if d.tool("GET", "/simulator/lies", "", &status); status.Settings.Rates[lies.Twice] != 0.5 {
		t.Errorf("a refused document changed something: %+v", status)
	}
}

func TestRatesAreKeptAndTheSeedRepeatsThem(t *testing.T) {
	const calls, rate = 10000, 0.1
	run := func(seed uint64) (hits []int) {
		l := lies.New()
		l.Set(lies.Document{Seed: seed, Rates: map[lies.Lie]float64{lies.TimeoutAfter: rate}})
		for i := range calls {
			if l.Tells(lies.Operation{Kind: ledger.KindPayout}, lies.Twice) {
				t.Fatal("a lie that was not asked for")
			}
			if l.Tells(lies.Operation{Kind: ledger.KindPayout}, lies.TimeoutAfter) {
				hits = append(hits, i)
			}
		}
		return hits
	}
	first, again, other := run(1), run(1), run(2)
	if spread := math.Abs(float64(len(first)) - calls*rate); spread > 5*math.Sqrt(calls*rate*(1-rate)) {
		t.Errorf("told %d times of %d", len(first), calls)
	}
	same := func(a, b []int) bool {
		if len(a) != len(b) {
			return false
		}
		for i := range a {
			if a[i] != b[i] {
				return false
			}
		}
		return true
	}
	if !same(first, again) || same(first, other) {
		t.Error("a seed gives one run, another seed another")
	}
}
