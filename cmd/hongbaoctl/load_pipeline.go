package main

import (
	"cmp"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"time"

	"hongbao/envelope"
	"hongbao/internal/settings"
	"hongbao/loadtest/measure"
	"hongbao/loadtest/report"
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
	cfg := measure.PipelineConfig{CompareConfig: l.measure(g, c.JSON), Payouts: cmp.Or(g.settings.Payment.Payouts, settings.PayoutBills), Count: g.settings.Bounds().CountMax, Share: l.Share, For: l.Duration,
		Short: g.startShort, ShortLife: pipelineLife, HoldBack: g.holdBack, Backlog: g.backlog, Delays: g.delays,
		ProviderCPU: g.providerCPU, Signature: signatureCost}
	cfg.HeldBack = false // while the peak is measured, and then no more
	if cfg.Server, err = g.ownServer(ctx); err != nil {
		return err
	}
	r, err := measure.RunPipeline(ctx, cfg)
	if err != nil {
		return err
	}
	if err := writeHTML(l.HTML, func(w io.Writer) error { return report.WritePipeline(w, r) }); err != nil {
		return err
	}
	return printResult(c, r, r.Passed, func(t report.Text) { t.Pipeline(r) })
}

// startShort starts a hongbaod of our own whose envelopes soon expire.
func (g *ground) startShort(ctx context.Context) (*measure.Server, error) {
	return g.startChanged(ctx, "short", measure.ModeGroup, func(s *settings.Settings) { s.Limits.Life = pipelineLife })
}

// backlog adds up what all SETs owe.
func (g *ground) backlog(ctx context.Context) (b measure.Backlog, err error) {
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
func (g *ground) delays(ctx context.Context) (d measure.Delays, err error) {
	o, err := g.operator(g.report.Operator)
	if err != nil {
		return d, err
	}
	page, err := o.Metrics(ctx)
	if err != nil {
		return d, err
	}
	metrics, err := measure.ParseMetrics(page)
	if err != nil {
		return d, err
	}
	if d.FirstCall, err = metrics.Histogram("hongbao_relay_first_call_seconds", "", ""); err != nil {
		return d, err
	}
	if d.Call, err = metrics.Histogram("hongbao_payment_call_seconds", "", ""); err != nil {
		return d, err
	}
	d.Callback, err = metrics.Histogram("hongbao_http_request_seconds", "route", "/v1/payment/notifications")
	return d, err
}

// providerCPU is what the playground's simulator has used so far.
func (g *ground) providerCPU() (time.Duration, error) {
	i := slices.IndexFunc(g.report.Processes, func(p processInfo) bool { return p.Name == "paysim" })
	if i < 0 {
		return 0, fmt.Errorf("playground.json names no paysim")
	}
	return measure.ProcessCPU(g.report.Processes[i].PID)
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
