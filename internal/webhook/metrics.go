package webhook

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hongbao/envelope"
)

// metrics counts what became of events. Nothing is labelled by envelope.
type metrics struct{ events *prometheus.HistogramVec }

func newMetrics() *metrics {
	return &metrics{events: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "hongbao_webhook_event_seconds",
		Help:    "Events posted to the IM backend, by type and result.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
	}, []string{"type", "result"})}
}

// Describe implements [prometheus.Collector]: register the sender to publish its
// numbers.
func (s *Sender) Describe(ch chan<- *prometheus.Desc) { s.metrics.events.Describe(ch) }

// Collect implements [prometheus.Collector].
func (s *Sender) Collect(ch chan<- prometheus.Metric) { s.metrics.events.Collect(ch) }

func (m *metrics) observe(kind envelope.FactKind, start time.Time, err error) {
	m.events.WithLabelValues(string(kind), result(err)).Observe(time.Since(start).Seconds())
}

func result(err error) string {
	var busy *envelope.BusyError
	var refused statusError
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, ErrGone):
		return "gone"
	case errors.As(err, &busy):
		return "busy"
	case errors.As(err, &refused):
		return "refused"
	case errors.Is(err, errForbidden):
		return "forbidden"
	}
	return "unreachable"
}
