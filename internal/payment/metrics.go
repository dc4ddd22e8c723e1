package payment

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hongbao/envelope"
)

// metrics counts what the provider answers. Nothing is labelled by order.
type metrics struct {
	calls         *prometheus.HistogramVec
	notifications *prometheus.CounterVec
}

func newMetrics() *metrics {
	return &metrics{
		calls: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "hongbao_payment_call_seconds",
			Help:    "Calls to the payment provider, retries included, by call and result.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"call", "result"}),
		notifications: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hongbao_payment_notifications_total",
			Help: "Notifications that came in, by result.",
		}, []string{"result"}),
	}
}

// Describe implements [prometheus.Collector]: register the client to publish its
// numbers.
func (c *Client) Describe(ch chan<- *prometheus.Desc) {
	c.metrics.calls.Describe(ch)
	c.metrics.notifications.Describe(ch)
}

// Collect implements [prometheus.Collector].
func (c *Client) Collect(ch chan<- prometheus.Metric) {
	c.metrics.calls.Collect(ch)
	c.metrics.notifications.Collect(ch)
}

func (m *metrics) observe(call string, start time.Time, err *error) {
	m.calls.WithLabelValues(call, result(*err)).Observe(time.Since(start).Seconds())
}

func (m *metrics) notified(n *Notice, err *error) {
	result := "other"
	switch {
	case errors.Is(*err, ErrForged):
		result = "forged"
	case errors.Is(*err, ErrNotOurs):
		result = "not_ours"
	case errors.Is(*err, ErrUnreadable):
		result = "unreadable"
	case n.Payment != nil:
		result = "payment"
	case n.Transfer != nil:
		result = "transfer"
	case n.Batch != nil:
		result = "payout_batch"
	}
	m.notifications.WithLabelValues(result).Inc()
}

func result(err error) string {
	var busy *envelope.BusyError
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, envelope.ErrUnknownOutcome):
		return "unknown"
	case errors.As(err, &busy) && busy.Reason == envelope.ReasonFunds:
		return "no_funds" // people must fill our account: worth an alarm
	case busy != nil:
		return "busy"
	}
	return "refused"
}
