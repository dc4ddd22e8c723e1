package main

import (
	"context"
	"time"

	"hongbao/loadtest"
	"hongbao/loadtest/report"
	"hongbao/loadtest/soak"
)

type loadSoakCmd struct {
	Duration time.Duration `help:"How long people send; then everything owed is waited for." default:"10m"`
	Rate     float64       `help:"Envelopes a second; each is opened two or three times." default:"5"`
	Lies     float64       `help:"Rate of each lie that the provider tells, 0 to 0.1." default:"0.05"`
	Bugs     bool          `help:"The provider also moves money twice and takes successes back; all of that must be found. It leaves books that differ for ever: for a playground that will be thrown away."`
	Seed     uint64        `help:"Of plan, arrivals and lies." default:"20260216"`
}

// Run soaks the playground's own hongbaod: its callbacks, its limits.
func (l loadSoakCmd) Run(ctx context.Context, c *cli) error {
	g, err := findGround(ctx, c)
	if err != nil {
		return err
	}
	server, err := g.OwnServer(ctx)
	if err != nil {
		return err
	}
	limits := g.Bounds()
	r, err := soak.Run(ctx, soak.Config{
		Seed: l.Seed, Key: loadKey(), Rate: l.Rate, For: l.Duration, Lies: l.Lies, Bugs: l.Bugs,
		Of: loadtest.Lifetimes{PayWithin: limits.PayWithin, Life: limits.Life}, Least: limits.ShareMin,
		Server: server, Users: g.Users, Liar: g.Liar(), Pending: g.Pending, Reckon: g.Reckon, Progress: loadProgress(c.JSON),
	})
	if err != nil {
		return err
	}
	return printResult(c, r, r.Passed, func(t report.Text) { t.Soak(r) })
}
