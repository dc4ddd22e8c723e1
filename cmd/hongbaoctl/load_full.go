package main

import (
	"context"

	"hongbao/internal/testbed"
	"hongbao/loadtest/measure"
	"hongbao/loadtest/report"
)

type loadFullCmd struct {
	loadFlags
	Envelopes int `help:"What the hot tables are filled with. No provider has heard of their payments: they are thrown away with the playground that is filled." default:"2000000"`
	Rounds    int `help:"How often each cell is measured, before and after; the median counts." default:"3"`
}

func (l loadFullCmd) Run(ctx context.Context, c *cli) error {
	var r *measure.Full
	err := onOwnGround(ctx, c, testbed.OwnConfig{HeldBack: true}, func(g *testbed.Testbed) (passed bool, err error) {
		cfg := measure.FullConfig{CompareConfig: l.measure(g, c.JSON), Rounds: l.Rounds, Fill: g.Fill}
		if cfg.Past, err = g.Past(l.Envelopes); err != nil {
			return false, err
		}
		if cfg.Ticket, err = g.Ticket(); err != nil {
			return false, err
		}
		if r, err = measure.RunFull(ctx, cfg); err != nil {
			return false, err
		}
		return r.Passed, nil
	})
	if err != nil {
		return err
	}
	return printResult(c, r, r.Passed, func(t report.Text) { t.Full(r) })
}
