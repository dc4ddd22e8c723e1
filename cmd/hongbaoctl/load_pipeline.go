package main

import (
	"context"
	"io"
	"time"

	"hongbao/internal/testbed"
	"hongbao/loadtest/measure"
	"hongbao/loadtest/report"
)

type loadPipelineCmd struct {
	loadFlags
	Duration time.Duration `help:"Of the load that is sustained." default:"3m"`
	Share    float64       `help:"Of the peak of opens alone, that is aimed at." default:"0.5"`
	HTML     string        `help:"Write the report as one self-contained page." name:"html" type:"path"`
}

// pipelineLife is how long envelopes live whose refunds are measured.
const pipelineLife = 10 * time.Second

// Run measures on a playground of its own: what opens leave behind is carried out
// there, and whatever still waits at the end is thrown away with it.
func (l loadPipelineCmd) Run(ctx context.Context, c *cli) error {
	var r *measure.Pipeline
	err := onOwnGround(ctx, c, testbed.OwnConfig{SamePayouts: true}, func(g *testbed.Testbed) (passed bool, err error) {
		cfg := measure.PipelineConfig{CompareConfig: l.measure(g, c.JSON), Payouts: g.Payouts(), Count: g.Bounds().CountMax, Share: l.Share, For: l.Duration,
			Short:     func(ctx context.Context) (*measure.Server, error) { return g.StartShort(ctx, pipelineLife) },
			ShortLife: pipelineLife, HoldBack: g.HoldBack, Backlog: g.Backlog, Delays: g.Delays, ProviderCPU: g.ProviderCPU, Signature: testbed.SignatureCost}
		cfg.HeldBack = false // while the peak is measured, and then no more
		if cfg.Server, err = g.OwnServer(ctx); err != nil {
			return false, err
		}
		if r, err = measure.RunPipeline(ctx, cfg); err != nil {
			return false, err
		}
		return r.Passed, nil
	})
	if err != nil {
		return err
	}
	if err := writeHTML(l.HTML, func(w io.Writer) error { return report.WritePipeline(w, r) }); err != nil {
		return err
	}
	return printResult(c, r, r.Passed, func(t report.Text) { t.Pipeline(r) })
}
