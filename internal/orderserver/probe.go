package orderserver

import (
	"context"
	"time"

	"hongbao/queue"
)

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
