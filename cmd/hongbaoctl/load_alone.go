package main

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"hongbao/internal/testbed"
	"hongbao/loadtest"
	"hongbao/loadtest/measure"
	"hongbao/loadtest/report"
)

// loadFlags are those of every verb that measures in mode group or in one mode.
type loadFlags struct {
	Seed    uint64 `help:"Of the plans: the same seed wants the same envelopes, amounts and people." default:"20260216"`
	NoBooks bool   `help:"Do not read every row of the databases at the end."`
	Hurry   int    `help:"Divide every measured time, to see that it works; the figures then mean little." default:"1"`
}

// measure is what the flags ask of an environment.
func (l loadFlags) measure(g *testbed.Testbed, quiet bool) measure.CompareConfig {
	cfg := measure.CompareConfig{Seed: l.Seed, Key: loadKey(), Users: g.Users, Least: g.Bounds().ShareMin, Start: g.StartServer,
		Books: g.Books, Progress: loadProgress(quiet), Hurry: l.Hurry, HeldBack: true}
	if l.NoBooks {
		cfg.Books = nil
	}
	return cfg
}

type loadCellCmd struct {
	loadFlags
	OpenMode string        `help:"group, fifo or plain." default:"group" enum:"group,fifo,plain"`
	Scenario string        `help:"hot or spread." default:"spread" enum:"hot,spread"`
	Callers  int           `help:"Each with one request at a time." default:"200"`
	Rounds   int           `help:"How often it is measured; the median counts." default:"1"`
	Duration time.Duration `help:"Measured in each round." default:"4s"`
	Profile  string        `help:"Save a CPU profile of hongbaod for each round into this directory; read them with go tool pprof." type:"path"`
}

func (l loadCellCmd) Run(ctx context.Context, c *cli) error {
	cfg := measure.CellConfig{Mode: l.OpenMode, Scenario: loadtest.Scenario(l.Scenario), Callers: l.Callers, Rounds: l.Rounds, For: l.Duration}
	if l.Profile != "" {
		if err := os.MkdirAll(l.Profile, 0o755); err != nil {
			return err
		}
		cfg.Profile = func(name string, cpu []byte) error {
			return os.WriteFile(filepath.Join(l.Profile, name+".pprof"), cpu, 0o644)
		}
	}
	var r *measure.CellRun
	err := onOwnGround(ctx, c, testbed.OwnConfig{HeldBack: true}, func(g *testbed.Testbed) (passed bool, err error) {
		cfg.CompareConfig = l.measure(g, c.JSON)
		if r, err = measure.RunCell(ctx, cfg); err != nil {
			return false, err
		}
		return r.Passed, nil
	})
	if err != nil {
		return err
	}
	return printResult(c, r, r.Passed, func(t report.Text) { t.Cell(r) })
}

type loadStormCmd struct{ loadFlags }

func (l loadStormCmd) Run(ctx context.Context, c *cli) error {
	var r *measure.StormRun
	err := onOwnGround(ctx, c, testbed.OwnConfig{HeldBack: true}, func(g *testbed.Testbed) (passed bool, err error) {
		if r, err = measure.RunStorm(ctx, l.measure(g, c.JSON)); err != nil {
			return false, err
		}
		return r.Passed, nil
	})
	if err != nil {
		return err
	}
	return printResult(c, r, r.Passed, func(t report.Text) { t.Storm(r) })
}
