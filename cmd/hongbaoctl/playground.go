package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"hongbao/cmd/internal/command"
	"hongbao/internal/playground"
)

type playgroundCmd struct {
	Up   playgroundUpCmd   `cmd:"" help:"Start it, walk one envelope, keep serving until Ctrl-C. A second start resumes with its data."`
	Down playgroundDownCmd `cmd:"" help:"Stop a running one from elsewhere. Its data stays."`
}

type playgroundUpCmd struct {
	Dir        string `help:"Everything lives under this directory." default:".hongbao" type:"path"`
	NoTour     bool   `help:"Do not walk an envelope on the first start."`
	KeepConfig bool   `help:"Run with hongbao.yaml as it is, where it was edited since the last start."`
	playgroundFlags
}

// playgroundFlags are a playground's shape. Zero is "as before, else the default".
type playgroundFlags struct {
	Sets          int           `help:"How many SETs, 1 to 8, each on a mariadbd of its own; never fewer than before. Default 2.."`
	APIPort       int           `help:"Public API. Default 8080."`
	OperatorPort  int           `help:"Health, metrics, profiles. Default 8081."`
	SimulatorPort int           `help:"Payment simulator. Default 8090."`
	MemcachedPort int           `help:"memcached. Default 11311."`
	DatabasePort  int           `help:"First SET's mariadbd; the next SET's is 10 higher. Default 13000."`
	BooksPort     int           `help:"mariadbd of users' books. Default 13900."`
	EventsPort    int           `help:"Receiver of events, standing in for the IM backend. Default 8091."`
	Life          time.Duration `help:"From payment to expiry; short ones show refunds sooner. Default 24h."`
	ShareMin      int64         `help:"Fen in the least share; the simulated provider refuses payouts below it. The real one is reported to ask for 10. Default 1."`
	PayWithin     time.Duration `help:"From order to closing it unpaid. Default 15m."`
	Payouts       string        `help:"The provider's product for payouts: bills, each confirmed by its payee, or batches of hundreds. Default bills." default:"" enum:",bills,batches"`
}

func (u playgroundUpCmd) Run(ctx context.Context, c *cli) error {
	// A closed terminal ends the playground like Ctrl-C does.
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGHUP)
	defer stop()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	say := newNarrator(c.JSON)
	p, err := playground.Start(ctx, playground.Config{Dir: u.Dir, Shape: playground.Shape(u.playgroundFlags), KeepConfig: u.KeepConfig,
		Program: self, Daemon: daemonOf(self), Progress: progress{say}})
	if err != nil {
		return withoutCancel(playgroundAdvice(err, u.Dir))
	}
	if p.First() && !u.NoTour {
		err = (&tour{p.Settings(), say}).walk(ctx)
	}
	if err == nil {
		err = announce(c.JSON, say, p, u.Dir)
	}
	if err == nil {
		p.Supervise(ctx)
	}
	return errors.Join(withoutCancel(err), p.Close())
}

// daemonOf is the hongbaod beside a hongbaoctl.
func daemonOf(self string) string { return filepath.Join(filepath.Dir(self), "hongbaod") }

// withoutCancel is err, or nil for the end that was asked for.
func withoutCancel(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// playgroundAdvice says which flag or command helps.
func playgroundAdvice(err error, dir string) error {
	if errors.Is(err, playground.ErrRunning) {
		return fmt.Errorf("%w; stop it with: hongbaoctl playground down --dir %s", err, command.Quote(dir))
	}
	if port, ok := errors.AsType[*playground.PortError](err); ok {
		return fmt.Errorf("%w (or choose another with --%s)", err, port.Of)
	}
	if fewer, ok := errors.AsType[*playground.FewerSetsError](err); ok {
		return fmt.Errorf("--sets %d: %s has %d SETs, and envelopes in each that money is owed for: start it with --sets %d or without the flag, or a new one with --dir",
			fewer.Want, fewer.Dir, fewer.Have, fewer.Have)
	}
	if edited, ok := errors.AsType[*playground.EditedError](err); ok {
		return fmt.Errorf("%w: start with --keep-config to run with it as it is, or move it away (mv %[2]s %[2]s.mine) to have it written anew", err, edited.File)
	}
	return err
}

// progress narrates what a playground does.
type progress struct{ say *narrator }

func (p progress) Say(format string, args ...any)          { p.say.say(format, args...) }
func (p progress) Step(what string, do func() error) error { return p.say.step(what, do) }

type playgroundDownCmd struct {
	Dir string `help:"The directory it was started with." default:".hongbao" type:"path"`
}

func (d playgroundDownCmd) Run(ctx context.Context, c *cli) error {
	running, err := playground.Stop(ctx, d.Dir)
	switch {
	case errors.Is(err, playground.ErrNone):
		return fmt.Errorf("%w; --dir names the directory of the one to stop", err)
	case err != nil:
		return err
	case !running:
		fmt.Fprintln(os.Stderr, "no playground is running in", d.Dir)
	}
	if c.JSON {
		return printJSON(map[string]any{"stopped": d.Dir})
	}
	return nil
}

// announce prints where everything is and what to try.
func announce(asJSON bool, say *narrator, p *playground.Playground, dir string) error {
	d, err := p.Description()
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(d)
	}
	ctl, api := "bin/hongbaoctl --config "+command.Quote(filepath.Join(dir, playground.SettingsName)), d.API
	say.say(`
%s
  API         %s        (OpenAPI 3.1: %s/openapi.json)
  operator    %s   /healthz /readyz /metrics /outbox; the rest with a token of scope operate
  payments    %s   /simulator/ledger /simulator/lies
  events      %s   what the IM backend is told
  scripts     %s

Try it (three lines, copy and paste):
  T=$(%s token --user me); E=$(curl -s %s/v1/envelopes -H "Authorization: Bearer $T" -H "Idempotency-Key: $RANDOM" -H 'Content-Type: application/json' -d '{"kind":"lucky","total_fen":1000,"count":3,"group_id":"g1"}'); echo "$E"
  curl -s -X POST "$(echo "$E" | sed 's/.*"code_url":"\([^"]*\)".*/\1/')"; ID=$(echo "$E" | sed 's/.*"id":"\([0-9]*\)".*/\1/'); K=$(curl -s %s/v1/envelopes/$ID -H "Authorization: Bearer $T" | sed 's/.*"ticket":"\([^"]*\)".*/\1/')
  curl -s -X POST %s/v1/envelopes/$ID/open -H "Authorization: Bearer $T" -H "Envelope-Ticket: $K"

Ctrl-C stops it all.`,
		say.strong("Serving"), api, api, d.Operator, d.PaymentSimulator, d.Events, filepath.Join(dir, playground.DescriptionName), ctl, api, api, api)
	return nil
}
