package report

import (
	"fmt"
	"io"

	"hongbao/loadtest/measure"
)

// WritePipeline writes a pipeline as one self-contained page.
func WritePipeline(w io.Writer, r *measure.Pipeline) error {
	p := &page{Title: "hongbao: what follows from opens", Passed: r.Passed,
		Subtitle: fmt.Sprintf("%s · %d CPUs, %s/%s, shared by service, databases, provider and crowd · seed %d · %s",
			r.Durability, r.Machine.CPUs, r.Machine.OS, r.Machine.Arch, r.Seed, r.Started.UTC().Format("2006-01-02 15:04 UTC"))}
	if r.Passed {
		p.Sections = append(p.Sections, targetSection(r.Targets), phaseSection("Sustained", r.Main), phaseSection("Aimed at", r.Target), limitSection(r))
	}
	p.Sections = append(p.Sections, auditSection(r.Verdict, r.Books))
	return p.write(w)
}

func phaseSection(title string, r *measure.Phase) section {
	bounded := "its backlog stayed bounded"
	if !r.Bounded {
		bounded = "its backlog grew without bound"
	}
	return section{Title: fmt.Sprintf("%s: %.0f opens a second", title, r.Rate),
		Text: fmt.Sprintf("Offered for %.0f s; %s. %.0f opens a second, drained within %.1f s; %.0f payouts a second over both. "+
			"Commit to first call of the provider: p99 %.0f ms. Callbacks answered: p50 %.1f ms, p99 %.1f ms.",
			r.Seconds, bounded, r.OpensPerSecond, r.DrainSeconds, r.Carried, r.FirstCall.P99, r.Callback.P50, r.Callback.P99),
		Charts: []chart{backlogChart(r.Samples), latencyChart("opens, ms at each percentile", []string{"opens"}, []measure.Latency{r.Opens})}}
}

// backlogChart is what waited, over time.
func backlogChart(samples []measure.PhaseTick) chart {
	all := []series{{name: "transfers"}, {name: "to be spread"}, {name: "books"}, {name: "events"}}
	a := axes{x: "s", y: "waiting", yMax: 1, xMax: 1}
	for _, s := range samples {
		for k, n := range [...]int{s.Transfers, s.Outbox, s.Books, s.Events} {
			all[k].points = append(all[k].points, xy{s.At, float64(n)})
			a.yMax = max(a.yMax, float64(n))
		}
		a.xMax = max(a.xMax, s.At)
	}
	a.xTicks = evenTicks(a.xMax, 8)
	return lines("the backlog over time", a, all)
}

func limitSection(r *measure.Pipeline) section {
	t := pageTable{Name: "Loads", Head: []string{"Offered/s", "Opens/s", "Bounded", "Backlog most", "At end", "Payouts/s", "Service", "Databases", "Provider", "Crowd"}, texts: []string{"Bounded"}}
	for _, one := range append(append([]*measure.Phase{r.Target}, r.Probes...), r.Main) {
		t.Rows = append(t.Rows, []string{short(one.Rate), short(one.OpensPerSecond), fmt.Sprint(one.Bounded), fmt.Sprint(one.BacklogMost.Total()),
			fmt.Sprint(one.BacklogEnd.Total()), short(one.Carried), percent(one.CPU.Service), percent(one.CPU.Databases), percent(one.CPU.Provider), percent(one.CPU.Crowd)})
	}
	return section{Title: "What limits it", Tables: []pageTable{t, cellTable("Opens alone", []measure.Cell{*r.Peak})},
		Text: fmt.Sprintf("Every call of the provider, every answer and every callback carries an RSA-2048 signature of %.2f ms, made and verified on this machine: "+
			"the signatures alone are %.0f %% of it at the sustained rate.", r.SignatureMs, 100*r.Ratios[measure.RatioSignatures])}
}

func percent(share float64) string { return fmt.Sprintf("%.0f %%", 100*share) }
