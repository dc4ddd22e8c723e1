package orderset

import (
	"errors"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// counts are what a SET has seen since the process started.
type counts struct {
	batches   atomic.Uint64 // open transactions, one batch each
	requests  atomic.Uint64 // openers in them
	conflicts atomic.Uint64 // batches that memory got wrong and locks put right
}

// Register adds the SET's metrics to reg, whose labels name the SET.
func (s *Set) Register(reg prometheus.Registerer) error {
	counter := func(name, help string, v *atomic.Uint64) error {
		return reg.Register(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "hongbao_set_" + name, Help: help},
			func() float64 { return float64(v.Load()) }))
	}
	gauge := func(name, help string, v func() float64) error {
		return reg.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "hongbao_set_" + name, Help: help}, v))
	}
	return errors.Join(
		s.flows.register(reg),
		s.owed.Register(reg),
		gauge("unfit", "1 while the database answers and is not used, because of what it is or how it is set.", func() float64 {
			if s.Unfit() != nil {
				return 1
			}
			return 0
		}),
		reg.Register(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "hongbao_set_commit_unknown_total",
			Help: "Commits whose answer was lost and was read again."}, func() float64 { return float64(s.db.Unknown()) })),
		counter("open_batches_total", "Open transactions.", &s.counts.batches),
		counter("open_requests_total", "Openers in open transactions.", &s.counts.requests),
		counter("open_conflicts_total", "Batches that lost against another writer and were run again under locks.", &s.counts.conflicts),
		gauge("pool_in_use", "Database connections in use.", func() float64 { return float64(s.db.InUse()) }),
		gauge("memory_envelopes", "Envelopes remembered.", func() float64 {
			known := s.memory.Load()
			if known == nil {
				return 0
			}
			records, _ := known.Size()
			return float64(records)
		}),
		gauge("down", "1 while the database does not answer.", func() float64 {
			if s.db.Down() {
				return 1
			}
			return 0
		}),
	)
}

// Register adds what is the process's own and no SET's to reg.
func (r *Router) Register(reg prometheus.Registerer) error {
	return reg.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "hongbao_machine_lease_remaining_seconds",
		Help: "For how long this process may still mint without renewing its machine number; below zero it mints nothing.",
	}, func() float64 { return r.mint.remaining().Seconds() }))
}
