package main

import (
	"context"
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"hongbao/envelope"
	"hongbao/internal/httpapi"
	"hongbao/internal/operator"
	"hongbao/internal/payment"
	"hongbao/internal/settings"
)

// operator is what answers on the operator's listener.
func (d *daemon) operator() (*operator.API, error) {
	return operator.New(operator.Config{
		Sets: func() (all []operator.Set) {
			for _, u := range d.sets.All() {
				all = append(all, u)
			}
			return all
		},
		Set:       func(id envelope.ID) (operator.Set, error) { return d.sets.Unit(id.Set()) },
		Operators: d.keys.Operators, Mint: d.router.Minting, Draining: d.api.Draining,
		Metrics:  prometheus.Gatherers{d.metrics, d.sets},
		OpenMode: string(d.mode), Listen: d.conf.Listen.Operator, Hosts: d.conf.Listen.OperatorHosts, Log: d.log,
	})
}

// refusedNotice says why a notification did not get as far as our rows.
func refusedNotice(err error) httpapi.Refused {
	switch {
	case errors.Is(err, payment.ErrForged):
		return httpapi.RefusedForged
	case errors.Is(err, payment.ErrNotOurs):
		return httpapi.RefusedNotOurs
	case errors.Is(err, payment.ErrUnreadable):
		return httpapi.RefusedUnreadable
	}
	return httpapi.RefusedElsewhere
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
