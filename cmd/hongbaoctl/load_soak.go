package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"hongbao/envelope"
	"hongbao/loadtest"
	"hongbao/loadtest/measure"
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
	g, err := findGround(c.Config)
	if err != nil {
		return err
	}
	server, err := g.ownServer(ctx)
	if err != nil {
		return err
	}
	limits := g.settings.Bounds()
	r, err := soak.Run(ctx, soak.Config{
		Seed: l.Seed, Key: loadKey(), Rate: l.Rate, For: l.Duration, Lies: l.Lies, Bugs: l.Bugs,
		Of: loadtest.Lifetimes{PayWithin: limits.PayWithin, Life: limits.Life}, Least: limits.ShareMin,
		Server: server, Users: g.users, Liar: liar{g.report.PaymentSimulator}, Owed: g.owed, Reckon: g.reckon, Progress: loadProgress(c.JSON),
	})
	if err != nil {
		return err
	}
	return printResult(c, r, r.Passed, func(t report.Text) { t.Soak(r) })
}

// ownServer is the playground's own hongbaod.
func (g *ground) ownServer(ctx context.Context) (*measure.Server, error) {
	i := slices.IndexFunc(g.report.Processes, func(p processInfo) bool { return p.Name == "hongbaod" })
	if i < 0 {
		return nil, errors.New("load: the playground has no hongbaod")
	}
	return g.server(ctx, g.report.API, g.report.Operator, g.report.Processes[i].PID)
}

// liar is the playground's simulator, by its tool.
type liar struct{ base string }

func (l liar) call(ctx context.Context, method string, in, out any) error {
	if err := (&client{}).call(ctx, method, l.base+"/simulator/lies", in, out, "", ""); err != nil {
		return fmt.Errorf("lies of the simulator: %w", err)
	}
	return nil
}

func (l liar) Lie(ctx context.Context, about soak.Lies) error {
	return l.call(ctx, http.MethodPut, about, nil)
}

func (l liar) Told(ctx context.Context) (map[string]int64, error) {
	var status struct {
		Told map[string]int64 `json:"told"`
	}
	err := l.call(ctx, http.MethodGet, nil, &status)
	return status.Told, err
}

func (l liar) Honest(ctx context.Context) error { return l.call(ctx, http.MethodDelete, nil, nil) }

// owed counts what is on its way, and charges too if they will end soon.
func (g *ground) owed(ctx context.Context, charges bool) (total int, err error) {
	sets, err := g.outbox(ctx)
	for _, set := range sets {
		for _, topic := range set.Topics {
			if topic.Paused == "" && (charges || topic.Topic != string(envelope.TopicCharge)) {
				total += topic.Pending
			}
		}
	}
	return total, err
}
