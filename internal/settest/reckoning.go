package settest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"hongbao/envelope"
	"hongbao/internal/books"
	"hongbao/internal/payment/simulator"
	"hongbao/orderset/audit"
	"hongbao/reconcile"
)

// quietMax is how long what is owed may take to be carried out once nothing is added
// to it: under the race detector, on two cores, after every lie was told.
const quietMax = 2 * time.Minute

// CheckBooks waits until everything owed has been carried out, then holds all
// books to each other: every SET's rows to the invariants, our numbers to the
// provider's ledger, users' books to the shares. Any difference fails the test.
func (p *Live) CheckBooks(t testing.TB) (all []*audit.Books) {
	t.Helper()
	p.AwaitQuiet(t)
	users, err := books.NewAuditor(p.booksDSNs)
	if err != nil {
		t.Fatal(err)
	}
	defer users.Close()
	driver := reconcile.Driver{Looks: 1, Comparisons: func() []reconcile.Comparison {
		return []reconcile.Comparison{&reconcile.Provider{Movements: p.movements}, users.Comparison()}
	}}
	for _, a := range p.auditors {
		driver.Sources = append(driver.Sources, sourceOf(a, func(b *audit.Books) { all = append(all, b) }))
	}
	run(t, driver)
	return all
}

// movements reads what the simulated provider has moved.
func (p *Live) movements(ctx context.Context, moved func(reconcile.Movement)) error {
	return simulator.ReadLedger(ctx, p.PaymentSimulator, func(no, providerNo string, fen int64) {
		moved(reconcile.Movement{No: no, Amount: envelope.Fen(fen), ProviderNo: providerNo})
	})
}

// sourceOf is a SET whose books are kept when they have been read.
func sourceOf(a *audit.Auditor, keep func(*audit.Books)) reconcile.Source {
	return reconcile.Source{
		Name: "orders",
		Check: func(ctx context.Context) ([]reconcile.Difference, error) {
			b, err := a.Audit(ctx)
			if err != nil {
				return nil, err
			}
			keep(b)
			return b.Violations, nil
		},
		Walk: a.Walk,
	}
}

// run fails the test at any difference, and ends it where a book cannot be read.
func run(t testing.TB, driver reconcile.Driver) {
	t.Helper()
	found, err := driver.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range found.Unread() {
		t.Fatal(err)
	}
	for _, b := range append(found.Sources, found.Comparisons...) {
		report(t, b.Name, b.Differences)
	}
}

// reportMax bounds what a failing test prints of a kind: ten are as telling as a
// thousand.
const reportMax = 10

func report(t testing.TB, what string, differences []reconcile.Difference) {
	t.Helper()
	for _, d := range differences[:min(len(differences), reportMax)] {
		t.Errorf("%s: %v", what, d)
	}
	if more := len(differences) - reportMax; more > 0 {
		t.Errorf("%s: and %d more", what, more)
	}
}

// AwaitQuiet waits until nothing is owed but what waits for people, for a payer,
// or behind a pause.
func (p *Live) AwaitQuiet(t testing.TB) {
	t.Helper()
	var last error
	quiet := 0 // looks in a row: work moves from one topic to another between two counts
	for deadline := time.Now().Add(quietMax); time.Now().Before(deadline); {
		if quiet++; quiet > 2 {
			return
		}
		if last = p.quiet(); last != nil {
			quiet = 0
		}
		<-time.After(pollEvery)
	}
	t.Fatalf("still owed after %v: %v; log: %s/hongbaod.log", quietMax, last, p.Dir)
}

func (p *Live) quiet() error {
	res, err := http.Get(p.Operator + "/outbox")
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var body struct {
		Sets []struct {
			Set    string `json:"set"`
			Topics []struct {
				Topic   string `json:"topic"`
				Pending int    `json:"pending"`
				Paused  string `json:"paused"`
			} `json:"topics"`
		} `json:"sets"`
	}
	if err := json.NewDecoder(res.Body).Decode(&body); err != nil {
		return err
	}
	var owed []error
	for _, set := range body.Sets {
		for _, topic := range set.Topics {
			if topic.Topic != string(envelope.TopicCharge) && topic.Paused == "" && topic.Pending > 0 {
				owed = append(owed, fmt.Errorf("SET %s: %d of %s", set.Set, topic.Pending, topic.Topic))
			}
		}
	}
	return errors.Join(owed...)
}
