package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"hongbao/internal/settest"
)

const (
	shortLife  = 4 * time.Second // of these tests' envelopes
	shortToPay = 3 * time.Second
	fiveShares = `{"kind":"lucky","total_fen":5000,"count":5,"group_id":"g"}`
)

// money is what becomes of an envelope's.
type money struct {
	State     string `json:"state"`
	TotalFen  int64  `json:"total_fen"`
	OpenedFen int64  `json:"opened_fen"`
	Refunded  int64  `json:"refunded_fen"`
	Payout    paid   `json:"payout"`
	Refund    paid   `json:"refund"`
}

type paid struct {
	State     string `json:"state"`
	AmountFen int64  `json:"amount_fen"`
}

func showMoney(t *testing.T, p *settest.Live, id, user, ticket string) (m money) {
	t.Helper()
	a, err := p.Call(t.Context(), http.MethodGet, "/v1/envelopes/"+id, user, "", "Envelope-Ticket", ticket)
	if err != nil || a.Status != http.StatusOK {
		t.Fatalf("show %s: %v %+v", id, err, a)
	}
	if err := json.Unmarshal(a.Body, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func awaitMoney(t *testing.T, p *settest.Live, id, user, ticket, what string, holds func(money) bool) (m money) {
	t.Helper()
	await(t, what+" of "+id, func() bool {
		m = showMoney(t, p, id, user, ticket)
		return holds(m)
	})
	return m
}

// lie tells the payment simulator how to lie; "" is the truth.
func lie(t *testing.T, p *settest.Live, lies string) {
	t.Helper()
	method := http.MethodPut
	if lies == "" {
		method = http.MethodDelete
	}
	a, err := p.Call(t.Context(), method, p.PaymentSimulator+"/simulator/lies", "", lies, "Content-Type", "application/json")
	if err != nil || a.Status/100 != 2 {
		t.Fatalf("lies: %v %+v", err, a)
	}
}

// ledger is what the provider says has moved under a number: fen, and how often.
func ledger(t *testing.T, p *settest.Live, no string) (fen int64, times int) {
	t.Helper()
	a, err := p.Call(t.Context(), http.MethodGet, p.PaymentSimulator+"/simulator/ledger?limit=10000", "", "")
	if err != nil {
		t.Fatal(err)
	}
	var body struct {
		Movements []struct {
			No        string `json:"no"`
			AmountFen int64  `json:"amount_fen"`
		} `json:"movements"`
	}
	if err := json.Unmarshal(a.Body, &body); err != nil {
		t.Fatal(err)
	}
	for _, m := range body.Movements {
		if m.No == no {
			fen, times = m.AmountFen, times+1
		}
	}
	return fen, times
}

// TestTheMoneyGoesAllTheWay shares one playground of short lives; the harness
// holds all its books to each other at the end.
func TestTheMoneyGoesAllTheWay(t *testing.T) {
	p := settest.Playground(t, "--life", shortLife.String(), "--pay-within", shortToPay.String())
	for name, test := range map[string]func(*testing.T, *settest.Live){
		"FG15 what is left goes back, to the fen, and everybody can see it": refundsTheRest,
		"a share is paid out and stands in its opener's book":               paysOut,
		"FF7 a payment whose callbacks are all lost is found":               findsLostPayments,
		"FF7 an envelope that nobody pays for is closed":                    closesUnpaid,
		"FF1 FF3 FF5 every callback lies and one payment is taken":          believesOnlyTheProvider,
		"FG1 FG5 a payout whose answer is lost moves once":                  asksUnderTheSameNumber,
		"events come in order":                                              tellsInOrder,
	} {
		t.Run(name, func(t *testing.T) {
			if !strings.HasPrefix(name, "FF") && !strings.HasPrefix(name, "FG1 ") { // lies are the whole simulator's
				t.Parallel()
			}
			test(t, p)
		})
	}
}

func refundsTheRest(t *testing.T, p *settest.Live) {
	id, ticket := p.Paid(t, "rest", fiveShares)
	c := newCrowd(p)
	for _, user := range []string{"rest-1", "rest-2"} {
		if err := c.open(t.Context(), id, ticket, user); err != nil {
			t.Fatal(err)
		}
	}
	m := awaitMoney(t, p, id, "rest", "", "the refund", func(m money) bool { return m.Refund.State == "posted" && m.State == "settled" })
	left := m.TotalFen - m.OpenedFen
	if m.Refunded != left || m.Refund.AmountFen != left || left == 0 {
		t.Errorf("%+v: want %d fen back", m, left)
	}
	if fen, times := ledger(t, p, id+"R"); fen != left || times != 1 {
		t.Errorf("the provider refunded %d fen %d times, want %d once", fen, times, left)
	}
	await(t, "the refund in the sender's book", func() bool {
		a, err := p.Call(t.Context(), http.MethodGet, "/v1/me/summary", "rest", "")
		return err == nil && a.Int("refunded_fen") == left && a.Int("sent_fen") == m.TotalFen
	})
	a, err := p.Call(t.Context(), http.MethodPost, "/v1/envelopes/"+id+"/open", "rest-3", "", "Envelope-Ticket", ticket)
	if err != nil || a.String("outcome") != "expired" {
		t.Errorf("an open after the end: %v %+v", err, a)
	}
}

func paysOut(t *testing.T, p *settest.Live) {
	id, ticket := p.Paid(t, "out", `{"kind":"equal","share_fen":123,"count":1,"group_id":"g"}`)
	if err := newCrowd(p).open(t.Context(), id, ticket, "out-1"); err != nil {
		t.Fatal(err)
	}
	m := awaitMoney(t, p, id, "out-1", ticket, "the payout", func(m money) bool { return m.Payout.State == "posted" })
	if fen, times := ledger(t, p, id+"P001"); m.Payout.AmountFen != 123 || fen != 123 || times != 1 {
		t.Errorf("%+v; the provider paid %d fen %d times, want 123 once", m, fen, times)
	}
	await(t, "the share in its opener's book", func() bool {
		a, err := p.Call(t.Context(), http.MethodGet, "/v1/me/received", "out-1", "")
		return err == nil && strings.Contains(string(a.Body), `"id":"`+id+`"`)
	})
	awaitMoney(t, p, id, "out", "", "the end", func(m money) bool { return m.State == "settled" })
}

func findsLostPayments(t *testing.T, p *settest.Live) {
	lie(t, p, `{"rates":{"drop_callback":1}}`)
	defer lie(t, p, "")
	id, _ := p.Paid(t, "lost", fiveShares) // waits until it is active: the provider was asked
	if m := showMoney(t, p, id, "lost", ""); m.State != "active" {
		t.Errorf("%+v, want it active", m)
	}
}

func closesUnpaid(t *testing.T, p *settest.Live) {
	sent := p.Send(t, "never", "", fiveShares)
	id := sent.String("id")
	awaitMoney(t, p, id, "never", "", "the closing", func(m money) bool { return m.State == "closed" })
	var body struct {
		Payment struct {
			CodeURL string `json:"code_url"`
		} `json:"payment"`
	}
	if err := json.Unmarshal(sent.Body, &body); err != nil {
		t.Fatal(err)
	}
	a, err := p.Call(t.Context(), http.MethodPost, body.Payment.CodeURL, "", "", "Accept", "application/json")
	if err != nil || a.Status/100 != 4 {
		t.Errorf("a closed envelope could be paid: %v %+v", err, a)
	}
}

func believesOnlyTheProvider(t *testing.T, p *settest.Live) {
	lie(t, p, `{"copies":16,"rates":{"duplicate_callback":1,"forged_callback":1,"probe_callback":1,"wrong_amount":1}}`)
	defer lie(t, p, "")
	id, _ := p.Paid(t, "many", fiveShares)
	if fen, times := ledger(t, p, id); fen != 5000 || times != 1 {
		t.Errorf("paid %d fen %d times", fen, times)
	}
	if a := p.Operate(t, http.MethodGet, "/disputes", "ann"); !strings.Contains(string(a.Body), id) {
		t.Errorf("a payment of a fen too much is in no dispute: %s", a.Body)
	}
}

// asksUnderTheSameNumber has faults in pairs: executed and not.
func asksUnderTheSameNumber(t *testing.T, p *settest.Live) {
	for _, name := range []string{"timeout_before", "timeout_after", "execute_later", "unknown_code", "unknown_code_after", "unknown_state", "unsigned_answer"} {
		id, ticket := p.Paid(t, "once", `{"kind":"equal","share_fen":77,"count":1,"group_id":"g"}`)
		lie(t, p, fmt.Sprintf(`{"later_ms":300,"rules":[{"lie":%q,"kind":"payout","no":%q,"times":1}]}`, name, id+"P001"))
		if err := newCrowd(p).open(t.Context(), id, ticket, "once-"+name); err != nil {
			t.Fatal(err)
		}
		awaitMoney(t, p, id, "once-"+name, ticket, name+": the payout", func(m money) bool { return m.Payout.State == "posted" })
		if fen, times := ledger(t, p, id+"P001"); fen != 77 || times != 1 {
			t.Errorf("%s: the provider paid %d fen %d times, want 77 once", name, fen, times)
		}
	}
	lie(t, p, "")
}

func tellsInOrder(t *testing.T, p *settest.Live) {
	id, ticket := p.Paid(t, "tell", fiveShares)
	c := newCrowd(p)
	for i := range 3 {
		if err := c.open(t.Context(), id, ticket, fmt.Sprintf("tell-%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	var told []string
	await(t, "the last event", func() bool {
		told = eventsOf(t, p, id)
		return len(told) > 0 && told[len(told)-1] == "envelope.refunded"
	})
	seen := strings.Join(told, " ")
	first, last := strings.Index(seen, "share.opened"), strings.LastIndex(seen, "share.opened")
	if told[0] != "envelope.active" || first < 0 || strings.Index(seen, "envelope.finished") < last || strings.Count(seen, "envelope.finished") != 1 {
		t.Errorf("told %v", told)
	}
}

// eventsOf lists the types of an envelope's events as they were first received.
func eventsOf(t *testing.T, p *settest.Live, id string) (types []string) {
	t.Helper()
	a, err := p.Call(t.Context(), http.MethodGet, p.Events+"/events", "", "")
	if err != nil {
		t.Fatal(err)
	}
	var body struct {
		Events []struct {
			ID    string `json:"id"`
			Event struct {
				Type string `json:"type"`
			} `json:"event"`
		} `json:"events"`
	}
	if err := json.Unmarshal(a.Body, &body); err != nil {
		t.Fatal(err)
	}
	for i := len(body.Events) - 1; i >= 0; i-- { // newest first
		if strings.HasPrefix(body.Events[i].ID, id) {
			types = append(types, body.Events[i].Event.Type)
		}
	}
	return types
}

// FG6: TestKillMovesNothingTwice also takes the provider away for a while; the
// harness compares all books at the end.
func TestKillMovesNothingTwice(t *testing.T) {
	p := settest.Playground(t)
	const openers = 60
	const lies = `{"later_ms":200,"rules":[{"lie":"timeout_after","kind":"payout","times":5},{"lie":"execute_later","kind":"payout","times":5}]}`
	lie(t, p, lies)
	c := newCrowd(p)
	for round := range 3 {
		id, ticket := p.Paid(t, "sender", fmt.Sprintf(`{"kind":"lucky","total_fen":60000,"count":%d,"group_id":"g"}`, openers))
		for u := range openers {
			if err := c.open(t.Context(), id, ticket, fmt.Sprintf("u%d", u)); err != nil {
				t.Fatal(err)
			}
			if u == openers/2 {
				old := p.PID("hongbaod")
				if err := syscall.Kill(old, syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
				await(t, "a new daemon", func() bool { return p.PID("hongbaod") != old && p.Ready() == nil })
			}
		}
		if round == 1 {
			lie(t, p, `{"rates":{"outage":1}}`)
			<-time.After(2 * time.Second) // an outage is a length of time
			lie(t, p, lies)
		}
	}
	lie(t, p, "")
}
