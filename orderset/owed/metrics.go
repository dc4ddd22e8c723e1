package owed

import (
	"errors"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"hongbao/envelope"
)

// flows count what this process has committed, in fen and envelopes. A commit whose
// answer was lost counts nowhere, so these are rates to watch; the books are what
// money is counted by.
type flows struct{ refunded, paidOut, settled atomic.Int64 }

// recorded counts the transfers that a committed transaction posted.
func (f *flows) recorded(changed []Stored, settled int) {
	for i := range changed {
		switch t := &changed[i]; {
		case t.State != envelope.Posted:
		case t.IsRefund():
			f.refunded.Add(int64(t.Amount))
		default:
			f.paidOut.Add(int64(t.Amount))
		}
	}
	f.settled.Add(int64(settled))
}

// Register adds the metrics of what is owed to reg, whose labels name the SET.
func (s *Store) Register(reg prometheus.Registerer) error {
	counter := func(name, help string, labels prometheus.Labels, v *atomic.Int64) error {
		return reg.Register(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "hongbao_set_" + name, Help: help, ConstLabels: labels},
			func() float64 { return float64(v.Load()) }))
	}
	return errors.Join(
		counter("refunded_fen_total", "Fen that went back to senders and arrived, as this process recorded it.", nil, &s.flows.refunded),
		counter("paid_out_fen_total", "Fen that went to openers and arrived, as this process recorded it.", nil, &s.flows.paidOut),
		counter("envelopes_total", "Envelopes that came into a state, as this process committed it.",
			prometheus.Labels{"state": string(envelope.Settled)}, &s.flows.settled),
	)
}
