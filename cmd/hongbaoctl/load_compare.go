package main

import (
	"context"
	"fmt"
	"os"

	"hongbao/loadtest"
)

type loadCompareCmd struct {
	loadFlags
	HTML string `help:"Write the report as one self-contained page." name:"html" type:"path"`
}

func (l loadCompareCmd) Run(ctx context.Context, c *cli) error {
	var result *loadtest.Comparison
	err := onOwnGround(ctx, c, func(g *ground) (passed bool, err error) {
		cfg := l.measure(g, c.JSON)
		cfg.InsertCeiling, cfg.CASCeiling = g.insertCeiling, g.casCeiling
		if result, err = loadtest.Compare(ctx, cfg); err != nil {
			return false, err
		}
		return result.Passed, nil
	})
	if err != nil {
		return err
	}
	if err := writeHTML(l.HTML, result.WriteHTML); err != nil {
		return err
	}
	return printSession(c, result, &result.Session, func() {
		printCells(result.Figures.Cells, result.Figures.Echo)
		printExtras(result.Figures)
		printTargets(result.Targets)
	})
}

func printExtras(f *loadtest.Figures) {
	if f.InsertRows > 0 {
		fmt.Printf("ceilings: raw multi-row insert %.0f rows/s, ", f.InsertRows)
	}
	if f.CAS > 0 {
		fmt.Printf("memcached compare-and-swap %.0f/s", f.CAS)
	}
	s, no := f.Steady, f.Refusal
	fmt.Printf("\nopen loop at %.0f opens/s: p50 %.1f ms, p99 %.1f ms, p99.9 %.1f ms\n", f.SteadyOffered, s.Accepted.P50, s.Accepted.P99, s.Accepted.P999)
	fmt.Printf("refusal: %.1f µs of CPU (an open costs %.0f µs, in mode plain %.0f µs, the echo %.1f µs), %.1f %% within 5 ms\n",
		no.ServiceCPU+no.DatabasesCPU, no.OpenCPU, no.PlainOpenCPU, no.EchoCPU, 100*no.Fast)
	printStorm(f.Overload)
}

func printTargets(targets []loadtest.Target) {
	t := newTable("ratio", "target", "measured", "", "what")
	for _, one := range targets {
		want, met := fmt.Sprintf("≥ %g", one.AtLeast), "met"
		if one.AtMost > 0 {
			want = fmt.Sprintf("≤ %g", one.AtMost)
		}
		if !one.Met {
			met = "missed"
		}
		t.AppendRow([]any{one.Ratio, want, fmt.Sprintf("%.3g", one.Have), met, one.What})
	}
	t.Render()
}

// printAudit says what was found in the answers and in the books. A failed audit
// is all there is to say about a run.
func printAudit(v *loadtest.Verdict, books []loadtest.Books) {
	fmt.Printf("audit: %d requests, %d envelopes, %d shares, %d draws recomputed, %d of unknown outcome resolved: %d violations\n",
		v.Requests, v.Envelopes, v.Shares, v.DrawsVerified, v.UnknownTaken+v.UnknownUntaken, len(v.Violations))
	for _, one := range v.Violations {
		fmt.Fprintln(os.Stderr, "  ", one)
	}
	for _, one := range v.Samples {
		fmt.Fprintln(os.Stderr, "   answered:", one)
	}
	for _, b := range books {
		fmt.Printf("books of SET %s: %d envelopes, %d shares, paid %v = opened %v + refunded %v + remaining %v: %d violations\n",
			b.Set, b.Envelopes, b.Shares, b.Paid, b.Opened, b.Refunded, b.Remaining, len(b.Violations))
		for _, one := range b.Violations {
			fmt.Fprintln(os.Stderr, "  ", one)
		}
	}
}

func printFailed() {
	fmt.Fprintln(os.Stderr, "The audit failed: a service that answers wrongly has no throughput worth printing.")
}
