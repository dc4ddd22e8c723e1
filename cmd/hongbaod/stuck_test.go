package main_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"hongbao/envelope"
	"hongbao/internal/operator"
	"hongbao/internal/settest"
	"hongbao/internal/settings"
)

// lie replaces the provider's lies.
func (p *heldMoney) lie(rules string) {
	p.t.Helper()
	a, err := p.Call(p.t.Context(), http.MethodPut, p.PaymentSimulator+"/simulator/lies", "", `{"rules": [`+rules+`]}`)
	if err != nil || a.Status != http.StatusOK {
		p.t.Fatalf("lies: %v %+v", err, a)
	}
}

// batches are the stuck ones, by number.
func (p *heldMoney) batches() map[string]operator.BatchRow {
	p.t.Helper()
	out, _, _ := p.ctl("held", "list")
	var list operator.Held
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		p.t.Fatalf("held list: %v: %s", err, out)
	}
	found := map[string]operator.BatchRow{}
	for _, b := range list.Batches {
		found[b.No] = b
	}
	return found
}

// What the provider does not carry out is seen with its cause, and goes on when
// that is gone, or when two people say how: from send to the books (FS8, FS9).
func TestStuckMoneyIsSeenAndGoesOn(t *testing.T) {
	p := &heldMoney{settest.Playground(t, "--payouts", settings.PayoutBatches), t}
	p.chargesAreRefused()
	p.abnormalRefundEnds()
	p.batchIsDissolved()
	if out, _, code := p.ctl("outbox", "disputes"); code != 0 {
		t.Errorf("disputes: exit %d, %s", code, out)
	}
	p.CheckBooks(t)
}

func (p *heldMoney) chargesAreRefused() {
	p.t.Helper()
	for code, want := range map[string]struct {
		status int
		code   string
	}{"RULE_LIMIT": {422, "payment_refused"}, "NO_AUTH": {503, "payment_setup"}, "NEVER_SEEN": {504, "outcome_unknown"}} {
		p.lie(`{"lie": "refuse_request", "kind": "charge", "code": "` + code + `", "times": 1}`)
		for _, want := range []struct {
			status int
			code   string
		}{want, {201, ""}} { // a repeat finds the cause gone
			a, err := p.Call(p.t.Context(), http.MethodPost, "/v1/envelopes", "sender",
				`{"kind":"lucky","total_fen":100,"count":1,"group_id":"g"}`, "Content-Type", "application/json", "Idempotency-Key", "refused-"+code)
			if err != nil || a.Status != want.status || a.String("code") != want.code {
				p.t.Errorf("%s: %v, %d %s, want %d %s", code, err, a.Status, a.Body, want.status, want.code)
			}
		}
	}
}

func (p *heldMoney) abnormalRefundEnds() {
	p.t.Helper()
	p.lie(`{"lie": "refuse_closed", "kind": "refund", "times": 1}`)
	id := p.opened(`{"kind":"equal","share_fen":150,"count":2,"group_id":"g"}`, "happy")
	p.endLife(id)
	no := envelope.TransferNo(envelope.ID(id), 0, 1)
	await(p.t, "the refund is stuck", func() bool {
		row := p.held()[no]
		return row.Reason == "ABNORMAL" && row.State == string(envelope.Stuck)
	})
	p.wantRefused("may still carry it out", "held", "release", no, "--as", "ann")
	if out, _, code := p.ctl("outbox", "status"); code != 1 || !strings.Contains(out, `"ABNORMAL": 1`) {
		p.t.Errorf("outbox status: exit %d, %s", code, out)
	}
	a, err := p.Call(p.t.Context(), http.MethodPost, p.PaymentSimulator+"/simulator/refunds/"+no+"/finish?end=SUCCESS", "", "")
	if err != nil || a.Status != http.StatusNoContent {
		p.t.Fatalf("finish: %v %+v", err, a)
	}
	await(p.t, "the refund is posted", func() bool { return show(p.t, p.Live, "sender", id).State == string(envelope.Settled) })
	if held := p.held(); len(held) > 0 {
		p.t.Errorf("held are %+v", held)
	}
}

func (p *heldMoney) batchIsDissolved() {
	p.t.Helper()
	id, ticket := p.Paid(p.t, "sender", `{"kind":"equal","share_fen":100,"count":2,"group_id":"g"}`)
	payout := func(seq, round int) string { return envelope.TransferNo(envelope.ID(id), seq, round) }
	rule := func(seq int) string {
		return `{"lie": "refuse_request", "no": "` + envelope.PayoutBatchNo(payout(seq, 1)) + `", "code": "INVALID_REQUEST", "times": 1000}`
	}
	p.lie(rule(1) + "," + rule(2))
	c := newCrowd(p.Live)
	for _, user := range []string{"amy", "bob"} {
		if err := c.open(p.t.Context(), id, ticket, user); err != nil {
			p.t.Fatal(err)
		}
	}
	await(p.t, "both payouts are stuck", func() bool {
		n := 0
		for _, b := range p.batches() {
			if b.Reason == "INVALID_REQUEST" && b.Dissolvable {
				n += b.Count
			}
		}
		return n == 2
	})
	if _, _, code := p.ctl("outbox", "status"); code != 1 {
		p.t.Errorf("outbox status: exit %d, want 1", code)
	}
	for no := range p.batches() {
		p.wantRefused("no proposal", "held", "dissolve", no, "--approve", "--as", "ben")
		p.must("held", "dissolve", no, "--as", "ann")
		p.wantRefused("must not be who proposed it", "held", "dissolve", no, "--approve", "--as", "ann")
		p.must("held", "dissolve", no, "--approve", "--as", "ben")
	}
	await(p.t, "both are paid", func() bool { return show(p.t, p.Live, "sender", id).State == string(envelope.Settled) })
	moved := p.movements()
	if moved[payout(1, 1)]+moved[payout(2, 1)] != "" || moved[payout(1, 2)] == "" || moved[payout(2, 2)] == "" {
		p.t.Errorf("moved: %v", moved)
	}
	p.must("outbox", "status")
}
