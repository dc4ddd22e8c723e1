package report

import (
	"fmt"
	"io"

	"hongbao/loadtest"
	"hongbao/loadtest/measure"
)

// WriteRuns writes runs as one self-contained page.
func WriteRuns(w io.Writer, r *measure.Runs) error {
	p := &page{Title: "hongbao: load runs", Passed: r.Passed,
		Subtitle: fmt.Sprintf("%d CPUs, %s/%s, shared by service, databases and crowd", r.Machine.CPUs, r.Machine.OS, r.Machine.Arch)}
	for _, one := range r.Runs {
		if r.Passed {
			p.Sections = append(p.Sections, runSection(one))
		}
		audit := auditSection(one.Verdict, nil)
		audit.Title = fmt.Sprintf("Audit of %s, open mode %s", one.Plan.Scenario, one.OpenMode)
		p.Sections = append(p.Sections, audit)
	}
	if len(r.Books) > 0 {
		books := auditSection(&loadtest.Verdict{}, r.Books)
		books.Title, books.Text = "Books", "Every row of every SET, read when the load was over."
		p.Sections = append(p.Sections, books)
	}
	return p.write(w)
}

func runSection(r *measure.Result) section {
	m := r.Measured
	latencies, names := []measure.Latency{m.Accepted, m.Served}, []string{"one request", "retries included"}
	if m.Sends != nil {
		latencies, names = append(latencies, *m.Sends), append(names, "send")
	}
	c := m.Counts
	answers := pageTable{Name: "Answers", Head: []string{"Asked", "Opened", "Already opened", "Empty", "Refused fast", "Refused slow", "Unknown", "Unreached", "Unsent", "Sent envelopes"},
		Rows: [][]string{{fmt.Sprint(c.Asked), fmt.Sprint(c.Opened), fmt.Sprint(c.AlreadyOpened), fmt.Sprint(c.Empty), fmt.Sprint(c.RefusedFast),
			fmt.Sprint(c.RefusedSlow), fmt.Sprint(c.Unknown), fmt.Sprint(c.Unreached), fmt.Sprint(m.Unsent), fmt.Sprint(c.Sent)}}}
	return section{Title: fmt.Sprintf("%s, open mode %s", r.Plan.Scenario, r.OpenMode),
		Text: fmt.Sprintf("%s. Open loop over %d connections, %.0f s; plan %s from seed %d. %.0f new shares a second; p99 of accepted opens %.1f ms.",
			r.Durability, m.Callers, m.Seconds, r.Digest, r.Plan.Seed, m.OpensPerSecond, m.Accepted.P99),
		Charts: []chart{latencyChart("latency from when it was due, ms at each percentile", names, latencies), rateChart("answers a second over time", m.Windows, [2]float64{})},
		Tables: []pageTable{answers}}
}
