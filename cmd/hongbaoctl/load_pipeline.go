package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"hongbao/envelope"
	"hongbao/internal/settings"
	"hongbao/loadtest"
	"hongbao/orderset"
)

type loadPipelineCmd struct {
	loadFlags
	Duration time.Duration `help:"Of the load that is sustained." default:"3m"`
	Share    float64       `help:"Of the peak of opens alone, that is aimed at." default:"0.5"`
	HTML     string        `help:"Write the report as one self-contained page." name:"html" type:"path"`
}

// pipelineLife is how long envelopes live whose refunds are measured.
const pipelineLife = 10 * time.Second

func (l loadPipelineCmd) Run(ctx context.Context, c *cli) error {
	g, err := findGround(c.Config)
	if err != nil {
		return err
	}
	if life := g.settings.Bounds().Life; life < 2*l.Duration {
		return fmt.Errorf("load pipeline: envelopes of this playground live for %v, which the measurement would outlast; start one with a longer --life", life)
	}
	cfg := loadtest.PipelineConfig{CompareConfig: l.measure(g, c.JSON), Payouts: cmp.Or(g.settings.Payment.Payouts, settings.PayoutBills), Count: g.settings.Bounds().CountMax, Share: l.Share, For: l.Duration,
		Short: g.startShort, ShortLife: pipelineLife, HoldBack: g.holdBack, Backlog: g.backlog, Delays: g.delays,
		ProviderCPU: g.providerCPU, Signature: signatureCost}
	cfg.HeldBack = false // while the peak is measured, and then no more
	if cfg.Server, err = g.ownServer(ctx); err != nil {
		return err
	}
	r, err := loadtest.MeasurePipeline(ctx, cfg)
	if err != nil {
		return err
	}
	if err := writeHTML(l.HTML, r.WriteHTML); err != nil {
		return err
	}
	return printSession(c, r, &r.Session, func() { printPipeline(r) })
}

// startShort starts a hongbaod of our own whose envelopes soon expire.
func (g *ground) startShort(ctx context.Context) (*loadtest.Server, error) {
	return g.startChanged(ctx, "short", loadtest.ModeGroup, func(s *settings.Settings) { s.Limits.Life = pipelineLife })
}

// backlog adds up what all SETs owe.
func (g *ground) backlog(ctx context.Context) (b loadtest.Backlog, err error) {
	sets, err := g.outbox(ctx)
	for _, set := range sets {
		for _, t := range set.Topics {
			switch t.Topic {
			case orderset.TopicOutbox:
				b.Outbox += t.Pending
			case orderset.TopicTransfer:
				b.Transfers += t.Pending
			case string(envelope.TopicBook):
				b.Books, b.BooksMs = b.Books+t.Pending, max(b.BooksMs, t.OldestMs)
			case string(envelope.TopicEvent):
				b.Events, b.EventsMs = b.Events+t.Pending, max(b.EventsMs, t.OldestMs)
			}
		}
	}
	return b, err
}

// delays reads the histograms of the playground's hongbaod.
func (g *ground) delays(ctx context.Context) (d loadtest.Delays, err error) {
	o, err := g.operator(g.report.Operator)
	if err != nil {
		return d, err
	}
	metrics, err := o.Metrics(ctx)
	if err != nil {
		return d, err
	}
	if d.FirstCall, err = histogram(metrics, "hongbao_relay_first_call_seconds", ""); err != nil {
		return d, err
	}
	if d.Call, err = histogram(metrics, "hongbao_payment_call_seconds", ""); err != nil {
		return d, err
	}
	d.Callback, err = histogram(metrics, "hongbao_http_request_seconds", `route="/v1/payment/notifications"`)
	return d, err
}

// histogram is a histogram summed over its labels, where one of them is as
// given; "" stands for all. One that has counted nothing yet has no buckets.
func histogram(metrics []byte, name, label string) (b loadtest.Buckets, err error) {
	counts := map[float64]float64{}
	for line := range bytes.Lines(metrics) {
		rest, ours := strings.CutPrefix(string(line), name+"_bucket{")
		labels, value, _ := strings.Cut(rest, "} ")
		_, bound, bounded := strings.Cut(labels, `le="`)
		if !ours || !bounded || !strings.Contains(labels, label) {
			continue
		}
		bound, _, _ = strings.Cut(bound, `"`)
		le, err := strconv.ParseFloat(bound, 64)
		if err != nil {
			return b, fmt.Errorf("metric %s: le: %w", name, err)
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil {
			return b, fmt.Errorf("metric %s: %w", name, err)
		}
		counts[le] += n
	}
	for le := range counts {
		b.Bounds = append(b.Bounds, le)
	}
	slices.Sort(b.Bounds)
	for _, le := range b.Bounds {
		b.Counts = append(b.Counts, counts[le])
	}
	if n := len(b.Bounds); n > 0 && !math.IsInf(b.Bounds[n-1], 1) {
		return b, fmt.Errorf("metric %s: no bucket +Inf", name)
	}
	return b, nil
}

// providerCPU is what the playground's simulator has used so far.
func (g *ground) providerCPU() (time.Duration, error) {
	i := slices.IndexFunc(g.report.Processes, func(p processInfo) bool { return p.Name == "paysim" })
	if i < 0 {
		return 0, fmt.Errorf("playground.json names no paysim")
	}
	return loadtest.ProcessCPU(g.report.Processes[i].PID)
}

// signatureCost is the time of one RSA-2048 signature, the median of some.
func signatureCost() (time.Duration, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return 0, err
	}
	digest := sha256.Sum256([]byte("hongbao"))
	times := make([]time.Duration, 51)
	for i := range times {
		start := time.Now()
		if _, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:]); err != nil {
			return 0, err
		}
		times[i] = time.Since(start)
	}
	slices.Sort(times)
	return times[len(times)/2], nil
}

func printPipeline(r *loadtest.Pipeline) {
	printCells([]loadtest.Cell{*r.Peak})
	t := newTable("load", "offered/s", "opens/s", "for s", "bounded", "backlog most", "at end", "drained in s", "payouts/s", "commit to call p99 ms", "callback p50 ms", "p99 ms")
	for i, one := range slices.Concat([]*loadtest.Phase{r.Target}, r.Probes, []*loadtest.Phase{r.Main}) {
		name := "probe"
		switch i {
		case 0:
			name = "aimed at"
		case 1 + len(r.Probes):
			name = "sustained"
		}
		t.AppendRow([]any{name, fmt.Sprintf("%.0f", one.Rate), fmt.Sprintf("%.0f", one.OpensPerSecond), fmt.Sprintf("%.0f", one.Seconds), one.Bounded,
			one.BacklogMost.Total(), one.BacklogEnd.Total(), fmt.Sprintf("%.1f", one.DrainSeconds), fmt.Sprintf("%.0f", one.Carried),
			fmt.Sprintf("%.0f", one.FirstCall.P99), fmt.Sprintf("%.1f", one.Callback.P50), fmt.Sprintf("%.1f", one.Callback.P99)})
	}
	t.Render()
	m, cpu := r.Main, r.Main.CPU
	fmt.Printf("sustained: books at most %.1f s behind, events %.1f s; opens p50 %.1f ms, p99 %.1f ms\n",
		float64(m.BacklogMost.BooksMs)/1e3, float64(m.BacklogMost.EventsMs)/1e3, m.Opens.P50, m.Opens.P99)
	fmt.Printf("the machine meanwhile: service %.0f %%, databases %.0f %%, simulated provider %.0f %%, crowd %.0f %%\n",
		100*cpu.Service, 100*cpu.Databases, 100*cpu.Provider, 100*cpu.Crowd)
	fmt.Printf("payouts by %s: %.0f payouts/s in %.0f calls of the provider: the RSA-2048 signatures of calls, answers and callbacks, %.2f ms each, are %.0f %% of the machine\n",
		r.Payouts, m.Carried, m.Call.Count, r.SignatureMs, 100*r.Ratios[loadtest.RatioSignatures])
	fmt.Printf("refunds: posted %.1f s after expiry (p50), %.1f s (p99)\n", r.Refund.P50/1e3, r.Refund.P99/1e3)
	printTargets(r.Targets)
}
