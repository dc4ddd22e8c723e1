package orderset

import (
	"errors"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"hongbao/envelope"
)

// flows count what this process has committed, in fen and envelopes: summed over
// all processes it is what was moved since they started. A commit whose answer was
// lost counts nowhere, so these are rates to watch; the books are what money is
// counted by.
type flows struct {
	paid, opened                           atomic.Int64
	unpaid, active, empty, expired, closed atomic.Int64
}

// entered counts envelopes that came into a state.
func (f *flows) entered(s envelope.State, n int) {
	for _, one := range f.states() {
		if one.state == s {
			one.count.Add(int64(n))
		}
	}
}

type stateCount struct {
	state envelope.State
	count *atomic.Int64
}

func (f *flows) states() []stateCount {
	return []stateCount{{envelope.Unpaid, &f.unpaid}, {envelope.Active, &f.active}, {envelope.Empty, &f.empty},
		{envelope.Expired, &f.expired}, {envelope.Closed, &f.closed}}
}

// paidIn counts a payment that was committed for e.
func (f *flows) paidIn(e *envelope.Envelope, amount envelope.Fen) {
	f.paid.Add(int64(amount))
	if e.State != envelope.Closed { // late ones go back
		f.entered(envelope.Active, 1)
	}
}

// openedBy counts the shares of a committed batch.
func (f *flows) openedBy(b *batch) {
	var sum envelope.Fen
	for i := range b.openings {
		if b.openings[i].Outcome == envelope.Opened {
			sum += b.openings[i].Share.Amount
		}
	}
	f.opened.Add(int64(sum))
	f.entered(envelope.Empty, b.emptied)
}

func (f *flows) register(reg prometheus.Registerer) error {
	counter := func(name, help string, labels prometheus.Labels, v *atomic.Int64) error {
		return reg.Register(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "hongbao_set_" + name, Help: help, ConstLabels: labels},
			func() float64 { return float64(v.Load()) }))
	}
	err := errors.Join(
		counter("paid_fen_total", "Fen that payers paid, as this process committed it.", nil, &f.paid),
		counter("opened_fen_total", "Fen in shares that were opened, as this process committed it.", nil, &f.opened),
	)
	for _, one := range f.states() {
		err = errors.Join(err, counter("envelopes_total", "Envelopes that came into a state, as this process committed it.",
			prometheus.Labels{"state": string(one.state)}, one.count))
	}
	return err
}
