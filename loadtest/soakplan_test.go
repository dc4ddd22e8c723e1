package loadtest

import (
	"testing"
	"time"

	"hongbao/envelope"
)

func soakPlan(t *testing.T, seed uint64, of Lifetimes) *Plan {
	t.Helper()
	p, err := NewSoakPlan(PlanConfig{Scenario: Soaking, Seed: seed, Envelopes: 2000, Users: 200}, of)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestASoakWalksEveryPath(t *testing.T) {
	short := Lifetimes{PayWithin: 3 * time.Second, Life: 4 * time.Second}
	p := soakPlan(t, 1, short)
	kinds, unpaid, late, left, lost, tooLate := map[envelope.Kind]int{}, 0, 0, 0, 0, 0
	limits := envelope.DefaultLimits()
	for i := range p.Gifts {
		g, f := &p.Gifts[i], p.Fates[i]
		kinds[g.Kind]++
		people, after := map[int32]bool{}, false
		for _, tap := range g.Taps {
			if after = after || tap.After > short.Life; tap.After <= short.Life {
				people[tap.User] = true
			}
		}
		order := envelope.Order{Kind: g.Kind, Total: g.Total, Count: g.Count, Sender: "ann", Group: "g", Key: "k"}
		if g.Kind == envelope.Exclusive {
			order.Recipient = "bob"
		}
		if g.Kind == envelope.Equal {
			order.Total, order.Share = 0, g.Total/envelope.Fen(g.Count)
		}
		if _, err := limits.Check(order); err != nil {
			t.Fatalf("gift %d: %v", i, err)
		}
		count(&unpaid, f.Unpaid)
		count(&late, f.PayAfter > 0)
		count(&left, len(people) < g.Count)
		count(&lost, len(people) > g.Count)
		count(&tooLate, after)
	}
	for what, n := range map[string]int{"unpaid": unpaid, "late": late, "left to expire": left, "too few shares": lost, "too late": tooLate,
		"lucky": kinds[envelope.Lucky], "equal": kinds[envelope.Equal], "exclusive": kinds[envelope.Exclusive]} {
		if n < 20 {
			t.Errorf("%d of 2000 envelopes are %s", n, what)
		}
	}
}

func count(n *int, yes bool) {
	if yes {
		*n++
	}
}

func TestSoakPlansOnlyWhatItWaitsFor(t *testing.T) {
	p := soakPlan(t, 1, Lifetimes{PayWithin: 15 * time.Minute, Life: 24 * time.Hour})
	for i := range p.Gifts {
		if p.Fates[i].PayAfter > 0 {
			t.Fatalf("gift %d is paid after %v", i, p.Fates[i].PayAfter)
		}
		for _, tap := range p.Gifts[i].Taps {
			if tap.After > LifetimeSeenMax {
				t.Fatalf("gift %d is tapped after %v", i, tap.After)
			}
		}
	}
}

func TestASoakPlanIsItsSeeds(t *testing.T) {
	of := Lifetimes{PayWithin: 3 * time.Second, Life: 4 * time.Second}
	if a, b := soakPlan(t, 1, of).Digest(), soakPlan(t, 1, of).Digest(); a != b {
		t.Errorf("seed 1 made the plans %s and %s", a, b)
	}
	if a, b := soakPlan(t, 1, of).Digest(), soakPlan(t, 2, of).Digest(); a == b {
		t.Errorf("seeds 1 and 2 made the same plan %s", a)
	}
}
