package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"hongbao/envelope"
	"hongbao/internal/orderserver"
	"hongbao/orderset"
)

// servers are the order servers of all SETs: the router's transactions, those that
// they have to see behind them.
type servers struct {
	*orderset.Router
	bySet map[envelope.SetNumber]*orderserver.Server
}

// addServers makes and starts the order server of each SET.
func (d *daemon) addServers(topology orderset.Topology, owner string) error {
	d.servers = &servers{d.router, map[envelope.SetNumber]*orderserver.Server{}}
	for _, spec := range topology.Specs() {
		set, err := d.router.Set(envelope.Body(0).In(spec.Number))
		if err != nil {
			return err
		}
		s, err := orderserver.New(orderserver.Config{
			Set: set, Mode: d.mode, Owner: owner, Memcached: spec.Memcached, DrawKey: d.keys.draw, Log: d.log.With("set", spec.Number),
		})
		if err == nil {
			err = s.Register(prometheus.WrapRegistererWith(prometheus.Labels{"set": spec.Number.String()}, d.metrics))
		}
		if err != nil {
			return fmt.Errorf("SET %v: %w", spec.Number, err)
		}
		s.Start()
		d.servers.bySet[spec.Number] = s
	}
	return nil
}

// Open takes a share in the SET of the envelope.
func (s *servers) Open(ctx context.Context, req envelope.OpenRequest) (envelope.Opening, error) {
	if _, err := s.HotSet(req.ID); err != nil {
		return envelope.Opening{}, err
	}
	return s.bySet[req.ID.Set()].Open(ctx, req)
}

// Create commits an unpaid envelope in the SET its ID names.
func (s *servers) Create(ctx context.Context, n envelope.Sending) (envelope.KeyRecord, error) {
	if _, err := s.HotSet(n.Envelope.ID); err != nil {
		return envelope.KeyRecord{}, err
	}
	return s.bySet[n.Envelope.ID.Set()].Create(ctx, n)
}

// FindKey is the record in one home.
func (s *servers) FindKey(ctx context.Context, home envelope.KeyHome, sender envelope.UserID, key string) (envelope.KeyRecord, error) {
	if server := s.bySet[home.Set]; server != nil && !home.Witness {
		return server.FindKey(ctx, sender, key)
	}
	return s.Router.FindKey(ctx, home, sender, key)
}

// Close answers all that were admitted, or ends when ctx does.
func (s *servers) Close(ctx context.Context) error {
	var errs []error
	for _, server := range s.bySet {
		errs = append(errs, server.Close(ctx))
	}
	return errors.Join(errs...)
}
