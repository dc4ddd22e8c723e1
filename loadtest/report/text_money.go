package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"hongbao/loadtest/measure"
	"hongbao/loadtest/soak"
)

// Pipeline writes what a machine carries out of what opens leave behind.
func (t Text) Pipeline(r *measure.Pipeline) { t.session(&r.Session, func() { t.pipeline(r) }) }

func (t Text) pipeline(r *measure.Pipeline) {
	t.cells([]measure.Cell{*r.Peak})
	w := t.table("load", "offered/s", "opens/s", "for s", "bounded", "backlog most", "at end", "drained in s", "payouts/s", "commit to call p99 ms", "callback p50 ms", "p99 ms")
	for i, one := range slices.Concat([]*measure.Phase{r.Target}, r.Probes, []*measure.Phase{r.Main}) {
		name := "probe"
		switch i {
		case 0:
			name = "aimed at"
		case 1 + len(r.Probes):
			name = "sustained"
		}
		w.AppendRow([]any{name, fmt.Sprintf("%.0f", one.Rate), fmt.Sprintf("%.0f", one.OpensPerSecond), fmt.Sprintf("%.0f", one.Seconds), one.Bounded,
			one.BacklogMost.Total(), one.BacklogEnd.Total(), fmt.Sprintf("%.1f", one.DrainSeconds), fmt.Sprintf("%.0f", one.Carried),
			fmt.Sprintf("%.0f", one.FirstCall.P99), fmt.Sprintf("%.1f", one.Callback.P50), fmt.Sprintf("%.1f", one.Callback.P99)})
	}
	w.Render()
	m, cpu := r.Main, r.Main.CPU
	t.printf("sustained: books at most %.1f s behind, events %.1f s; opens p50 %.1f ms, p99 %.1f ms\n",
		float64(m.BacklogMost.BooksMs)/1e3, float64(m.BacklogMost.EventsMs)/1e3, m.Opens.P50, m.Opens.P99)
	t.printf("the machine meanwhile: service %.0f %%, databases %.0f %%, simulated provider %.0f %%, crowd %.0f %%\n",
		100*cpu.Service, 100*cpu.Databases, 100*cpu.Provider, 100*cpu.Crowd)
	t.printf("payouts by %s: %.0f payouts/s in %.0f calls of the provider: the RSA-2048 signatures of calls, answers and callbacks, %.2f ms each, are %.0f %% of the machine\n",
		r.Payouts, m.Carried, m.Call.Count, r.SignatureMs, 100*r.Ratios[measure.RatioSignatures])
	t.printf("refunds: posted %.1f s after expiry (p50), %.1f s (p99)\n", r.Refund.P50/1e3, r.Refund.P99/1e3)
	t.targets(r.Targets)
}

// Soak writes a soak and what became of its money.
func (t Text) Soak(r *soak.Result) {
	t.audit(r.Verdict, r.Reckoning.Books)
	k := r.Reckoning
	w := t.table("what", "count", "fen")
	row := func(what string, count, fen any) { w.AppendRow([]any{what, count, fen}) }
	row("envelopes sent", r.Fates.Sent, "")
	row("  never paid", r.Fates.Unpaid, "")
	row("  paid at the last moment", r.Fates.Late, "")
	row("shares opened", r.Answers.Opened, "")
	w.AppendSeparator()
	for _, state := range slices.Sorted(maps.Keys(k.States)) {
		row("envelopes "+string(state), k.States[state], "")
	}
	row("payouts posted", k.Payouts.Count, int64(k.Payouts.Fen))
	row("refunds posted", k.Refunds.Count, int64(k.Refunds.Fen))
	row("facts told to the IM backend", k.Received.Active+k.Received.Shares+k.Received.Finished+k.Received.Refunded, "")
	w.AppendSeparator()
	for _, reason := range soak.Reasons(r.Held) {
		row("held in this soak: "+reason, r.Held[reason].Count, int64(r.Held[reason].Fen))
	}
	for _, lie := range slices.Sorted(maps.Keys(r.Explained)) {
		row("disputes about "+lie, r.Explained[lie], "")
	}
	if r.Bugs {
		row("numbers that moved twice, found", len(r.MovedTwice), "")
	}
	w.Render()
	t.lies(r.Simulated)
	for _, note := range r.Notes {
		fmt.Fprintln(t.Out, "note:", note)
	}
	for _, one := range r.Findings {
		fmt.Fprintln(t.Err, "  ", one)
	}
	t.printf("%s; %d CPUs, %.0f s, plan %s from seed %d; nothing was owed %.0f s after the last request\n",
		r.Durability, r.Machine.CPUs, r.Seconds, r.Digest, r.Seed, r.DrainedIn)
	if r.Passed {
		fmt.Fprintln(t.Out, "provider, orders, users' books and events agree; everything else is explained by the lies that were told")
	} else {
		fmt.Fprintf(t.Err, "%d differences that no lie explains\n", len(r.Findings))
	}
}

func (t Text) lies(told map[string]int64) {
	if len(told) == 0 {
		fmt.Fprintln(t.Out, "no lie was told")
		return
	}
	var words []string
	for _, lie := range slices.Sorted(maps.Keys(told)) {
		words = append(words, fmt.Sprintf("%s %d", lie, told[lie]))
	}
	fmt.Fprintln(t.Out, "lies told:", strings.Join(words, ", "))
}
