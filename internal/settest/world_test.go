package settest_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"hongbao/envelope"
	"hongbao/internal/settest"
)

// servers are the databases of every test in this package.
var servers settest.Servers

func TestMain(m *testing.M) { os.Exit(servers.Main(m)) }

// recorder is a test that only takes down how it would have failed.
type recorder struct {
	testing.TB
	failures []string
}

func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func TestUnbalancedWorldFailsItsTest(t *testing.T) {
	w := servers.World(t, 2)
	e := w.Active(t, 1, envelope.Order{Total: 1000, Count: 10})
	if _, err := w.Router.Sets()[1].Open(t.Context(), []envelope.OpenRequest{{ID: e.ID, User: "ann"}}); err != nil {
		t.Fatal(err)
	}
	change := func(by string) {
		table := fmt.Sprintf("share_%d_%02d", e.ID.TableDigit(), e.ID.Day().OfMonth())
		if _, err := w.Admin(t, 1).ExecContext(t.Context(), "UPDATE "+table+" SET amount_fen = amount_fen "+by+" WHERE order_id = ?", e.ID); err != nil {
			t.Fatal(err)
		}
	}
	change("+ 1")
	var r recorder
	r.TB = t
	if w.CheckBooks(&r); len(r.failures) == 0 || !strings.Contains(r.failures[0], string(e.ID)) {
		t.Errorf("a fen too many: the test fails with %q", r.failures)
	}
	change("- 1")
	r.failures = nil
	if all := w.CheckBooks(&r); len(r.failures) != 0 || len(all) != 2 || all[1].Shares != 1 {
		t.Errorf("put right: the test fails with %q", r.failures)
	}
}

func TestWorldsShareNothing(t *testing.T) {
	one, other := servers.World(t, 2), servers.World(t, 2)
	numbers := map[envelope.SetNumber]bool{}
	for _, w := range []*settest.World{one, other} {
		for _, spec := range w.Specs {
			numbers[spec.Number] = true
		}
	}
	if len(numbers) != 4 {
		t.Errorf("two worlds of two SETs have the numbers %v", numbers)
	}
	e := one.Active(t, 0, envelope.Order{Total: 100, Count: 10})
	for i, books := range other.CheckBooks(t) {
		if books.Envelopes != 0 {
			t.Errorf("SET %d of the other world has %d envelopes", i, books.Envelopes)
		}
	}
	if books := one.CheckBooks(t); books[0].Envelopes != 1 || books[0].Paid != e.Total || books[1].Envelopes != 0 {
		t.Errorf("the world itself has %v", books)
	}
}

func TestAWorldSendsAndPaysAsAsked(t *testing.T) {
	w := servers.World(t, 2)
	for set := range w.Specs {
		if e := w.Unpaid(t, set, envelope.Order{Total: 100, Count: 10}); e.State != envelope.Unpaid || e.ID.Set() != w.Specs[set].Number {
			t.Errorf("unpaid in SET %d: %+v", set, e)
		}
		if e := w.Active(t, set, envelope.Order{Kind: envelope.Equal, Share: 7, Count: 3}); e.State != envelope.Active || e.Total != 21 || e.ID.Set() != w.Specs[set].Number {
			t.Errorf("active in SET %d: %+v", set, e)
		}
		s := w.Sending(t, set, envelope.Order{Total: 100, Count: 10})
		if _, err := w.Router.Find(t.Context(), s.Envelope.ID); err == nil {
			t.Errorf("a sending in SET %d has been created", set)
		}
	}
}
