package relay

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics count what was carried out. Nothing is labelled by order; which SET is
// for the caller to say, with prometheus.WrapRegistererWith.
type metrics struct {
	spread                                prometheus.Counter
	claimed, done, putOff, parked, errors *prometheus.CounterVec // by topic
	alarms                                *prometheus.CounterVec // by topic
	transfers                             *prometheus.CounterVec // by the provider's status
	firstCall                             prometheus.Histogram
	pending, oldest, stuck, paused, open  *prometheus.GaugeVec // by topic
}

func newMetrics() *metrics {
	counter := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hongbao_relay_" + name, Help: help}, []string{label})
	}
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "hongbao_relay_" + name, Help: help}, []string{"topic"})
	}
	return &metrics{
		spread:    prometheus.NewCounter(prometheus.CounterOpts{Name: "hongbao_relay_spread_total", Help: "Touched envelopes turned into work."}),
		claimed:   counter("claimed_total", "Deliveries and transfers claimed; each is an attempt.", "topic"),
		done:      counter("done_total", "Deliveries that reached their receiver.", "topic"),
		putOff:    counter("put_off_total", "Deliveries to be tried again later.", "topic"),
		parked:    counter("parked_total", "Deliveries left to people.", "topic"),
		errors:    counter("errors_total", "Rounds that failed as a whole.", "topic"),
		alarms:    counter("alarms_total", "Things that people must look at.", "topic"),
		transfers: counter("transfers_total", "Recorded statuses of transfers: done is posted, refused is held.", "progress"),
		firstCall: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "hongbao_relay_first_call_seconds",
			Help:    "From the creation of a transfer to the first call of the provider about it.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2, 5, 10, 30, 60, 300, 600},
		}),
		pending: gauge("pending", "Work waiting, or under way. Of the database: one process of a SET reports it."),
		oldest:  gauge("oldest_seconds", "Age of the oldest work pending. Of the database: one process of a SET reports it."),
		stuck:   gauge("stuck", "Work parked or held, waiting for people. Of the database: one process of a SET reports it."),
		paused:  gauge("paused", "1 while people have paused it. Of the database: one process of a SET reports it."),
		open:    gauge("shut", "1 while the receiver is taken to be out and only probed."),
	}
}

// Register adds the relay's metrics to reg, whose labels name the SET.
func (r *Relay) Register(reg prometheus.Registerer) error {
	m := r.metrics
	var errs []error
	for _, c := range []prometheus.Collector{
		m.spread, m.claimed, m.done, m.putOff, m.parked, m.errors, m.alarms, m.transfers, m.firstCall,
		m.pending, m.oldest, m.stuck, m.paused, m.open,
	} {
		errs = append(errs, reg.Register(c))
	}
	return errors.Join(errs...)
}

func (m *metrics) waiting(topic string, b Backlog) {
	m.pending.WithLabelValues(topic).Set(float64(b.Pending))
	m.oldest.WithLabelValues(topic).Set(b.Oldest.Seconds())
	m.stuck.WithLabelValues(topic).Set(float64(b.Stuck))
	m.paused.WithLabelValues(topic).Set(oneIf(b.Paused))
}

// quiet takes back what is the database's to say: another process says it, or none
// can.
func (m *metrics) quiet() {
	for _, g := range []*prometheus.GaugeVec{m.pending, m.oldest, m.stuck, m.paused} {
		g.Reset()
	}
}

func (m *metrics) breakerOpen(topic string, open bool) {
	m.open.WithLabelValues(topic).Set(oneIf(open))
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
