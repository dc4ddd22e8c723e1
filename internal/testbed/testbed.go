package testbed

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"hongbao/envelope"
	"hongbao/internal/httpapi/bearer"
	"hongbao/internal/operator"
	"hongbao/internal/playground"
	"hongbao/internal/settings"
	"hongbao/loadtest"
)

// CountMax is what servers that are started here allow an envelope to hold: few
// envelopes to prepare, many opens.
const CountMax = loadtest.CountMax

// Testbed is one environment. Its methods may be called from any goroutine.
type Testbed struct {
	file     string // the settings
	dir      string
	daemon   string // the program hongbaod
	load     func(file string) (*settings.Settings, error)
	settings *settings.Settings
	desc     *playground.Description
}

// ErrNoPlayground wraps what is wrong with the playground that settings belong to.
var ErrNoPlayground = errors.New("no playground runs there")

// Find is the environment that a settings file is of. Without a playground.json
// beside the file it was made by hand, and the settings say all there is to know.
// Servers that are started on it run the program daemon.
func Find(ctx context.Context, config, daemon string) (*Testbed, error) {
	conf, err := settings.Load(config)
	if err != nil {
		return nil, err
	}
	if conf.Environment == settings.Production {
		return nil, errProduction(config)
	}
	bed := &Testbed{file: config, dir: filepath.Dir(config), daemon: daemon, load: settings.Load, settings: conf}
	bed.desc, err = playground.ReadDescription(bed.dir)
	if errors.Is(err, fs.ErrNotExist) {
		bed.desc = handMade(conf)
		return bed, bed.check(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoPlayground, err)
	}
	if conf.Environment == settings.Drill {
		return bed, nil // the drill keeps its processes
	}
	if _, err := bed.desc.Supervisor(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoPlayground, err)
	}
	return bed, nil
}

func errProduction(file string) error {
	return fmt.Errorf("%s says %s: a crowd of strangers is for playgrounds and drills", file, settings.Production)
}

// check says what is missing before the first of a thousand callers finds out.
func (bed *Testbed) check(ctx context.Context) error {
	if err := playground.Ready(ctx, bed.desc.Operator+"/readyz"); err != nil {
		return fmt.Errorf("%w: no hongbaod is ready behind %s: %w", ErrNoPlayground, bed.file, err)
	}
	return nil
}

// Bounds are the limits of envelopes in the environment.
func (bed *Testbed) Bounds() envelope.Limits { return bed.settings.Bounds() }

// Payouts is the provider's product that payouts go by.
func (bed *Testbed) Payouts() string { return payoutsOf(bed.settings) }

func payoutsOf(s *settings.Settings) string {
	return cmp.Or(s.Payment.Payouts, settings.PayoutBills)
}

// Ticket is an envelope's ticket, as its group is given it.
func (bed *Testbed) Ticket() (func(envelope.ID) string, error) {
	tickets, err := bed.settings.Tickets()
	if err != nil {
		return nil, err
	}
	return tickets.Mint, nil
}

const (
	operatorTokenLife = time.Minute // enough for one call
	// person is recorded as the operator of what is done here.
	person = "hongbaoctl-load"
)

// operator is a client of a hongbaod of the environment, or of one that was started
// on its keys.
func (bed *Testbed) operator(base string) (_ *operator.Client, err error) {
	o := &operator.Client{Base: base}
	if len(bed.settings.Keys.Operators) > 0 {
		o.Token, err = bed.settings.MintToken(person, bearer.ScopeOperate.String(), operatorTokenLife, time.Now())
	}
	return o, err
}
