package report

import (
	"fmt"
	"io"

	"hongbao/loadtest"
	"hongbao/loadtest/measure"
)

// WriteComparison writes a comparison as one self-contained page.
func WriteComparison(w io.Writer, c *measure.Comparison) error {
	p := &page{Title: "hongbao: open modes compared", Passed: c.Passed,
		Subtitle: fmt.Sprintf("%s · %d CPUs, %s/%s, shared by service, databases and crowd · seed %d · %s",
			c.Durability, c.Machine.CPUs, c.Machine.OS, c.Machine.Arch, c.Seed, c.Started.UTC().Format("2006-01-02 15:04 UTC"))}
	if c.Disturbed() {
		p.Subtitle += fmt.Sprintf(" · disturbed: other programs used %.0f %% of the CPUs meanwhile", 100*c.Strangers)
	}
	if c.Passed {
		p.Sections = append(p.Sections, targetSection(c.Targets), modeSection(c.Figures), ceilingSection(c.Figures), steadySection(c.Figures), stormSection(c.Figures.Overload))
	}
	p.Sections = append(p.Sections, auditSection(c.Verdict, c.Books))
	return p.write(w)
}

func targetSection(targets []measure.Target) section {
	t := pageTable{Name: "Targets", Head: []string{"Ratio", "Target", "Measured", "Verdict", "What"}, texts: []string{"Ratio", "Verdict", "What"}}
	for _, one := range targets {
		want, met := "≥ "+short(one.AtLeast), "met"
		if one.AtMost > 0 {
			want = "≤ " + short(one.AtMost)
		}
		if !one.Met {
			met = "missed"
		}
		t.Rows = append(t.Rows, []string{one.Ratio, want, fmt.Sprintf("%.3g", one.Have), met, one.What})
	}
	return section{Title: "Targets", Tables: []pageTable{t}}
}

func modeSection(f *measure.Figures) section {
	s := section{Title: "Open modes", Text: "New shares a second with a fixed number of callers. plain: one transaction per open, the row lock alone. " +
		"fifo: a queue per envelope in front of it. group: a batch of opens in one transaction."}
	for _, scenario := range []loadtest.Scenario{loadtest.Hot, loadtest.Spread} {
		title := "hot: one envelope after another, new shares a second"
		if scenario == loadtest.Spread {
			title = fmt.Sprintf("spread: %d envelopes, new shares a second", measure.SpreadEnvelopes)
		}
		a := axes{x: "callers", y: "per second"}
		var all []series
		for _, mode := range []string{measure.ModeGroup, measure.ModeFIFO, measure.ModePlain} {
			one := series{name: mode}
			for i, callers := range measure.Callers() {
				y := measure.CellOf(f.Cells, mode, scenario, callers).PerSecond
				one.points = append(one.points, xy{float64(i), y})
				a.yMax = max(a.yMax, y*1.08)
			}
			all = append(all, one)
		}
		for _, callers := range measure.Callers() {
			a.groups = append(a.groups, fmt.Sprint(callers))
		}
		s.Charts = append(s.Charts, bars(title, a, all))
	}
	s.Tables = []pageTable{cellTable("Open modes", f.Cells)}
	return s
}

func cellTable(name string, cells []measure.Cell) pageTable {
	t := pageTable{Name: name, Head: []string{"Scenario", "Callers", "Mode", "Per second", "p50 ms", "p99 ms", "Refused", "Unknown",
		"Service µs", "Databases µs", "Crowd µs"}, texts: []string{"Scenario", "Mode"}}
	for _, c := range cells {
		t.Rows = append(t.Rows, []string{string(c.Scenario), fmt.Sprint(c.Callers), c.Mode, fmt.Sprintf("%.0f", c.PerSecond), short(c.P50), short(c.P99),
			fmt.Sprint(c.Refused), fmt.Sprint(c.Unknown), short(c.ServiceCPU), short(c.DatabasesCPU), short(c.CrowdCPU)})
	}
	return t
}

func ceilingSection(f *measure.Figures) section {
	no := f.Refusal
	s := section{Title: "Ceilings and the price of a no", Tables: []pageTable{cellTable("The echo", f.Echo)},
		Text: fmt.Sprintf("The echo is the same listener, credential and ticket check with a fixed answer. A refusal costs %.1f µs of CPU, the echo %.1f µs, "+
			"an open %.0f µs (in mode plain %.0f µs); beyond HTTP a refusal costs %.1f %% of an open. %.1f %% of the refusals came within %v.",
			no.ServiceCPU+no.DatabasesCPU, no.EchoCPU, no.OpenCPU, no.PlainOpenCPU, 100*no.BeyondHTTPOver, 100*no.Fast, loadtest.RefusedFastMax)}
	if f.InsertRows > 0 || f.CAS > 0 {
		s.Tables = append(s.Tables, pageTable{Name: "Ceilings", Head: []string{"Ceiling", "Per second"}, texts: []string{"Ceiling"}, Rows: [][]string{
			{"rows, raw multi-row insert", fmt.Sprintf("%.0f", f.InsertRows)}, {"memcached compare-and-swap", fmt.Sprintf("%.0f", f.CAS)}}})
	}
	return s
}

func steadySection(f *measure.Figures) section {
	return section{Title: fmt.Sprintf("Latency at %.0f %% of the capacity", 100*measure.SteadyOf),
		Text: fmt.Sprintf("Open loop: %.0f opens a second come whether or not the service keeps up; latency counts from when each was due.", f.SteadyOffered),
		Charts: []chart{latencyChart("accepted opens, ms at each percentile", []string{"accepted"}, []measure.Latency{f.Steady.Accepted}),
			rateChart("answers a second over time", f.Steady.Windows, [2]float64{})}}
}

func stormSection(o *measure.Overload) section {
	storm := [2]float64{o.From, o.To}
	recovered := fmt.Sprintf("recovered after %.1f s", o.RecoverySeconds)
	if o.RecoverySeconds < 0 {
		recovered = fmt.Sprintf("not recovered within %.0f s", o.Measured.Seconds-o.To)
	}
	return section{Title: "Storm", Text: fmt.Sprintf("%.0f opens a second offered (shaded) to a service whose best is %.0f, by clients that ask again at once: "+
		"%.0f requests a second fitted on the wire, %.0f new shares a second were taken (%.0f %% of the best); %s.",
		o.OfferedPerSecond, o.PeakPerSecond, o.AskedPerSecond, o.Goodput, 100*o.Over, recovered),
		Charts: []chart{rateChart("answers a second over time", o.Measured.Windows, storm), p99Chart("p99 of accepted opens over time, ms", o.Measured.Windows, storm)}}
}
