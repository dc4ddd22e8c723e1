package measure

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"hongbao/envelope"
	"hongbao/loadtest"
	"hongbao/loadtest/past"
)

// hastyFull fills nothing, on services in memory.
func hastyFull(t *testing.T) FullConfig {
	t.Helper()
	base, _ := hasty(t)
	base.Progress, base.Hurry = nil, 20
	return FullConfig{CompareConfig: base, Rounds: 1, Ticket: func(envelope.ID) string { return "ticket" },
		Past: past.Config{Seed: 1, Envelopes: 900, Sets: []envelope.SetNumber{3}, Machine: 4095, DrawKey: drawKey(t), Now: time.Now()},
		Fill: func(_ context.Context, filled *past.Past, wrote func(int)) ([]Stock, error) {
			s := Stock{Set: "003", Before: 1000, After: 2000}
			for snap := range filled.Of(0) {
				s.Envelopes++
				s.Shares += len(snap.Shares)
				wrote(1)
			}
			return []Stock{s}, nil
		}}
}

func drawKey(t *testing.T) envelope.DrawKey {
	t.Helper()
	key, err := envelope.NewDrawKey([]byte("a draw key for tests, long enough"))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestFullTablesAreComparedWithEmpty(t *testing.T) {
	t.Parallel() // with the comparison, which mostly waits
	r, err := RunFull(t.Context(), hastyFull(t))
	if err != nil {
		t.Fatal(err)
	}
	if !r.Passed {
		t.Fatal(r.Verdict.Violations)
	}
	for _, s := range []*Series{r.Figures.SpreadEmpty, r.Figures.SpreadFull, r.Figures.HotEmpty, r.Figures.HotFull} {
		if len(s.Cells) != 1 || s.Lowest <= 0 || s.Lowest > s.Median || s.Median > s.Highest {
			t.Errorf("a series is %+v", s)
		}
	}
	if f := r.Figures; f.HotFull.Cells[0].Scenario != loadtest.Hot || f.SpreadFull.Cells[0].Scenario != loadtest.Spread || f.HotFull.Cells[0].Callers != 200 {
		t.Errorf("the cells are %+v", f)
	}
	for _, name := range []string{"spread_full_over_empty", "hot_full_over_empty"} {
		if v := r.Ratios[name]; v <= 0 || math.IsInf(v, 0) {
			t.Errorf("%s is %v", name, v)
		}
	}
	checkWarming(t, r.Figures.Warm)
	if len(r.Stocks) != 1 || r.Stocks[0].Envelopes != 900 || len(r.Targets) != 3 || r.Ratios[ratioIdleBytes] != 0 {
		t.Errorf("filled with %+v, ratios %v, targets %+v", r.Stocks, r.Ratios, r.Targets)
	}
}

// checkWarming knows that the service in memory spends 1000 bytes on an envelope
// and none on a share.
func checkWarming(t *testing.T, w *Warming) {
	t.Helper()
	if w.EnvelopeBytes != 1000 || w.ShareBytes != 0 || w.Asked == 0 || w.WarmMost != w.Asked+warmBegin+warmShared/20 || w.RSSMost != 1<<24 {
		t.Errorf("warm envelopes are weighed as %+v", w)
	}
	if w.Steps.ShareSum != warmShared/20*compareCount {
		t.Errorf("%d shares were opened, want all of the last envelopes", w.Steps.ShareSum)
	}
}

func TestAFullRunThatLiesHasNoFigures(t *testing.T) {
	one := newSeries([]Cell{{PerSecond: 1}})
	for _, passed := range []bool{true, false} {
		r := &Full{Envelopes: 1, Figures: &FullFigures{SpreadEmpty: one, SpreadFull: one, HotEmpty: one, HotFull: one}}
		r.Passed = passed
		if r.judge(); (r.Figures != nil) != passed || (r.Ratios != nil) != passed || (r.Targets != nil) != passed {
			t.Errorf("an audit that passed %v left %+v", passed, r)
		}
	}
}

func TestAFullRunThatCannotBeFails(t *testing.T) {
	broken := errors.New("disk full")
	for name, change := range map[string]func(*FullConfig){
		"no rounds": func(c *FullConfig) { c.Rounds = 0 },
		"no past":   func(c *FullConfig) { c.Past.Envelopes = 0 },
		"no fill":   func(c *FullConfig) { c.Fill = nil },
		"no key":    func(c *FullConfig) { c.Key = "" },
		"a failed fill": func(c *FullConfig) {
			c.Fill = func(context.Context, *past.Past, func(int)) ([]Stock, error) { return nil, broken }
		},
		"a past of one settled envelope": func(c *FullConfig) { c.Past.Envelopes = 1 },
	} {
		cfg := hastyFull(t)
		cfg.Rounds = 1
		change(&cfg)
		if r, err := RunFull(t.Context(), cfg); err == nil {
			t.Errorf("%s: measured %v", name, r.Ratios)
		}
	}
}
