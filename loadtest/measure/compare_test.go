package measure

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"testing"
	"time"

	"hongbao/loadtest"
	"hongbao/reconcile"
)

// hasty is a comparison on services in memory, twenty times too fast.
func hasty(t *testing.T) (CompareConfig, *[]string) {
	t.Helper()
	var steps []string
	return CompareConfig{
		Seed: 1, Key: "k", Users: testUsers, Hurry: 5,
		Start: func(_ context.Context, mode string) (*Server, error) {
			return newService(t).server(mode), nil
		},
		InsertCeiling: func(context.Context) (float64, error) { return 1e5, nil },
		CASCeiling:    func(context.Context) (float64, error) { return 2e4, nil },
		Books:         func(context.Context) ([]Books, error) { return []Books{{Set: "003", Violations: []string{}}}, nil },
		Progress: func(done, of int, what string) {
			if steps = append(steps, what); done != len(steps)-1 || done >= of {
				t.Errorf("step %d of %d (%s) came as number %d", done, of, what, len(steps))
			}
		},
	}, &steps
}

func TestComparisonMeasuresAllItPromises(t *testing.T) {
	t.Parallel() // with the festival, which mostly waits
	cfg, steps := hasty(t)
	c, err := Compare(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if !c.Passed {
		t.Fatalf("the audit found %v", c.Verdict.Violations)
	}
	if want := 3*6*stepsOfCell + 3 + stepsBeside; len(*steps) != want {
		t.Errorf("%d steps were announced, want %d", len(*steps), want)
	}
	for _, mode := range []string{ModePlain, ModeFIFO, ModeGroup} {
		for _, scenario := range []loadtest.Scenario{loadtest.Hot, loadtest.Spread} {
			for _, callers := range []int{32, 200, 1000} {
				if one := CellOf(c.Figures.Cells, mode, scenario, callers); one.PerSecond <= 0 {
					t.Errorf("%s %s with %d callers was not measured: %+v", mode, scenario, callers, one)
				}
			}
		}
	}
	for _, name := range []string{"hot_group_over_plain", "spread_group_over_plain", "group_over_echo", "refusal_over_open_cpu", "goodput_at_10x"} {
		if v := c.Ratios[name]; v <= 0 || math.IsInf(v, 0) || math.IsNaN(v) {
			t.Errorf("the ratio %s is %v", name, v)
		}
	}
	if c.Durability == "" || c.Figures.InsertRows != 1e5 || c.Figures.CAS != 2e4 || c.Figures.Refusal.Admitted != 0 {
		t.Errorf("durability %q, ceilings %v and %v, refusal %+v", c.Durability, c.Figures.InsertRows, c.Figures.CAS, c.Figures.Refusal)
	}
	if _, err := json.Marshal(c); err != nil {
		t.Error(err)
	}
}

func TestAComparisonWithALieHasNoFigures(t *testing.T) {
	lie := &loadtest.Verdict{Violations: []reconcile.Difference{{Rule: "a position belongs to one person (I4)", Have: "share 3 was told to a and to b"}}}
	for name, c := range map[string]*comparison{
		"an answer": {verdict: lie, figures: &Figures{}, cfg: CompareConfig{Progress: func(int, int, string) {}}},
		"the books": {verdict: &loadtest.Verdict{}, figures: &Figures{}, cfg: CompareConfig{Progress: func(int, int, string) {},
			Books: func(context.Context) ([]Books, error) { return []Books{{Violations: []string{"I1 …"}}}, nil }}},
	} {
		r, err := c.result(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if r.Passed || r.Figures != nil || r.Ratios != nil || r.Targets != nil {
			t.Errorf("%s lies, and it passed %v with ratios %v", name, r.Passed, r.Ratios)
		}
	}
}

func TestAServerInAnotherModeIsNotMeasured(t *testing.T) {
	cfg, _ := hasty(t)
	start := cfg.Start
	cfg.Start = func(ctx context.Context, _ string) (*Server, error) { return start(ctx, ModeGroup) }
	if c, err := Compare(t.Context(), cfg); err == nil {
		t.Errorf("mode plain was measured on a server in mode group: %+v", c.Ratios)
	}
}

func TestTargetsAreHeldToTheirSide(t *testing.T) {
	all := targets(map[string]float64{ratioHot: 41, ratioSpread: 9, ratioEcho: 0.5, ratioP99: 50, ratioRefusal: 0.021, ratioGoodput: 0.9, ratioRecovery: -1})
	for ratio, met := range map[string]bool{ratioHot: true, ratioSpread: false, ratioEcho: true, ratioP99: true, ratioRefusal: false, ratioGoodput: true, ratioRecovery: false} {
		i := slices.IndexFunc(all, func(t Target) bool { return t.Ratio == ratio })
		if i < 0 || all[i].Met != met {
			t.Errorf("%s: %+v, want met %v", ratio, all[i], met)
		}
	}
}

// stormRun is a storm of one-second windows: what was opened and how fast.
func stormRun(opened []int, ms []int) *loadtest.Run {
	run := &loadtest.Run{Open: true, To: time.Duration(len(opened)) * time.Second}
	for second, n := range opened {
		for k := range n {
			got := time.Duration(second)*time.Second + time.Duration(k)*time.Second/time.Duration(n)
			due := got - time.Duration(ms[second])*time.Millisecond
			run.Records = append(run.Records, loadtest.Record{First: int64(due), Due: int64(due), Sent: int64(due), Got: int64(got), Outcome: loadtest.Opened})
		}
	}
	return run
}

func TestAStormIsReadFromItsWindows(t *testing.T) {
	const s = time.Second
	ordinary, peak, storm, after := 700, 1000, 850, 700
	opened := []int{ordinary, ordinary, ordinary, ordinary, peak, peak, storm, storm, storm, storm, 100, 400, after, after, after}
	ms := []int{5, 5, 5, 60, 20, 20, 90, 90, 90, 90, 300, 200, 80, 55, 55}
	run := stormRun(opened, ms)
	run.Load = []loadtest.Stretch{{Rate: 700, For: 4 * s}, {Rate: 1500, For: 2 * s}, {Rate: 10_000, For: 4 * s}, {Rate: 700, For: 5 * s}}
	o := newOverload(run, 900)
	near := func(have, want float64) bool { return math.Abs(have-want) <= 0.02*want }
	if !near(o.PeakPerSecond, 1000) || !near(o.Goodput, 850) || !near(o.Over, 0.85) || !near(o.AskedPerSecond, 850) {
		t.Errorf("peak %.0f, goodput %.0f (%.2f), asked %.0f", o.PeakPerSecond, o.Goodput, o.Over, o.AskedPerSecond)
	}
	// 400 a second is too few, 80 ms is longer than the 60 of the ordinary load.
	if !near(o.RecoverySeconds, 3) || !near(o.OrdinaryP99, 60) || !near(o.StormP99, 90) {
		t.Errorf("recovered after %.2f s; p99 %.0f ms before, %.0f ms in the storm", o.RecoverySeconds, o.OrdinaryP99, o.StormP99)
	}
	if o := newOverload(run, 2000); !near(o.Over, 0.425) {
		t.Errorf("against a capacity of 2000, 850 are %.3f", o.Over)
	}
}

func TestWhatNeverRecoversSaysSo(t *testing.T) {
	const s = time.Second
	run := stormRun([]int{700, 1000, 100, 100, 100, 700}, []int{5, 5, 5, 5, 5, 5})
	run.Load = []loadtest.Stretch{{Rate: 700, For: s}, {Rate: 1000, For: s}, {Rate: 10_000, For: s}, {Rate: 700, For: 3 * s}}
	// One good window at the very end proves nothing yet.
	if r := recovery(cut(run, s), 3*s, 700, 50); r != -1 {
		t.Errorf("recovered after %.1f s", r)
	}
}
