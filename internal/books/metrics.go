package books

import (
	"errors"
	"strconv"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// counts are what a shard has seen since the process started.
type counts struct {
	transactions atomic.Uint64 // committed posts
	rows         atomic.Uint64 // rows that these wrote or changed
	again        atomic.Uint64 // transactions run again, for whatever reason
	unknown      atomic.Uint64 // commits whose answer was lost
}

// Register adds the metrics of all shards to reg.
func (b *Books) Register(reg prometheus.Registerer) error {
	var err error
	for _, s := range b.shards {
		err = errors.Join(err, s.register(prometheus.WrapRegistererWith(prometheus.Labels{"shard": strconv.Itoa(s.number)}, reg)))
	}
	return err
}

func (s *shard) register(reg prometheus.Registerer) error {
	counter := func(name, help string, v *atomic.Uint64) error {
		return reg.Register(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "hongbao_books_" + name, Help: help},
			func() float64 { return float64(v.Load()) }))
	}
	return errors.Join(
		counter("transactions_total", "Committed transactions that wrote users' books.", &s.counts.transactions),
		counter("rows_total", "Rows of users' books written or changed.", &s.counts.rows),
		counter("again_total", "Transactions run again after a lost lock, race or answer, or because the same was posted before.", &s.counts.again),
		counter("commit_unknown_total", "Commits whose answer was lost.", &s.counts.unknown),
		reg.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "hongbao_books_pool_in_use", Help: "Database connections in use."},
			func() float64 { return float64(s.db.Stats().InUse) })),
	)
}
