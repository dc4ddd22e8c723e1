package main

import (
	"context"
	"io"

	"hongbao/internal/testbed"
	"hongbao/loadtest/measure"
	"hongbao/loadtest/report"
)

type loadCompareCmd struct {
	loadFlags
	HTML string `help:"Write the report as one self-contained page." name:"html" type:"path"`
}

func (l loadCompareCmd) Run(ctx context.Context, c *cli) error {
	var result *measure.Comparison
	err := onOwnGround(ctx, c, testbed.OwnConfig{HeldBack: true}, func(g *testbed.Testbed) (passed bool, err error) {
		cfg := l.measure(g, c.JSON)
		cfg.InsertCeiling, cfg.CASCeiling = g.InsertCeiling, g.CASCeiling
		if result, err = measure.Compare(ctx, cfg); err != nil {
			return false, err
		}
		return result.Passed, nil
	})
	if err != nil {
		return err
	}
	if err := writeHTML(l.HTML, func(w io.Writer) error { return report.WriteComparison(w, result) }); err != nil {
		return err
	}
	return printResult(c, result, result.Passed, func(t report.Text) { t.Comparison(result) })
}
