package main

import (
	"context"
	"sync"
	"time"

	"hongbao/envelope"
	"hongbao/orderset"
	"hongbao/queue"
)

// orders are the router's, with each SET's shedder in front of what a send asks
// of it: a SET that is refusing costs the send a new suffix, not a wait.
type orders struct {
	*orderset.Router
	counters *counters
}

// FindKey is not shed, and nor is a claim: a home that is not asked would have to be
// taken for silent. The shedder hears how it went.
func (o orders) FindKey(ctx context.Context, home envelope.KeyHome, sender envelope.UserID, key string) (envelope.KeyRecord, error) {
	start := time.Now()
	r, err := o.Router.FindKey(ctx, home, sender, key)
	if c := o.counters.bySet[home.Set]; c != nil && !home.Witness {
		c.shed.Observe(time.Since(start), illness(err))
	}
	return r, err
}

// Create is shed, so that the teller goes on to the next SET.
func (o orders) Create(ctx context.Context, n envelope.Sending) (r envelope.KeyRecord, err error) {
	err = o.counters.shed(n.Envelope.ID.Set(), func() error {
		r, err = o.Router.Create(ctx, n)
		return err
	})
	return r, err
}

// shed runs one database operation of a SET if its shedder admits it. A send can
// go to another SET, so it is never the probe of one that is down.
func (cs *counters) shed(set envelope.SetNumber, do func() error) error {
	c := cs.bySet[set]
	if c == nil {
		return envelope.ErrNotFound
	}
	ticket, err := c.shed.AdmitElsewhere()
	if err != nil {
		return domainError(err)
	}
	start := time.Now()
	err = do()
	c.shed.Observe(time.Since(start), illness(err))
	ticket.Done(ending(err))
	return err
}

// probeEvery is how often a SET that is down is asked for a sign of life, so that one
// that nobody opens in is sent to again once it is well.
const probeEvery = 200 * time.Millisecond

// keepProbing asks SETs that are down until ctx ends.
func (cs *counters) keepProbing(ctx context.Context) {
	var probes sync.WaitGroup
	for _, c := range cs.bySet {
		probes.Go(func() {
			tick := time.NewTicker(probeEvery)
			defer tick.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
					c.probe(ctx)
				}
			}
		})
	}
	probes.Wait()
}

func (c *counter) probe(ctx context.Context) {
	if !c.shed.Down() {
		return
	}
	ticket, err := c.shed.Admit()
	if err != nil {
		return // somebody else is probing
	}
	start := time.Now()
	err = c.set.Ping(ctx)
	c.shed.Observe(time.Since(start), illness(err))
	ticket.Done(queue.Dropped)
}
