package sets

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"hongbao/envelope"
	"hongbao/internal/orderserver"
	"hongbao/internal/worker"
	"hongbao/orderset"
)

// drainMax bounds the end of one unit: lanes and calls end in seconds, what a worker
// has begun in some 30.
const drainMax = 45 * time.Second

// Config is what a registry works with. All of it is required.
type Config struct {
	Router   *orderset.Router
	Mode     orderserver.Mode
	Owner    string // names this process in the lists of leases
	DrawKey  envelope.DrawKey
	Migrator orderset.Account
	Worker   worker.Config // of every SET, without what is a SET's own
	Log      *slog.Logger
}

// Registry has the units of all SETs of a router, and places envelopes in them. It
// is safe for concurrent use.
type Registry struct {
	cfg      Config
	router   *orderset.Router
	units    orderset.Registry[*Unit]
	changing sync.Mutex // one SET comes or goes at a time
}

var _ envelope.Placement = (*Registry)(nil)

// New makes the units of a router's SETs. Nothing works before Start.
func New(cfg Config) (*Registry, error) {
	if cfg.Router == nil || cfg.Log == nil {
		return nil, errors.New("sets: router and log are required")
	}
	r := &Registry{cfg: cfg, router: cfg.Router}
	specs := cfg.Router.Topology().Specs()
	for _, spec := range specs {
		set, err := cfg.Router.Set(envelope.Body(0).In(spec.Number))
		var u *Unit
		if err == nil {
			u, err = r.newUnit(spec, set)
		}
		if err != nil {
			return nil, errors.Join(err, r.Close(context.Background()))
		}
		r.units.Put(spec.Number, u)
	}
	return r, nil
}

// Start begins what all units do of their own accord.
func (r *Registry) Start() {
	for _, u := range r.units.All() {
		u.start()
	}
}

// Join adds a SET, or replaces the unit of its number. It returns once the old one,
// if there was one, is drained and closed; ctx bounds the examination, and nothing has
// changed when the SET does not pass it.
func (r *Registry) Join(ctx context.Context, spec orderset.SetSpec) error {
	r.changing.Lock()
	defer r.changing.Unlock()
	var old *Unit
	closeOld, err := r.router.Join(ctx, spec, func(set *orderset.Set) error {
		u, err := r.newUnit(spec, set)
		if err != nil {
			return err
		}
		u.start()
		old, _ = r.units.Put(spec.Number, u)
		return nil
	})
	if err != nil || old == nil {
		return err
	}
	return r.end(old, closeOld)
}

// Leave removes a SET: no request finds it any more, and it is closed when what was
// begun has been answered. It returns then, after drainMax at the latest.
func (r *Registry) Leave(n envelope.SetNumber) error {
	r.changing.Lock()
	defer r.changing.Unlock()
	closeSet, err := r.router.Leave(n)
	if err != nil {
		return err
	}
	u, _ := r.units.Remove(n)
	return r.end(u, closeSet)
}

// end drains a unit that is out of reach, and closes its connections.
func (r *Registry) end(u *Unit, closeSet func() error) error {
	ctx, cancel := context.WithTimeout(context.Background(), drainMax)
	defer cancel()
	return errors.Join(u.close(ctx), closeSet())
}

// Close ends all units at once: what was admitted is answered within ctx, and what
// workers have begun ends within drainMax. The router's connections stay open.
func (r *Registry) Close(ctx context.Context) error {
	r.changing.Lock()
	defer r.changing.Unlock()
	units := r.units.All()
	err := together(units, func(u *Unit) error { return u.Server.Close(ctx) })
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainMax)
	defer cancel()
	return errors.Join(err, together(units, func(u *Unit) error { return u.Worker.Close(drain) }))
}

func together(units []*Unit, do func(*Unit) error) error {
	answers := make(chan error, len(units))
	for _, u := range units {
		go func() { answers <- do(u) }()
	}
	var errs []error
	for range units {
		errs = append(errs, <-answers)
	}
	return errors.Join(errs...)
}

// All lists the units, in the order of the topology and then as they joined.
func (r *Registry) All() []*Unit { return r.units.All() }

// Unit is that of a SET: [envelope.ErrUnknownSet] when there is no such SET, busy when
// there was one.
func (r *Registry) Unit(n envelope.SetNumber) (*Unit, error) {
	u, there := r.units.Get(n)
	if !there {
		return nil, r.router.Unknown(n)
	}
	return u, nil
}

// Ledger is the order server of a SET.
func (r *Registry) Ledger(n envelope.SetNumber) (envelope.Ledger, error) {
	u, err := r.Unit(n)
	if err != nil {
		return nil, err
	}
	return u.Server, nil
}

// Keys are those in one home.
func (r *Registry) Keys(home envelope.KeyHome) (envelope.Keys, error) {
	if home.Witness {
		return r.router.Witness()
	}
	u, err := r.Unit(home.Set)
	if errors.Is(err, envelope.ErrNotFound) { // which would say that the key is in no record
		return nil, fmt.Errorf("SET %v is no home of any key: %v", home.Set, err)
	}
	if err != nil {
		return nil, err
	}
	return u.Server, nil
}

// Worker is that of a SET.
func (r *Registry) Worker(n envelope.SetNumber) (*worker.Worker, error) {
	u, err := r.Unit(n)
	if err != nil {
		return nil, err
	}
	return u.Worker, nil
}

// Mint makes a body that no other envelope has or will have.
func (r *Registry) Mint(ctx context.Context) (envelope.Body, error) { return r.router.Mint(ctx) }

// Candidates are the SETs in which an envelope of this sender's key may be made.
func (r *Registry) Candidates(sender envelope.UserID, key string) []envelope.SetNumber {
	return r.router.Candidates(sender, key)
}

// KeyHomes are where records of this sender's key may be.
func (r *Registry) KeyHomes(sender envelope.UserID, key string) []envelope.KeyHome {
	return r.router.KeyHomes(sender, key)
}

// Gather collects the metrics of all units of now.
func (r *Registry) Gather() ([]*dto.MetricFamily, error) {
	var units prometheus.Gatherers
	for _, u := range r.units.All() {
		units = append(units, u.metrics)
	}
	return units.Gather()
}
