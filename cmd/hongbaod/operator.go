package main

import (
	"context"

	"hongbao/envelope"
	"hongbao/internal/operator"
	"hongbao/internal/orderserver"
	"hongbao/internal/settings"
	"hongbao/orderset"
)

// durability says under which promise the numbers of a load run are made.
const durability = "one node per SET, binlog and redo log fsynced at every commit"

// operated is a SET as operators see it: what is stored, and the order server in
// front of it.
type operated struct {
	*orderset.Set
	server *orderserver.Server
}

func (o operated) Refuse(on bool)   { o.server.Refuse(on) }
func (o operated) Refusing() string { return o.server.Refusing() }

// operator is what answers on the operator's listener.
func (d *daemon) operator(conf *settings.Settings) (*operator.API, error) {
	return operator.New(operator.Config{
		Sets: d.operatedSets, Set: d.operatedSet, Operators: d.keys.operators,
		Mint: d.router.Minting, Draining: d.api.Draining, Metrics: d.metrics,
		Mode:   operator.LoadMode{OpenMode: string(d.mode), Durability: durability},
		Listen: conf.Listen.Operator, Hosts: conf.Listen.OperatorHosts, Log: d.log,
	})
}

func (d *daemon) operatedSets() (sets []operator.Set) {
	for _, set := range d.router.Sets() {
		sets = append(sets, operated{set, d.servers.bySet[set.Number()]})
	}
	return sets
}

func (d *daemon) operatedSet(id envelope.ID) (operator.Set, error) {
	set, err := d.router.Set(id)
	if err != nil {
		return nil, err
	}
	return operated{set, d.servers.bySet[set.Number()]}, nil
}

// echo is the ceiling of open, where things may be measured: credential and
// ticket are checked, then nothing is done.
func echo(conf *settings.Settings, tickets *envelope.Tickets) func(context.Context, envelope.OpenRequest, string) (envelope.Opening, error) {
	if conf.Environment == settings.Production {
		return nil
	}
	return func(_ context.Context, req envelope.OpenRequest, ticket string) (envelope.Opening, error) {
		if !tickets.Valid(req.ID, ticket) {
			return envelope.Opening{}, envelope.ErrNotFound
		}
		return envelope.Opening{Outcome: envelope.Opened, Share: envelope.Share{Seq: 1, Amount: 1}}, nil
	}
}
