package main_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"hongbao/envelope"
	"hongbao/internal/contract"
	"hongbao/internal/httpapi"
	"hongbao/internal/settest"
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

// TestAPayeeAsksAgainForWhatTheyDidNotConfirm: the provider closes the payout, its
// payee asks again, and the money moves once, under the next number (FS16).
func TestAPayeeAsksAgainForWhatTheyDidNotConfirm(t *testing.T) {
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
