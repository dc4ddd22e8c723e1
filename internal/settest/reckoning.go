package settest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"hongbao/envelope"
	"hongbao/internal/books"
	"hongbao/internal/payment/simulator"
	"hongbao/orderset"
	"hongbao/reconcile"
)

// quietMax is how long what is owed may take to be carried out once nobody adds
// to it: under the race detector, on two cores, after every lie was told.
const quietMax = 2 * time.Minute

// CheckBooks waits until everything owed has been carried out, then holds all
// books to each other: every SET's rows to the invariants, our numbers to the
// provider's ledger, users' books to the shares. Any difference fails the test.
func (p *Live) CheckBooks(t testing.TB) (all []*orderset.Books) {
	t.Helper()
	p.AwaitQuiet(t)
	ctx := context.Background()
	for _, a := range p.auditors {
		set, err := a.Audit(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if len(set.Violations) > 0 {
			t.Errorf("the books do not balance: %v", set)
		}
		all = append(all, set)
	}
	var provider reconcile.Provider
	truth, err := provider.ClaimAll(ctx, p.auditors)
	if err != nil {
		t.Fatal(err)
	}
	p.checkProvider(t, &provider)
	p.checkUsers(t, truth)
	return all
}

func (p *Live) checkProvider(t testing.TB, provider *reconcile.Provider) {
	t.Helper()
	err := simulator.ReadLedger(context.Background(), p.PaymentSimulator, func(no, providerNo string, fen int64) {
		provider.Moved(reconcile.Movement{No: no, Amount: envelope.Fen(fen), ProviderNo: providerNo})
	})
	if err != nil {
		t.Fatal(err)
	}
	report(t, "our books and the provider's differ", provider.Differences())
}

func (p *Live) checkUsers(t testing.TB, truth []envelope.Statement) {
	t.Helper()
	a, err := books.NewAuditor(p.booksDSNs)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	within, err := a.Audit(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	against, err := a.Compare(context.Background(), slices.Values(truth))
	if err != nil {
		t.Fatal(err)
	}
	report(t, "users' books", append(within, against...))
}

// reportMax bounds what a failing test prints of a kind: ten are as telling as a
// thousand.
const reportMax = 10

func report[D any](t testing.TB, what string, differences []D) {
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
