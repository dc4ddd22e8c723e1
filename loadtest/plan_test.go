package loadtest

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"hongbao/envelope"
)

func plan(t *testing.T, cfg PlanConfig) *Plan {
	t.Helper()
	p, err := NewPlan(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestTheSameSeedMakesTheSamePlan(t *testing.T) {
	for _, scenario := range Scenarios() {
		cfg := PlanConfig{Scenario: scenario, Seed: 7, Envelopes: 40, Count: 20, Openers: 30, Users: 100}
		first, again := plan(t, cfg), plan(t, cfg)
		if first.Digest() != again.Digest() {
			t.Errorf("%s: seed 7 made the plans %s and %s", scenario, first.Digest(), again.Digest())
		}
		cfg.Seed = 8
		if other := plan(t, cfg); other.Digest() == first.Digest() {
			t.Errorf("%s: seeds 7 and 8 made the same plan %s", scenario, other.Digest())
		}
	}
}

func TestThePlanOfASeedNeverChanges(t *testing.T) {
	// A recorded run can be repeated by a later version of the program.
	// When this fails, old seeds plan anew: say so in the changelog.
	frozen := map[Scenario]string{Hot: "500c03ebbbedad8d", Spread: "d311a2e153a66def", Festival: "8b1cd91f21450cad"}
	for scenario, want := range frozen {
		p := plan(t, PlanConfig{Scenario: scenario, Seed: 1, Envelopes: 25, Count: 10, Openers: 15, Users: 50})
		if got := p.Digest(); got != want {
			t.Errorf("%s: seed 1 makes the plan %s, and made %s when it was frozen", scenario, got, want)
		}
	}
}

func TestEveryGiftMayBeSent(t *testing.T) {
	limits := envelope.DefaultLimits()
	limits.CountMax = CountMax
	for _, scenario := range Scenarios() {
		p := plan(t, PlanConfig{Scenario: scenario, Seed: 3, Envelopes: 2000, Count: 500, Openers: 1, Users: 50})
		kinds := map[envelope.Kind]int{}
		for i, g := range p.Gifts {
			kinds[g.Kind]++
			o := envelope.Order{Sender: "s", Key: "k", Group: "g", Kind: g.Kind, Total: g.Total, Count: g.Count}
			switch g.Kind {
			case envelope.Equal:
				o.Total, o.Share = 0, g.Total/envelope.Fen(g.Count)
				if o.Share*envelope.Fen(g.Count) != g.Total {
					t.Errorf("%s: gift %d: %d fen do not divide by %d", scenario, i, g.Total, g.Count)
				}
			case envelope.Exclusive:
				o.Recipient = "r"
			}
			if _, err := limits.Check(o); err != nil {
				t.Errorf("%s: gift %d cannot be sent: %v", scenario, i, err)
			}
		}
		if kinds[envelope.Lucky] < 1000 || kinds[envelope.Equal] == 0 || (scenario == Festival) != (kinds[envelope.Exclusive] > 0) {
			t.Errorf("%s: the kinds are %v", scenario, kinds)
		}
	}
}

// FS11
func TestAPlanHonoursTheServicesLeastShare(t *testing.T) {
	for _, scenario := range Scenarios() {
		cfg := PlanConfig{Scenario: scenario, Seed: 3, Envelopes: 2000, Count: 20, Openers: 1, Users: 50}
		plain := plan(t, cfg)
		cfg.ShareMin = 1
		if same := plan(t, cfg); same.Digest() != plain.Digest() {
			t.Errorf("%s: a least share of one fen changes the plan", scenario)
		}
		cfg.ShareMin = 10
		raised := 0
		for i, g := range plan(t, cfg).Gifts {
			if g.Total < 10*envelope.Fen(g.Count) || g.Kind == envelope.Equal && g.Total%envelope.Fen(g.Count) != 0 {
				t.Errorf("%s: gift %d is %s of %d fen in %d shares", scenario, i, g.Kind, g.Total, g.Count)
			}
			if g.Total != plain.Gifts[i].Total {
				raised++
			}
		}
		if raised == 0 || raised > 200 {
			t.Errorf("%s: %d of 2000 gifts were raised", scenario, raised)
		}
	}
}

func TestHotIsOneEnvelopeAfterAnother(t *testing.T) {
	p := plan(t, PlanConfig{Scenario: Hot, Seed: 1, Envelopes: 20, Count: 100, Openers: 300, Users: 400})
	last := 0
	for i, tap := range p.Taps {
		if g := int(tap.Gift); g < last-1 || g > last+1 {
			t.Fatalf("tap %d is for envelope %d while envelope %d is being opened", i, g, last)
		} else {
			last = max(last, g)
		}
	}
	checkOpeners(t, p, 300)
}

func TestSpreadKeepsAllEnvelopesOpen(t *testing.T) {
	p := plan(t, PlanConfig{Scenario: Spread, Seed: 1, Envelopes: 500, Count: 100, Openers: 40, Users: 400})
	touched := map[int32]bool{}
	for _, tap := range p.Taps[:600] {
		touched[tap.Gift] = true
	}
	if len(touched) < 490 {
		t.Errorf("the first 600 taps are for %d of 500 envelopes", len(touched))
	}
	checkOpeners(t, p, 40)
}

func TestSpreadOpensEnvelopesInWaves(t *testing.T) {
	const atOnce = 50
	p := plan(t, PlanConfig{Scenario: Spread, Seed: 1, Envelopes: 220, AtOnce: atOnce, Count: 100, Openers: 40, Users: 400})
	last := 0
	for i, tap := range p.Taps {
		wave := int(tap.Gift) / atOnce
		if last = max(last, wave); wave < last-1 { // a repeat may come a little later
			t.Fatalf("tap %d is for envelope %d, when those of wave %d are opened", i, tap.Gift, last)
		}
	}
	if last != 220/atOnce {
		t.Errorf("the last wave is %d", last)
	}
	checkOpeners(t, p, 40)
}

// checkOpeners: so many different people each, one in twenty tapping again.
func checkOpeners(t *testing.T, p *Plan, want int) {
	t.Helper()
	people := map[Tap]int{}
	each := map[int32]int{}
	for _, tap := range p.Taps {
		if people[tap]++; people[tap] == 1 {
			each[tap.Gift]++
		}
	}
	for gift, n := range each {
		if n != want {
			t.Errorf("envelope %d has %d openers, want %d", gift, n, want)
		}
	}
	if repeats := float64(len(p.Taps)-len(people)) / float64(len(people)); math.Abs(repeats-1.0/RepeatOneIn) > 0.01 {
		t.Errorf("%.3f of the taps are repeated, want about %.3f", repeats, 1.0/RepeatOneIn)
	}
}

func TestTheFestivalHasThePublishedMix(t *testing.T) {
	p := plan(t, PlanConfig{Scenario: Festival, Seed: 5, Envelopes: 20_000, Users: 1000})
	opens, repeats := 0, 0
	for _, g := range p.Gifts {
		opens += len(g.Taps)
		seen := map[int32]bool{}
		for _, tap := range g.Taps {
			if seen[tap.User] {
				repeats++
			}
			seen[tap.User] = true
			if tap.After <= 0 || tap.After > 7*time.Second {
				t.Fatalf("somebody taps %v after the message", tap.After)
			}
		}
	}
	if per := float64(opens) / float64(len(p.Gifts)); math.Abs(per-festivalOpensPerSend) > 0.03 {
		t.Errorf("%.3f opens per send, want %.1f", per, festivalOpensPerSend)
	}
	if repeats < opens/20 {
		t.Errorf("%d of %d taps are repeats", repeats, opens)
	}
}

func TestMidnightIsASpike(t *testing.T) {
	due, err := Arrivals(1, Evening(200, 100*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	perSecond := func(from, to time.Duration) float64 {
		n := 0
		for _, at := range due {
			if at >= from && at < to {
				n++
			}
		}
		return float64(n) / (to - from).Seconds()
	}
	before, midnight, after := perSecond(0, 45*time.Second), perSecond(45*time.Second, 60*time.Second), perSecond(60*time.Second, 100*time.Second)
	if math.Abs(before-200) > 15 || math.Abs(midnight-1000) > 60 || math.Abs(after-200) > 15 {
		t.Errorf("arrivals a second are %.0f, %.0f at midnight, %.0f; want about 200, 1000, 200", before, midnight, after)
	}
}

func TestArrivalsAreDrawnFromTheirSeed(t *testing.T) {
	load := []Stretch{{Rate: 1000, For: 2 * time.Second}, {Rate: 5000, For: time.Second}}
	first, err := Arrivals(9, load)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Arrivals(9, load)
	if err != nil || !slices.Equal(first, again) {
		t.Errorf("the same seed drew other arrivals (%v)", err)
	}
	if !slices.IsSorted(first) || first[len(first)-1] >= 3*time.Second {
		t.Error("arrivals are not in order within the load")
	}
	// Exponential gaps: their standard deviation is their mean.
	var sum, squares float64
	for i := 1; first[i] < 2*time.Second; i++ {
		gap := (first[i] - first[i-1]).Seconds()
		sum, squares = sum+gap, squares+gap*gap
	}
	n := 2000.0
	if ratio := math.Sqrt(squares/n-sum/n*sum/n) / (sum / n); ratio < 0.85 || ratio > 1.15 {
		t.Errorf("gaps vary by %.2f of their mean, want about 1", ratio)
	}
}

func TestPlansThatCannotBeAreRefused(t *testing.T) {
	good := PlanConfig{Scenario: Hot, Envelopes: 1, Count: 1, Openers: 1, Users: 10}
	for name, spoil := range map[string]func(*PlanConfig){
		"no scenario":           func(c *PlanConfig) { c.Scenario = "cold" },
		"no envelopes":          func(c *PlanConfig) { c.Envelopes = 0 },
		"too many envelopes":    func(c *PlanConfig) { c.Envelopes = EnvelopesMax + 1 },
		"no shares":             func(c *PlanConfig) { c.Count = 0 },
		"too many shares":       func(c *PlanConfig) { c.Count = CountMax + 1 },
		"more openers than are": func(c *PlanConfig) { c.Openers = c.Users + 1 },
		"nobody there":          func(c *PlanConfig) { c.Users = 0 },
		"too many taps":         func(c *PlanConfig) { c.Envelopes, c.Users, c.Openers = 20_000, 2000, 2000 },
	} {
		cfg := good
		spoil(&cfg)
		if _, err := NewPlan(cfg); err == nil {
			t.Errorf("%s: %+v was planned", name, cfg)
		}
	}
	for _, load := range [][]Stretch{{{Rate: 0, For: time.Second}}, {{Rate: 1}}, {{Rate: 1e9, For: time.Hour}}} {
		if _, err := Arrivals(1, load); err == nil {
			t.Errorf("arrivals were drawn for %v", load)
		}
	}
}

func TestWalkMeetsEveryUserOnce(t *testing.T) {
	for _, users := range []int{4, 7, 100, 2000} {
		for seed := range uint64(20) {
			w := newWalk(newRand(seed, fmt.Sprint(users)), users)
			met := map[int32]bool{}
			for range users {
				met[w.next()] = true
			}
			if len(met) != users {
				t.Errorf("seed %d: a walk met %d of %d", seed, len(met), users)
			}
		}
	}
}
