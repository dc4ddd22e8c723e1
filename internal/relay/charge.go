package relay

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"hongbao/envelope"
)

const (
	chargesMax      = 256 // unpaid envelopes claimed at once
	chargesInFlight = 16  // asked about at once
	chargeMax       = 20 * time.Second
	chargeWaitMin   = time.Second
)

// errChargeRefunded leaves an envelope to people: its money came and went back
// without this service having a part in either.
var errChargeRefunded = errors.New("the charge was paid and refunded before the envelope became active")

// chargeOnce looks after envelopes of which no payment is known.
// Notifications may never arrive (FF7): asking is what decides. Most are active
// by the time of the first look, and cost the provider nothing.
func (r *Relay) chargeOnce(ctx context.Context) (int, error) {
	ds, err := r.claim(ctx, envelope.TopicCharge, chargesMax)
	if len(ds) == 0 {
		return 0, err
	}
	work, cancel := carry(ctx, deliveryWorkMax)
	defer cancel()
	all, err := r.statements(work, ds)
	if err != nil {
		return 0, err
	}
	var unpaid []claimedDelivery
	var settled []envelope.Delivery
	for _, o := range all {
		if o.s.Envelope.State == envelope.Unpaid {
			unpaid = append(unpaid, o)
		} else {
			settled = append(settled, o.d)
		}
	}
	settled = append(settled, r.lookAfterAll(ctx, work, unpaid)...)
	finish, cancelFinish := carry(ctx, claimMax)
	defer cancelFinish()
	return len(ds), r.finish(finish, settled)
}

// lookAfterAll asks about some charges at once and returns those that need no
// further look. It asks about fewer while the provider is out; the others come
// back when their leases end.
func (r *Relay) lookAfterAll(ctx, work context.Context, unpaid []claimedDelivery) (settled []envelope.Delivery) {
	unpaid = unpaid[:r.charge.allow(len(unpaid))]
	var mu sync.Mutex
	var group errgroup.Group
	group.SetLimit(chargesInFlight)
	for _, o := range unpaid {
		if ctx.Err() != nil || work.Err() != nil || len(unpaid) > 1 && r.charge.isOpen() { // a probe comes alone
			break
		}
		group.Go(func() error {
			if r.lookAfter(work, o) {
				mu.Lock()
				defer mu.Unlock()
				settled = append(settled, o.d)
			}
			return nil
		})
	}
	_ = group.Wait() // every member hands its failure to its delivery
	return settled
}

// lookAfter asks about one charge, and reports whether that was the last time.
func (r *Relay) lookAfter(ctx context.Context, o claimedDelivery) bool {
	asking, cancel := context.WithTimeout(ctx, chargeMax)
	defer cancel()
	again, err := r.settleCharge(asking, &o.s)
	var busy *envelope.BusyError
	switch {
	case err == nil && again == 0:
		return true
	case err == nil:
		r.putOff(ctx, o.d, again, "not paid yet")
	case errors.Is(err, envelope.ErrPaymentMismatch), errors.Is(err, errChargeRefunded):
		r.park(ctx, o.d, 0, err)
	case errors.As(err, &busy):
		d, _ := retryAfter(err)
		r.putOff(ctx, o.d, d, err.Error())
	case causeOf(err, o.d.Attempts) != "": // not for ever: an envelope that is left unpaid must close some day
		r.park(ctx, o.d, whileStuck().after(o.d.Attempts), err)
	default:
		r.putOff(ctx, o.d, afterFailure().after(o.d.Attempts), err.Error())
	}
	return false
}

// settleCharge makes the envelope active or closed, or says when to look again.
func (r *Relay) settleCharge(ctx context.Context, s *envelope.Statement) (again time.Duration, err error) {
	id := s.Envelope.ID
	status, err := r.queryCharge(ctx, id)
	if err != nil {
		return 0, err
	}
	switch status.State {
	case envelope.ChargePaid:
		return 0, r.pay(ctx, status.Payment)
	case envelope.ChargeRefunded:
		return 0, errChargeRefunded
	case envelope.ChargeClosed:
		return 0, r.close(ctx, id)
	}
	if age := s.Now.Sub(s.Envelope.CreatedAt); age < r.cfg.PayWithin {
		return nextLook(age, r.cfg.PayWithin), nil
	}
	err = r.cfg.Cashier.CloseCharge(ctx, id)
	if !errors.Is(err, envelope.ErrChargePaid) {
		r.charge.record(err)
		if err != nil {
			return 0, fmt.Errorf("close the charge: %w", err)
		}
		return 0, r.close(ctx, id)
	}
	r.charge.record(nil)
	return r.payAfterAll(ctx, id)
}

// payAfterAll takes the payment that came between the question and the closing.
func (r *Relay) payAfterAll(ctx context.Context, id envelope.ID) (again time.Duration, err error) {
	status, err := r.queryCharge(ctx, id)
	switch {
	case err != nil:
		return 0, err
	case status.State == envelope.ChargePaid:
		return 0, r.pay(ctx, status.Payment)
	}
	return 0, fmt.Errorf("the charge is paid, says the closing, and %s, says the query: %w", status.State, envelope.ErrUnknownOutcome)
}

func (r *Relay) queryCharge(ctx context.Context, id envelope.ID) (envelope.ChargeStatus, error) {
	status, err := r.cfg.Cashier.QueryCharge(ctx, id)
	r.charge.record(err)
	if err != nil {
		return status, fmt.Errorf("query the charge: %w", err)
	}
	return status, nil
}

func (r *Relay) pay(ctx context.Context, p envelope.Payment) error {
	if _, err := r.cfg.Orders.Pay(ctx, p); err != nil {
		return fmt.Errorf("pay: %w", err)
	}
	return nil
}

// close ends an envelope whose charge can not be paid any more. A payment that
// was on its way here all the same is refunded (FF11).
func (r *Relay) close(ctx context.Context, id envelope.ID) error {
	if _, err := r.cfg.Orders.CloseUnpaid(ctx, id); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	return nil
}

// chargeLooks are the ages at which an unpaid envelope is asked about; the last
// one is PayWithin.
func chargeLooks() []time.Duration {
	return []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute}
}

// nextLook is the wait until the next look at an unpaid envelope of this age. It
// goes by age and not by attempts, so an outage in between repeats nothing.
func nextLook(age, payWithin time.Duration) time.Duration {
	next := payWithin
	for _, at := range chargeLooks() {
		if at > age && at < payWithin {
			next = at
			break
		}
	}
	return max(next-age, chargeWaitMin)
}
