package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"hongbao/cmd/internal/command"
	"hongbao/loadtest"
)

// loadFlags are those of every verb that measures in mode group or in one mode.
type loadFlags struct {
	Seed    uint64 `help:"Of the plans: the same seed wants the same envelopes, amounts and people." default:"20260216"`
	NoBooks bool   `help:"Do not read every row of the databases at the end."`
	Hurry   int    `help:"Divide every measured time, to see that it works; the figures then mean little." default:"1"`
}

// measure is what the flags ask of the playground.
func (l loadFlags) measure(g *ground, quiet bool) loadtest.CompareConfig {
	cfg := loadtest.CompareConfig{Seed: l.Seed, Key: loadKey(), Users: g.users, Least: g.settings.Bounds().ShareMin, Start: g.startServer,
		Books: g.books, Progress: loadProgress(quiet), Hurry: l.Hurry, HeldBack: true}
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
	cfg := loadtest.CellConfig{Mode: l.OpenMode, Scenario: loadtest.Scenario(l.Scenario), Callers: l.Callers, Rounds: l.Rounds, For: l.Duration}
	if l.Profile != "" {
		if err := os.MkdirAll(l.Profile, 0o755); err != nil {
			return err
		}
		cfg.Profile = func(name string, cpu []byte) error {
			return os.WriteFile(filepath.Join(l.Profile, name+".pprof"), cpu, 0o644)
		}
	}
	var r *loadtest.CellRun
	err := onOwnGround(ctx, c, func(g *ground) (passed bool, err error) {
		cfg.CompareConfig = l.measure(g, c.JSON)
		if r, err = loadtest.MeasureCell(ctx, cfg); err != nil {
			return false, err
		}
		return r.Passed, nil
	})
	if err != nil {
		return err
	}
	return printSession(c, r, &r.Session, func() {
		s := r.Series
		printCells(s.Cells)
		if len(s.Cells) > 1 {
			fmt.Printf("median %.0f opens/s, of %d rounds from %.0f to %.0f\n", s.Median, len(s.Cells), s.Lowest, s.Highest)
		}
	})
}

type loadStormCmd struct{ loadFlags }

func (l loadStormCmd) Run(ctx context.Context, c *cli) error {
	var r *loadtest.StormRun
	err := onOwnGround(ctx, c, func(g *ground) (passed bool, err error) {
		if r, err = loadtest.MeasureStorm(ctx, l.measure(g, c.JSON)); err != nil {
			return false, err
		}
		return r.Passed, nil
	})
	if err != nil {
		return err
	}
	return printSession(c, r, &r.Session, func() {
		printCells([]loadtest.Cell{*r.Capacity})
		printStorm(r.Storm)
	})
}

// printSession prints a measurement: all of it as JSON, or for people the audit,
// the conditions and, if there is nothing to hide, the figures.
func printSession(c *cli, all any, s *loadtest.Session, figures func()) (err error) {
	if c.JSON {
		err = printJSON(all)
	} else if printAudit(s.Verdict, s.Books); s.Passed {
		printConditions(s)
		figures()
	} else {
		printFailed()
	}
	if err == nil && !s.Passed {
		err = command.ErrFinding
	}
	return err
}

func printConditions(s *loadtest.Session) {
	fmt.Printf("%s; %d CPUs (%s/%s), %.0f s, seed %d\n", s.Durability, s.Machine.CPUs, s.Machine.OS, s.Machine.Arch, s.Seconds, s.Seed)
	if s.HeldBack {
		fmt.Println("payouts, books and events were held back meanwhile: these are opens alone")
	}
	if s.Disturbed() {
		fmt.Printf("disturbed: other programs used %.0f %% of the CPUs while measuring; the figures are too low and the ratios noise\n", 100*s.Strangers)
	}
}

// printCells is a table of groups of cells.
func printCells(groups ...[]loadtest.Cell) {
	t := newTable("scenario", "callers", "open mode", "opens/s", "p50 ms", "p99 ms", "refused", "unknown", "service us", "databases us", "crowd us")
	for _, cells := range groups {
		for _, c := range cells {
			t.AppendRow([]any{c.Scenario, c.Callers, c.Mode, fmt.Sprintf("%.0f", c.PerSecond), fmt.Sprintf("%.1f", c.P50), fmt.Sprintf("%.1f", c.P99),
				c.Refused, c.Unknown, fmt.Sprintf("%.0f", c.ServiceCPU), fmt.Sprintf("%.0f", c.DatabasesCPU), fmt.Sprintf("%.1f", c.CrowdCPU)})
		}
		t.AppendSeparator()
	}
	t.Render()
}

func printStorm(o *loadtest.Overload) {
	fmt.Printf("storm: %.0f/s offered, %.0f/s on the wire, %.0f of %.0f opens/s served, recovered after %.1f s; p99 before %.0f ms, in it %.0f ms\n",
		o.OfferedPerSecond, o.AskedPerSecond, o.Goodput, o.PeakPerSecond, o.RecoverySeconds, o.OrdinaryP99, o.StormP99)
}
