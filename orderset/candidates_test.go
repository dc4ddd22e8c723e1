package orderset_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"hongbao/envelope"
	"hongbao/internal/settest"
	"hongbao/orderset"
)

// unused is a router of SETs that are never called.
func unused(t *testing.T, specs ...orderset.SetSpec) *settest.Router {
	t.Helper()
	topology, err := orderset.NewTopology(specs)
	if err != nil {
		t.Fatal(err)
	}
	return newRouter(t, orderset.Config{
		Topology: topology, Owner: "test", DrawKey: drawKey(t), Now: time.Now, Log: quiet(),
	})
}

// numbered is n minting SETs at addr.
func numbered(n int, addr string) []orderset.SetSpec {
	specs := make([]orderset.SetSpec, n)
	for i := range specs {
		specs[i] = at(spec(envelope.SetNumber(i), i), addr)
	}
	return specs
}

func TestCandidatesDependOnTheKeyOnly(t *testing.T) {
	specs := numbered(7, nobodyThere(t))
	one := unused(t, specs...)
	slices.Reverse(specs)
	other := unused(t, specs...)
	orders := map[string]bool{}
	for i := range 500 {
		key := fmt.Sprint("key-", i)
		got := one.Candidates("ann", key)
		if len(got) != 3 || got[0] == got[1] || got[1] == got[2] || got[0] == got[2] {
			t.Fatalf("%s: %v, want three different SETs", key, got)
		}
		if again := other.Candidates("ann", key); !slices.Equal(got, again) {
			t.Errorf("%s: %v, with the file in another order %v", key, got, again)
		}
		if slices.Equal(got, one.Candidates("bob", key)) && slices.Equal(got, one.Candidates("carl", key)) && slices.Equal(got, one.Candidates("dora", key)) {
			t.Errorf("%s: %v for everybody", key, got)
		}
		orders[fmt.Sprint(got)] = true
	}
	if len(orders) < 150 { // of 210
		t.Errorf("only %d different orders", len(orders))
	}
}

func TestCandidatesSpreadEvenly(t *testing.T) {
	r := unused(t, numbered(5, nobodyThere(t))...)
	const keys = 20000
	var first, any [5]int
	for i := range keys {
		sets := r.Candidates(envelope.UserID(fmt.Sprint("user-", i%100)), fmt.Sprint("key-", i))
		first[sets[0]]++
		for _, s := range sets {
			any[s]++
		}
	}
	for s := range first { // 4,000 and 12,000 expected, with a deviation of 57 and 69
		if first[s] < 3700 || first[s] > 4300 || any[s] < 11600 || any[s] > 12400 {
			t.Errorf("SET %03d is first for %d keys and among the candidates of %d, want 4000 and 12000", s, first[s], any[s])
		}
	}
}

// FC21: a drained SET takes no new envelopes and serves the old ones.
func TestDrainedSETKeepsItsOldEnvelopes(t *testing.T) {
	w := servers.World(t, 2)
	e := w.Active(t, 0, envelope.Order{Total: 100, Count: 2})
	cfg := configOf(w, "drained")
	cfg.Topology = topologyOf(t, w, func(specs []orderset.SetSpec) { specs[0] = drained(specs[0]) })
	r := newRouter(t, cfg)
	for i := range 50 {
		if got := r.Candidates("ann", fmt.Sprint("key-", i)); len(got) != 1 || got[0] != w.Specs[1].Number {
			t.Fatalf("got %v, want the other SET alone", got)
		}
	}
	if got := open(t, r.Sets()[0], requests(e.ID, "bob"))[0]; got.Outcome != envelope.Opened {
		t.Errorf("an envelope of the drained SET: %+v, want opened", got)
	}
	if _, err := r.Find(t.Context(), e.ID); err != nil {
		t.Errorf("an envelope of the drained SET: %v", err)
	}
}

// keyIn looks for a key in one SET.
func keyIn(t *testing.T, r *settest.Router, set envelope.SetNumber, sender envelope.UserID, key string) (envelope.KeyRecord, error) {
	t.Helper()
	return r.FindKey(t.Context(), envelope.KeyHome{Set: set}, sender, key)
}

// failing makes three statements to a SET fail.
func failing(t *testing.T, r *settest.Router, w *settest.World, set int) {
	t.Helper()
	for range 3 {
		w.Proxies[set].Lose(settest.LostBefore, "SELECT order_id, request_hash")
		_, err := keyIn(t, r, w.Specs[set].Number, "ann", "no such key")
		wantBusy(t, err, "set_unavailable")
	}
}

// firsts counts how often each SET is the first candidate.
func firsts(r *settest.Router) map[envelope.SetNumber]int {
	n := map[envelope.SetNumber]int{}
	for i := range 100 {
		n[r.Candidates("ann", fmt.Sprint("key-", i))[0]]++
	}
	return n
}

func TestFailingSETIsTheLastCandidate(t *testing.T) {
	w := servers.World(t, 2)
	e := w.Active(t, 0, envelope.Order{Sender: "ann", Key: "k", Total: 100, Count: 50})
	for what, succeed := range map[string]func(r *settest.Router) error{
		"find": func(r *settest.Router) error { _, err := r.Find(t.Context(), e.ID); return err },
		"peek": func(r *settest.Router) error { _, err := r.Peek(t.Context(), e.ID, "bob"); return err },
		"find key": func(r *settest.Router) error {
			_, err := keyIn(t, r, w.Specs[0].Number, "ann", "k")
			return err
		},
		"ping": func(r *settest.Router) error { return r.Sets()[0].Ping(t.Context()) },
		"open": func(r *settest.Router) error {
			_, err := r.Sets()[0].Open(t.Context(), requests(e.ID, "bob"))
			return err
		},
		"create": func(r *settest.Router) error {
			_, err := r.Create(t.Context(), w.Sending(t, 0, envelope.Order{Total: 100, Count: 50}))
			return err
		},
	} {
		r := serverOf(t, w, 0)
		if n := firsts(r); n[w.Specs[0].Number] == 0 || n[w.Specs[1].Number] == 0 {
			t.Fatalf("%s: both healthy: %v", what, n)
		}
		failing(t, r, w, 0)
		if n := firsts(r); n[w.Specs[0].Number] != 0 {
			t.Errorf("%s: one failed: %v", what, n)
		}
		if len(r.Candidates("ann", "k")) != 2 {
			t.Errorf("%s: the one that failed is no candidate any more", what)
		}
		if err := succeed(r); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if n := firsts(r); n[w.Specs[0].Number] == 0 {
			t.Errorf("%s succeeded: %v", what, n)
		}
	}
}

func TestHealthOnlyOrdersCandidates(t *testing.T) {
	r := unused(t, numbered(6, nobodyThere(t))...)
	before := map[string][]envelope.SetNumber{}
	for i := range 200 {
		key := fmt.Sprint("key-", i)
		before[key] = r.Candidates("ann", key)
	}
	for range 3 {
		wantBusy(t, r.Sets()[2].Ping(t.Context()), "set_unavailable")
	}
	for key, sets := range before {
		after := r.Candidates("ann", key)
		last := slices.Index(sets, 2)
		if want := sets; last >= 0 {
			want = append(slices.Delete(slices.Clone(sets), last, last+1), 2)
			if !slices.Equal(after, want) {
				t.Errorf("%s: %v, want %v", key, after, want)
			}
		} else if !slices.Equal(after, want) {
			t.Errorf("%s: %v, want %v as before", key, after, want)
		}
	}
}

func TestCanceledCallDoesNotMarkTheSETDown(t *testing.T) {
	w := servers.World(t, 2)
	e := w.Active(t, 0, envelope.Order{Total: 100, Count: 50})
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	r := serverOf(t, w, 0)
	for range 20 {
		_, err := r.Find(gone, e.ID)
		wantBusy(t, err, "canceled")
		_, err = r.Peek(gone, e.ID, "bob")
		wantBusy(t, err, "canceled")
		_, err = r.Sets()[0].FindKey(gone, "ann", "k")
		wantBusy(t, err, "canceled")
		wantBusy(t, r.Sets()[0].Ping(gone), "canceled")
	}
	if n := firsts(r); n[w.Specs[0].Number] == 0 {
		t.Errorf("the SET is marked down: %v", n)
	}
	if got, err := r.Sets()[0].Open(gone, requests(e.ID, "bob")); err != nil || got[0].Outcome != envelope.Opened {
		t.Errorf("an opener who hangs up has opened all the same: got %+v, %v", got, err)
	}
}
