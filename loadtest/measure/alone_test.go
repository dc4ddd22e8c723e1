package measure

import (
	"slices"
	"testing"
	"time"

	"context"

	"hongbao/envelope"
	"hongbao/loadtest"
)

func hastyCell(t *testing.T) CellConfig {
	t.Helper()
	base, _ := hasty(t)
	base.Hurry = 20
	return CellConfig{CompareConfig: base, Mode: ModeFIFO, Scenario: loadtest.Hot, Callers: 8, Rounds: 2}
}

func TestACellIsMeasuredByItselfInRounds(t *testing.T) {
	cfg := hastyCell(t)
	cfg.For = 50 * time.Millisecond
	var profiles []string
	cfg.Profile = func(name string, cpu []byte) error {
		profiles = append(profiles, name+": "+string(cpu))
		return nil
	}
	r, err := RunCell(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if !r.Passed || len(r.Series.Cells) != 2 || r.Series.Median <= 0 || r.Verdict.Requests == 0 || len(r.Books) != 1 {
		t.Fatalf("measured %+v", r)
	}
	for _, c := range r.Series.Cells {
		if c.Mode != ModeFIFO || c.Scenario != loadtest.Hot || c.Callers != 8 {
			t.Errorf("a round is %+v", c)
		}
	}
	if want := []string{"fifo-hot-8-1: 1 s", "fifo-hot-8-2: 1 s"}; !slices.Equal(profiles, want) {
		t.Errorf("profiles are %q, want %q", profiles, want)
	}
}

func TestACellThatCannotBeIsRefused(t *testing.T) {
	for name, change := range map[string]func(*CellConfig){
		"festival":        func(c *CellConfig) { c.Scenario = loadtest.Festival },
		"nobody":          func(c *CellConfig) { c.Callers = 0 },
		"too many":        func(c *CellConfig) { c.Callers = loadtest.CallersMax + 1 },
		"no round":        func(c *CellConfig) { c.Rounds = 0 },
		"too many rounds": func(c *CellConfig) { c.Rounds = RoundsMax + 1 },
		"no time":         func(c *CellConfig) { c.For = -1 },
		"nowhere":         func(c *CellConfig) { c.Start = nil },
		"a mode of nothing": func(c *CellConfig) {
			c.Start = func(ctx context.Context, _ string) (*Server, error) { return newService(t).server("other"), nil }
		},
	} {
		cfg := hastyCell(t)
		change(&cfg)
		if r, err := RunCell(t.Context(), cfg); err == nil {
			t.Errorf("%s: measured %+v", name, r.Series)
		}
	}
}

func TestACellThatLiesHasNoSeries(t *testing.T) {
	cfg := hastyCell(t)
	cfg.Start = func(_ context.Context, mode string) (*Server, error) {
		s := newService(t)
		s.Lies = func(o *envelope.Opening) { o.Share.Amount++ }
		return s.server(mode), nil
	}
	r, err := RunCell(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if r.Passed || r.Series != nil {
		t.Errorf("everybody was told a fen too many, and it passed %v with %+v", r.Passed, r.Series)
	}
}

func TestAStormIsOfferedByItself(t *testing.T) {
	t.Parallel() // with the comparison, which mostly waits
	cfg, steps := hasty(t)
	cfg.Hurry = 20
	r, err := RunStorm(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if !r.Passed || r.Capacity.PerSecond <= 0 || r.Storm.Goodput <= 0 || r.Storm.PeakPerSecond < r.Capacity.PerSecond {
		t.Errorf("measured %+v of %+v", r.Storm, r.Capacity)
	}
	if len(*steps) != stepsOfCell+2 {
		t.Errorf("the steps were %q", *steps)
	}
	cfg.Key = ""
	if _, err := RunStorm(t.Context(), cfg); err == nil {
		t.Error("measured without keys")
	}
}

func TestTheMedianIsInTheMiddle(t *testing.T) {
	for _, one := range []struct {
		rates  []float64
		median float64
	}{{[]float64{5}, 5}, {[]float64{9, 1}, 5}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 9, 1, 2}, 3}} {
		var cells []Cell
		for _, r := range one.rates {
			cells = append(cells, Cell{PerSecond: r})
		}
		s := newSeries(cells)
		if s.Median != one.median || s.Lowest != slices.Min(one.rates) || s.Highest != slices.Max(one.rates) {
			t.Errorf("%v: %+v", one.rates, s)
		}
	}
}
