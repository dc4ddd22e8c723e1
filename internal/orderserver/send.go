package orderserver

import (
	"context"
	"time"

	"hongbao/envelope"
	"hongbao/queue"
)

// Create commits an unpaid envelope if the shedder admits it: a SET that is refusing
// costs a send a new suffix, not a wait. A send can go to another SET, so it is never
// the probe of one that is down.
func (s *Server) Create(ctx context.Context, n envelope.Sending) (envelope.KeyRecord, error) {
	admission, err := s.shed.AdmitElsewhere()
	if err != nil {
		return envelope.KeyRecord{}, domainError(err)
	}
	start := time.Now()
	r, err := s.set.Create(ctx, n)
	s.shed.Observe(time.Since(start), illness(err))
	admission.Done(ending(err))
	return r, err
}

// FindKey is not shed, and nor is a claim: a home that is not asked would have to be
// taken for silent. The shedder observes how it went.
func (s *Server) FindKey(ctx context.Context, sender envelope.UserID, key string) (envelope.KeyRecord, error) {
	start := time.Now()
	r, err := s.set.FindKey(ctx, sender, key)
	s.shed.Observe(time.Since(start), illness(err))
	return r, err
}

// probeEvery is how often a SET that is down is asked for a sign of life, so that one
// in which nothing is opened is sent to again once it is well.
const probeEvery = 200 * time.Millisecond

// keepProbing asks the SET, while it is down, until ctx ends.
func (s *Server) keepProbing(ctx context.Context) {
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.probe(ctx)
		}
	}
}

func (s *Server) probe(ctx context.Context) {
	if !s.shed.Down() {
		return
	}
	admission, err := s.shed.Admit()
	if err != nil {
		return // an open is the probe
	}
	start := time.Now()
	err = s.set.Ping(ctx)
	s.shed.Observe(time.Since(start), illness(err))
	admission.Done(queue.Dropped)
}
