package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"hongbao/internal/testbed"
	"hongbao/loadtest"
	"hongbao/loadtest/measure"
	"hongbao/loadtest/report"
)

type loadRunCmd struct {
	Scenario    []string      `help:"hot, spread, festival; several with commas." default:"hot,spread,festival" enum:"hot,spread,festival"`
	OpenMode    []string      `help:"group, fifo, plain; several with commas. Each runs on a hongbaod of its own. Without it: the playground's, as it is." enum:"group,fifo,plain"`
	Rate        float64       `help:"Opens a second that arrive when hot or spread." default:"2000"`
	Sends       float64       `help:"Sends a second on the festival's ordinary evening; midnight has five times as many." default:"60"`
	Duration    time.Duration `help:"How long they come." default:"20s"`
	Connections int           `help:"Who finds none free waits, and that counts." default:"500"`
	Seed        uint64        `help:"Of plan and arrivals." default:"20260216"`
	HTML        string        `help:"Write the report as one self-contained page." name:"html" type:"path"`
	NoBooks     bool          `help:"Do not read every row of the databases at the end."`
}

const (
	loadUsers       = 1000
	loadOpeners     = 300 // of one hot envelope
	loadSpread      = 500 // envelopes at the same time
	loadDurationMax = time.Hour
)

func (l loadRunCmd) Run(ctx context.Context, c *cli) error {
	g, err := findGround(ctx, c)
	if err != nil {
		return err
	}
	modes := l.OpenMode
	if len(modes) == 0 {
		modes = []string{""}
	}
	runs := measure.NewRuns()
	say := loadProgress(c.JSON)
	for i, mode := range modes {
		err := l.onServer(ctx, g, mode, func(s *measure.Server) error {
			for j, scenario := range l.Scenario {
				say(i*len(l.Scenario)+j, len(modes)*len(l.Scenario), fmt.Sprintf("%s, open mode %s", scenario, s.Mode))
				result, err := l.scenario(ctx, g, s, loadtest.Scenario(scenario))
				if err != nil {
					return fmt.Errorf("%s: %w", scenario, err)
				}
				runs.Add(result)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	if !l.NoBooks {
		books, err := g.Books(ctx)
		if err != nil {
			return err
		}
		runs.Close(books)
	}
	if err := writeHTML(l.HTML, func(w io.Writer) error { return report.WriteRuns(w, runs) }); err != nil {
		return err
	}
	return printResult(c, runs, runs.Passed, func(t report.Text) { t.Runs(runs) })
}

// onServer runs do against the playground's own server, or one of our own in mode.
func (l loadRunCmd) onServer(ctx context.Context, g *testbed.Testbed, mode string, do func(*measure.Server) error) (err error) {
	var s *measure.Server
	if mode == "" {
		s, err = g.OwnServer(ctx)
	} else {
		s, err = g.StartServer(ctx, mode)
	}
	if err != nil {
		return err
	}
	if mode != "" && s.Mode != mode {
		err = fmt.Errorf("the server says its open mode is %q, want %q", s.Mode, mode)
	} else {
		err = do(s)
	}
	if stopErr := s.Stop(context.WithoutCancel(ctx)); err == nil {
		err = stopErr
	}
	return err
}

// scenario is one open-loop run, prepared, carried out and audited.
func (l loadRunCmd) scenario(ctx context.Context, g *testbed.Testbed, s *measure.Server, scenario loadtest.Scenario) (*measure.Result, error) {
	users, err := g.Users(loadUsers)
	if err != nil {
		return nil, err
	}
	load := l.load(scenario)
	limits := g.Bounds()
	return measure.RunScenario(ctx, measure.ScenarioConfig{
		Plan: loadtest.PlanConfig{Scenario: scenario, Seed: l.Seed, Envelopes: l.envelopes(scenario, load),
			Count: limits.CountMax, Openers: l.openers(scenario, load), Users: loadUsers, ShareMin: limits.ShareMin},
		Server: s, Users: users, Key: loadKey(), Load: load, Connections: l.Connections,
	})
}

// load is what arrives, over time.
func (l loadRunCmd) load(scenario loadtest.Scenario) []loadtest.Stretch {
	if scenario == loadtest.Festival {
		return loadtest.Evening(l.Sends, l.Duration)
	}
	return []loadtest.Stretch{{Rate: l.Rate, For: l.Duration}}
}

// envelopes is how many of them the load uses up, and a few more.
func (l loadRunCmd) envelopes(scenario loadtest.Scenario, load []loadtest.Stretch) int {
	arrivals := int(1.1 * loadtest.ArrivalsIn(load))
	switch scenario {
	case loadtest.Hot:
		return arrivals/loadOpeners + 2
	case loadtest.Spread:
		return max(loadSpread, arrivals/loadUsers+1)
	}
	return arrivals + 10
}

func (l loadRunCmd) openers(scenario loadtest.Scenario, load []loadtest.Stretch) int {
	if scenario == loadtest.Spread {
		return min(loadUsers, int(1.1*loadtest.ArrivalsIn(load))/loadSpread+2)
	}
	return loadOpeners
}
