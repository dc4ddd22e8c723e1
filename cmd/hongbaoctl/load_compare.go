package main

import (
	"context"
	"fmt"
	"os"

	"hongbao/loadtest"
)

type loadCompareCmd struct {
	Seed    uint64 `help:"Of the plans: the same seed wants the same envelopes, amounts and people." default:"20260216"`
	HTML    string `help:"Write the report as one self-contained page." name:"html" type:"path"`
	NoBooks bool   `help:"Do not read every row of the databases at the end."`
	Hurry   int    `help:"Divide every measured time, to see that it works; the figures then mean little." default:"1"`
}

func (l loadCompareCmd) Run(ctx context.Context, c *cli) error {
	g, err := findGround(c.Config)
	if err != nil {
		return err
	}
	cfg := loadtest.CompareConfig{
		Seed: l.Seed, Key: loadKey(), Users: g.users, Start: g.startServer,
		InsertCeiling: g.insertCeiling, CASCeiling: g.casCeiling, Books: g.books, Progress: loadProgress(c.JSON), Hurry: l.Hurry,
	}
	if l.NoBooks {
		cfg.Books = nil
	}
	result, err := loadtest.Compare(ctx, cfg)
	if err != nil {
		return err
	}
	if err := writeHTML(l.HTML, result.WriteHTML); err != nil {
		return err
	}
	if c.JSON {
		err = printJSON(result)
	} else {
		printComparison(result)
	}
	if err == nil && !result.Passed {
		err = errFinding
	}
	return err
}

func printComparison(r *loadtest.Comparison) {
	printAudit(r.Verdict, r.Books)
	if !r.Passed {
		printFailed()
		return
	}
	fmt.Printf("%s; %d CPUs (%s/%s), %.0f s, seed %d\n", r.Durability, r.Machine.CPUs, r.Machine.OS, r.Machine.Arch, r.Seconds, r.Seed)
	if r.Disturbed() {
		fmt.Printf("disturbed: other programs used %.0f %% of the CPUs while measuring; the figures are too low and the ratios noise\n", 100*r.Strangers)
	}
	t := newTable("scenario", "callers", "open mode", "opens/s", "p50 ms", "p99 ms", "refused", "unknown", "service us", "databases us", "crowd us")
	row := func(c loadtest.Cell) {
		t.AppendRow([]any{c.Scenario, c.Callers, c.Mode, fmt.Sprintf("%.0f", c.PerSecond), fmt.Sprintf("%.1f", c.P50), fmt.Sprintf("%.1f", c.P99),
			c.Refused, c.Unknown, fmt.Sprintf("%.0f", c.ServiceCPU), fmt.Sprintf("%.0f", c.DatabasesCPU), fmt.Sprintf("%.1f", c.CrowdCPU)})
	}
	for _, c := range r.Figures.Cells {
		row(c)
	}
	t.AppendSeparator()
	for _, c := range r.Figures.Echo {
		row(c)
	}
	t.Render()
	printExtras(r.Figures)
	printTargets(r.Targets)
}

func printExtras(f *loadtest.Figures) {
	if f.InsertRows > 0 {
		fmt.Printf("ceilings: raw multi-row insert %.0f rows/s, ", f.InsertRows)
	}
	if f.CAS > 0 {
		fmt.Printf("memcached compare-and-swap %.0f/s", f.CAS)
	}
	o, s, no := f.Overload, f.Steady, f.Refusal
	fmt.Printf("\nopen loop at %.0f opens/s: p50 %.1f ms, p99 %.1f ms, p99.9 %.1f ms\n", f.SteadyOffered, s.Accepted.P50, s.Accepted.P99, s.Accepted.P999)
	fmt.Printf("refusal: %.1f µs of CPU (an open costs %.0f µs, in mode plain %.0f µs, the echo %.1f µs), %.1f %% within 5 ms\n",
		no.ServiceCPU+no.DatabasesCPU, no.OpenCPU, no.PlainOpenCPU, no.EchoCPU, 100*no.Fast)
	fmt.Printf("storm: %.0f/s offered, %.0f/s on the wire, %.0f of %.0f opens/s served, recovered after %.1f s; p99 before %.0f ms, in it %.0f ms\n",
		o.OfferedPerSecond, o.AskedPerSecond, o.Goodput, o.PeakPerSecond, o.RecoverySeconds, o.OrdinaryP99, o.StormP99)
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
