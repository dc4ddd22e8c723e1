package sets

import (
	"context"
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"hongbao/envelope"
	"hongbao/internal/orderserver"
	"hongbao/internal/worker"
	"hongbao/orderset"
	"hongbao/orderset/decision"
	"hongbao/orderset/owed"
	"hongbao/orderset/upkeep"
)

// Unit is one SET as this process serves it. It does not change: another primary,
// say, is another unit.
type Unit struct {
	*orderset.Set
	*owed.Store
	*decision.Desk
	Server *orderserver.Server
	Worker *worker.Worker

	metrics *prometheus.Registry // of the unit alone: they go with it
}

// Number of the SET.
func (u *Unit) Number() envelope.SetNumber { return u.Set.Number() }

// Refuse starts or ends answering opens that need the database with 503.
func (u *Unit) Refuse(on bool) { u.Server.Refuse(on) }

// Refusing is why they are, or "".
func (u *Unit) Refusing() string { return u.Server.Refusing() }

// newUnit makes what serves a SET, not yet started.
func (r *Registry) newUnit(spec orderset.SetSpec, set *orderset.Set) (*Unit, error) {
	log := r.cfg.Log.With("set", spec.Number)
	u := &Unit{Set: set, Store: set.Owed(), Desk: set.Desk(), metrics: prometheus.NewRegistry()}
	var err error
	u.Server, err = orderserver.New(orderserver.Config{
		Set: set, Mode: r.cfg.Mode, Owner: r.cfg.Owner, Memcached: spec.Memcached, DrawKey: r.cfg.DrawKey, Log: log,
	})
	if err != nil {
		return nil, fmt.Errorf("SET %v: %w", spec.Number, err)
	}
	maintainer, err := upkeep.Open(spec.Number, spec.Primary, r.cfg.Migrator)
	if err != nil {
		return nil, errors.Join(err, u.Server.Close(context.Background()))
	}
	cfg := r.cfg.Worker
	cfg.Set, cfg.Expirer, cfg.Maintainer, cfg.Log = set, u.Server, maintainer, log
	if u.Worker, err = worker.New(cfg); err != nil {
		return nil, errors.Join(fmt.Errorf("SET %v: %w", spec.Number, err), maintainer.Close(), u.Server.Close(context.Background()))
	}
	reg := prometheus.WrapRegistererWith(prometheus.Labels{"set": spec.Number.String()}, u.metrics)
	if err = errors.Join(u.Server.Register(reg), u.Worker.Register(reg)); err != nil {
		return nil, errors.Join(fmt.Errorf("SET %v: metrics: %w", spec.Number, err), u.close(context.Background()))
	}
	return u, nil
}

func (u *Unit) start() {
	u.Server.Start()
	u.Worker.Start()
}

// close drains and ends what newUnit made. The SET's connections are the router's.
func (u *Unit) close(ctx context.Context) error {
	return errors.Join(u.Server.Close(ctx), u.Worker.Close(ctx))
}
