package report

import (
	"bytes"
	"strings"
	"testing"

	"hongbao/loadtest"
	"hongbao/loadtest/measure"
	"hongbao/reconcile"
)

// sampleComparison has a figure of every kind.
func sampleComparison() *measure.Comparison {
	m := sampleRuns().Runs[0].Measured
	f := &measure.Figures{InsertRows: 1e5, CAS: 2e4, Steady: m, SteadyOffered: 300,
		Refusal:  &measure.Refusal{PerSecond: 1000, Fast: 0.99, ServiceCPU: 12, OpenCPU: 100, PlainOpenCPU: 900, EchoCPU: 10},
		Overload: &measure.Overload{PeakPerSecond: 300, OfferedPerSecond: 3000, Goodput: 270, Over: 0.9, RecoverySeconds: 1.5, From: 1, To: 2, Measured: m}}
	for _, callers := range measure.Callers() {
		for _, scenario := range []loadtest.Scenario{loadtest.Hot, loadtest.Spread} {
			for i, mode := range []string{measure.ModePlain, measure.ModeFIFO, measure.ModeGroup} {
				f.Cells = append(f.Cells, measure.Cell{Mode: mode, Scenario: scenario, Callers: callers, PerSecond: float64(100 * (i + callers)), P50: 1, P99: 20})
			}
		}
		f.Echo = append(f.Echo, measure.Cell{Mode: "echo", Scenario: loadtest.Spread, Callers: callers, PerSecond: 20_000})
	}
	return &measure.Comparison{Session: measure.Session{Passed: true, Verdict: &loadtest.Verdict{}, Strangers: 0.2},
		Targets: []measure.Target{{Ratio: "hot_group_over_plain", AtLeast: 40, Have: 41, Met: true}, {Ratio: "p99_ms_at_60_percent", AtMost: 50, Have: 60}}, Figures: f}
}

func TestAComparisonIsAPageByItself(t *testing.T) {
	c := sampleComparison()
	var page bytes.Buffer
	if err := WriteComparison(&page, c); err != nil {
		t.Fatal(err)
	}
	checkPage(t, page.String(), 6)
	for _, want := range []string{"missed", "disturbed", "recovered after 1.5 s"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	c.Figures.Overload.RecoverySeconds = -1
	page.Reset()
	if err := WriteComparison(&page, c); err != nil || !strings.Contains(page.String(), "not recovered within") {
		t.Errorf("a service that does not recover: %v", err)
	}
}

func TestAComparisonWithALieShowsNoFigures(t *testing.T) {
	lie := &loadtest.Verdict{Violations: []reconcile.Difference{{Rule: "a position belongs to one person (I4)", Have: "share 3 was told to a and to b"}}}
	for name, c := range map[string]*measure.Comparison{
		"an answer": {Session: measure.Session{Verdict: lie}},
		"the books": {Session: measure.Session{Verdict: &loadtest.Verdict{}, Books: []measure.Books{{Violations: []string{"I1 …"}}}}},
	} {
		var page bytes.Buffer
		if err := WriteComparison(&page, c); err != nil {
			t.Error(err)
		}
		checkPage(t, page.String(), 0)
		if !strings.Contains(page.String(), "The audit failed") {
			t.Errorf("%s lies, and the page does not say so", name)
		}
	}
}

func TestTextOfALieHasNoFigures(t *testing.T) {
	c := sampleComparison()
	var out, errs bytes.Buffer
	text := Text{&out, &errs}
	if text.Comparison(c); !strings.Contains(out.String(), "hot_group_over_plain") || !strings.Contains(out.String(), "storm: ") || errs.Len() > 0 {
		t.Errorf("a good one: %s%s", out.String(), errs.String())
	}
	out.Reset()
	c.Passed, c.Verdict = false, &loadtest.Verdict{Violations: []reconcile.Difference{{Rule: "r", Have: "share 3"}}}
	if text.Comparison(c); strings.Contains(out.String(), "storm") || !strings.Contains(errs.String(), "share 3") || !strings.Contains(errs.String(), "no throughput worth printing") {
		t.Errorf("one that failed: %s%s", out.String(), errs.String())
	}
}
