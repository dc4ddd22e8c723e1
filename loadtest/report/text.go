package report

import (
	"fmt"
	"io"

	"github.com/jedib0t/go-pretty/v6/table"

	"hongbao/loadtest"
	"hongbao/loadtest/measure"
)

// Text writes results for people: figures to Out, and what was found wrong to Err.
type Text struct {
	Out, Err io.Writer
}

func (t Text) printf(format string, args ...any) { fmt.Fprintf(t.Out, format, args...) }

// table is a plain table on Out.
func (t Text) table(header ...any) table.Writer {
	w := table.NewWriter()
	w.SetOutputMirror(t.Out)
	w.SetStyle(table.StyleLight)
	w.AppendHeader(header)
	return w
}

// session writes the audit of a measurement, and its conditions and figures if
// there is nothing to withhold.
func (t Text) session(s *measure.Session, figures func()) {
	t.audit(s.Verdict, s.Books)
	if !s.Passed {
		t.failed()
		return
	}
	t.conditions(s)
	figures()
}

// audit says what was found in the answers and in the books. A failed audit is all
// there is to say about a run.
func (t Text) audit(v *loadtest.Verdict, books []measure.Books) {
	t.printf("audit: %d requests, %d envelopes, %d shares, %d draws recomputed, %d of unknown outcome resolved: %d violations\n",
		v.Requests, v.Envelopes, v.Shares, v.DrawsVerified, v.UnknownTaken+v.UnknownUntaken, len(v.Violations))
	for _, one := range v.Violations {
		fmt.Fprintln(t.Err, "  ", one)
	}
	for _, one := range v.Samples {
		fmt.Fprintln(t.Err, "   answered:", one)
	}
	for _, b := range books {
		t.printf("books of SET %s: %d envelopes, %d shares, paid %v = opened %v + refunded %v + remaining %v: %d violations\n",
			b.Set, b.Envelopes, b.Shares, b.Paid, b.Opened, b.Refunded, b.Remaining, len(b.Violations))
		for _, one := range b.Violations {
			fmt.Fprintln(t.Err, "  ", one)
		}
	}
}

func (t Text) failed() {
	fmt.Fprintln(t.Err, "The audit failed: a service that answers wrongly has no throughput worth printing.")
}

func (t Text) conditions(s *measure.Session) {
	t.printf("%s; %d CPUs (%s/%s), %.0f s, seed %d\n", s.Durability, s.Machine.CPUs, s.Machine.OS, s.Machine.Arch, s.Seconds, s.Seed)
	if s.HeldBack {
		t.printf("payouts, books and events were held back meanwhile: these are opens alone\n")
	}
	if s.Disturbed() {
		t.printf("disturbed: other programs used %.0f %% of the CPUs while measuring; the figures are too low and the ratios noise\n", 100*s.Strangers)
	}
}

// cells is a table of groups of cells.
func (t Text) cells(groups ...[]measure.Cell) {
	w := t.table("scenario", "callers", "open mode", "opens/s", "p50 ms", "p99 ms", "refused", "unknown", "service us", "databases us", "crowd us")
	for _, cells := range groups {
		for _, c := range cells {
			w.AppendRow([]any{c.Scenario, c.Callers, c.Mode, fmt.Sprintf("%.0f", c.PerSecond), fmt.Sprintf("%.1f", c.P50), fmt.Sprintf("%.1f", c.P99),
				c.Refused, c.Unknown, fmt.Sprintf("%.0f", c.ServiceCPU), fmt.Sprintf("%.0f", c.DatabasesCPU), fmt.Sprintf("%.1f", c.CrowdCPU)})
		}
		w.AppendSeparator()
	}
	w.Render()
}

func (t Text) storm(o *measure.Overload) {
	t.printf("storm: %.0f/s offered, %.0f/s on the wire, %.0f of %.0f opens/s served, recovered after %.1f s; p99 before %.0f ms, in it %.0f ms\n",
		o.OfferedPerSecond, o.AskedPerSecond, o.Goodput, o.PeakPerSecond, o.RecoverySeconds, o.OrdinaryP99, o.StormP99)
}

func (t Text) targets(targets []measure.Target) {
	w := t.table("ratio", "target", "measured", "", "what")
	for _, one := range targets {
		want, met := fmt.Sprintf("≥ %g", one.AtLeast), "met"
		if one.AtMost > 0 {
			want = fmt.Sprintf("≤ %g", one.AtMost)
		}
		if !one.Met {
			met = "missed"
		}
		w.AppendRow([]any{one.Ratio, want, fmt.Sprintf("%.3g", one.Have), met, one.What})
	}
	w.Render()
}
