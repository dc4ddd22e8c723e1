package main_test

import (
	"encoding/json"
	"net/http"
	"syscall"
	"testing"

	"hongbao/envelope"
	"hongbao/internal/contract"
	"hongbao/internal/httpapi"
	"hongbao/internal/operator"
	"hongbao/internal/settest"
	"hongbao/orderset/decision"
)

// askAgain asks for a payout that was not confirmed, and holds the answer to the
// document.
func askAgain(t *testing.T, p *settest.Live, id, user, ticket string) (status int, said money, code string) {
	t.Helper()
	document, err := contract.Load(httpapi.OpenAPI())
	if err != nil {
		t.Fatal(err)
	}
	headers := []string{}
	if ticket != "" {
		headers = append(headers, "Envelope-Ticket", ticket)
	}
	path := "/v1/envelopes/" + id + "/payout"
	a, err := p.Call(t.Context(), http.MethodPost, path, user, "", headers...)
	if err == nil {
		err = document.Check(http.MethodPost, path, a.Status, a.Header, a.Body)
	}
	if err != nil {
		t.Fatal(err)
	}
	var problem struct{ Code string }
	if json.Unmarshal(a.Body, &said) != nil || json.Unmarshal(a.Body, &problem) != nil {
		t.Fatalf("payout of %s: %d %s", id, a.Status, a.Body)
	}
	return a.Status, said, problem.Code
}

// TestPayeeReclaimsAnUnconfirmedPayout: the provider closes the payout, its
// payee asks again, and the money moves once, under the next number (FS16).
func TestPayeeReclaimsAnUnconfirmedPayout(t *testing.T) {
	p := settest.Playground(t, "--payouts", "bills")
	lie(t, p, `{"rules": [{"lie": "absent_payee", "kind": "payout", "party": "away", "times": 1, "later_ms": 300},
		{"lie": "refuse_closed", "kind": "payout", "party": "frozen", "times": 1}]}`)
	id, ticket := p.Paid(t, "sender", `{"kind":"equal","share_fen":100,"count":3,"group_id":"g"}`)
	c := newCrowd(p)
	for _, user := range []string{"away", "frozen", "there"} {
		if err := c.open(t.Context(), id, ticket, user); err != nil {
			t.Fatal(err)
		}
	}
	for _, user := range []string{"away", "frozen"} {
		awaitMoney(t, p, id, user, ticket, "the held payout", func(m money) bool { return m.Payout.State == "held" })
	}
	awaitMoney(t, p, id, "there", ticket, "the payout", func(m money) bool { return m.Payout.State == "posted" })
	for _, refused := range []struct {
		user, ticket, code string
		status             int
	}{
		{"frozen", ticket, "payout_held", 409}, {"stranger", ticket, "not_found", 404}, {"away", "", "not_found", 404},
		{"away", ticket + "x", "not_found", 404}, {"sender", "", "not_found", 404},
	} {
		if status, _, code := askAgain(t, p, id, refused.user, refused.ticket); status != refused.status || code != refused.code {
			t.Errorf("%s: %d %s, want %d %s", refused.user, status, code, refused.status, refused.code)
		}
	}
	first, second := envelope.TransferNo(envelope.ID(id), 1, 1), envelope.TransferNo(envelope.ID(id), 1, 2)
	for range 2 {
		if status, said, _ := askAgain(t, p, id, "away", ticket); status != 200 || said.Payout.State == "held" || said.Payout.AmountFen != 100 {
			t.Errorf("asked again: %d %+v", status, said)
		}
	}
	awaitMoney(t, p, id, "away", ticket, "the payout", func(m money) bool { return m.Payout.State == "posted" })
	if status, said, _ := askAgain(t, p, id, "away", ticket); status != 200 || said.Payout.State != "posted" {
		t.Errorf("asked once more: %d %+v, want it posted", status, said)
	}
	for no, want := range map[string]int{first: 0, second: 1, envelope.TransferNo(envelope.ID(id), 1, 3): 0} {
		if _, times := ledger(t, p, no); times != want {
			t.Errorf("%s has moved %d times, want %d", no, times, want)
		}
	}
	p.CheckBooks(t)
}

// TestJobReturnsAnUnconfirmedPayout: the provider's time for it is over,
// return_after_days pass, and the job of a process that comes up gives it to the sender.
// It moves once (FS16).
func TestJobReturnsAnUnconfirmedPayout(t *testing.T) {
	p := &heldMoney{settest.Playground(t, "--payouts", "bills"), t}
	p.lie(`{"lie": "absent_payee", "kind": "payout", "party": "away", "times": 1, "later_ms": 200}, {"lie": "absent_payee", "kind": "payout", "party": "late", "times": 1, "later_ms": 200}`)
	id := p.opened(`{"kind":"equal","share_fen":100,"count":2,"group_id":"g"}`, "away", "late")
	no := func(seq, round int) string { return envelope.TransferNo(envelope.ID(id), seq, round) }
	await(t, "both are held", func() bool { return len(p.held()) == 2 })
	p.holdSince(no(1, 1), "10081 MINUTE")
	p.holdSince(no(2, 1), "10050 MINUTE")

	old := p.PID("hongbaod")
	if err := syscall.Kill(old, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	await(t, "a new daemon", func() bool { return p.PID("hongbaod") != old && p.Ready() == nil })
	await(t, "one goes back", func() bool { return len(p.held()) == 1 })
	p.wantPaid(no(1, 2), "sender", 100)
	if held := p.held(); len(held) != 1 || held[no(2, 1)].PayeeID != "late" {
		t.Errorf("held are %+v, want the one that is not due", held)
	}
	var decided struct {
		Decisions []operator.DecisionRow `json:"decisions"`
	}
	if a := p.Operate(t, http.MethodGet, "/decisions?no="+no(1, 1), "ann"); json.Unmarshal(a.Body, &decided) != nil || len(decided.Decisions) != 1 ||
		decided.Decisions[0].Action != decision.ActionReturn || decided.Decisions[0].PayeeID != "sender" {
		t.Errorf("decided: %s", a.Body)
	}
	p.holdSince(no(2, 1), "1 HOUR")
	if err := syscall.Kill(p.PID("hongbaod"), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	await(t, "so does the other", func() bool { return p.Ready() == nil && len(p.held()) == 0 })
	p.wantPaid(no(2, 2), "sender", 100)
	await(t, "the envelope is settled", func() bool { return show(t, p.Live, "sender", id).State == string(envelope.Settled) })
	if moved := p.movements(); len(moved) != 2 {
		t.Errorf("moved: %v, want two payouts", moved)
	}
	p.CheckBooks(t)
}

// holdSince has a transfer that is held be so for longer, by an interval of SQL's.
func (p *heldMoney) holdSince(no, interval string) {
	p.t.Helper()
	id, seq, _, err := envelope.ParseTransferNo(no)
	if err == nil {
		_, err = p.Admin(p.t, int(id.Set())).ExecContext(p.t.Context(),
			"UPDATE transfer SET due_at = due_at - INTERVAL "+interval+" WHERE state = 'held' AND order_id = ? AND seq = ?", id, seq)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}
