package report

import (
	"fmt"

	"hongbao/loadtest"
	"hongbao/loadtest/measure"
)

// Comparison writes a comparison of the open modes.
func (t Text) Comparison(c *measure.Comparison) {
	t.session(&c.Session, func() {
		t.cells(c.Figures.Cells, c.Figures.Echo)
		t.extras(c.Figures)
		t.targets(c.Targets)
	})
}

func (t Text) extras(f *measure.Figures) {
	if f.InsertRows > 0 {
		t.printf("ceilings: raw multi-row insert %.0f rows/s, ", f.InsertRows)
	}
	if f.CAS > 0 {
		t.printf("memcached compare-and-swap %.0f/s", f.CAS)
	}
	s, no := f.Steady, f.Refusal
	t.printf("\nopen loop at %.0f opens/s: p50 %.1f ms, p99 %.1f ms, p99.9 %.1f ms\n", f.SteadyOffered, s.Accepted.P50, s.Accepted.P99, s.Accepted.P999)
	t.printf("refusal: %.1f µs of CPU (an open costs %.0f µs, in mode plain %.0f µs, the echo %.1f µs), %.1f %% within 5 ms\n",
		no.ServiceCPU+no.DatabasesCPU, no.OpenCPU, no.PlainOpenCPU, no.EchoCPU, 100*no.Fast)
	t.storm(f.Overload)
}

// Cell writes the rounds of one cell.
func (t Text) Cell(r *measure.CellRun) {
	t.session(&r.Session, func() {
		s := r.Series
		t.cells(s.Cells)
		if len(s.Cells) > 1 {
			t.printf("median %.0f opens/s, of %d rounds from %.0f to %.0f\n", s.Median, len(s.Cells), s.Lowest, s.Highest)
		}
	})
}

// Storm writes a storm and the capacity it is held against.
func (t Text) Storm(r *measure.StormRun) {
	t.session(&r.Session, func() {
		t.cells([]measure.Cell{*r.Capacity})
		t.storm(r.Storm)
	})
}

const mebi = 1 << 20

// Full writes what filled tables change.
func (t Text) Full(r *measure.Full) { t.session(&r.Session, func() { t.full(r) }) }

func (t Text) full(r *measure.Full) {
	f := r.Figures
	t.cells(f.SpreadEmpty.Cells, f.HotEmpty.Cells, f.SpreadFull.Cells, f.HotFull.Cells)
	for _, one := range []struct {
		what        string
		empty, full *measure.Series
	}{{"spread", f.SpreadEmpty, f.SpreadFull}, {"hot", f.HotEmpty, f.HotFull}} {
		t.printf("%s: median %.0f opens/s (%.0f to %.0f) before the fill, %.0f (%.0f to %.0f) after\n", one.what,
			one.empty.Median, one.empty.Lowest, one.empty.Highest, one.full.Median, one.full.Lowest, one.full.Highest)
	}
	for _, s := range r.Stocks {
		t.printf("SET %s: filled with %d envelopes and %d shares, %d MiB before, %d MiB after\n", s.Set, s.Envelopes, s.Shares, s.Before/mebi, s.After/mebi)
	}
	t.printf("fill: %d envelopes in %.0f s\n", r.Envelopes, r.FillSeconds)
	i, w := f.Idle, f.Warm
	t.printf("hongbaod around the fill: RSS %d MiB, then %d MiB; heap %.1f MiB, then %.1f MiB\n",
		i.Before.RSS/mebi, i.After.RSS/mebi, float64(i.Before.Heap)/mebi, float64(i.After.Heap)/mebi)
	t.printf("warm: %.0f bytes of heap an envelope and %.0f a share; asked for %d envelopes, it remembered %d at most, RSS at most %d MiB\n",
		w.EnvelopeBytes, w.ShareBytes, w.Asked, w.WarmMost, w.RSSMost/mebi)
	t.targets(r.Targets)
}

// Runs writes the runs of scenarios.
func (t Text) Runs(r *measure.Runs) {
	all := &loadtest.Verdict{}
	for _, one := range r.Runs {
		t.printf("%s, open mode %s (%s), plan %s from seed %d\n", one.Plan.Scenario, one.OpenMode, one.Durability, one.Digest, one.Plan.Seed)
		all.Join(one.Verdict)
	}
	t.audit(all, r.Books)
	if !r.Passed {
		t.failed()
		return
	}
	w := t.table("scenario", "open mode", "offered/s", "opens/s", "sends/s", "p50 ms", "p99 ms", "p99.9 ms", "refused fast", "slow", "unknown")
	for _, one := range r.Runs {
		m := one.Measured
		w.AppendRow([]any{one.Plan.Scenario, one.OpenMode, fmt.Sprintf("%.0f", float64(m.Arrivals)/m.Seconds), fmt.Sprintf("%.0f", m.OpensPerSecond),
			fmt.Sprintf("%.0f", m.SendsPerSecond), fmt.Sprintf("%.1f", m.Accepted.P50), fmt.Sprintf("%.1f", m.Accepted.P99), fmt.Sprintf("%.1f", m.Accepted.P999),
			m.Counts.RefusedFast, m.Counts.RefusedSlow, m.Counts.Unknown})
	}
	w.Render()
	t.printf("%d CPUs for service, databases and crowd; latency counts from when a request was due\n", r.Machine.CPUs)
}
