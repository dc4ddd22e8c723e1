package relay

import (
	"context"
	"fmt"
	"strings"
	"time"

	"hongbao/envelope"
)

const (
	// deliveryLease is how long a claimed delivery is left alone by others, and
	// deliveryWorkMax how much of it is used: a receiver is never called when another
	// relay may have claimed the delivery.
	deliveryLease   = 30 * time.Second
	deliveryWorkMax = 20 * time.Second
	claimMax        = 5 * time.Second
	// attemptsMax failures park a delivery, some three quarters of an hour after
	// the first.
	attemptsMax    = 20
	reasonBytesMax = 200
)

// claim takes at most that many due deliveries, and none of a topic that people
// have paused.
func (r *Relay) claim(ctx context.Context, topic envelope.Topic, most int) ([]envelope.Delivery, error) {
	if most == 0 {
		return nil, nil
	}
	if paused, err := r.pauses.paused(ctx, string(topic)); paused || err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, claimMax)
	defer cancel()
	ds, err := r.cfg.Store.ClaimDeliveries(ctx, topic, most, deliveryLease)
	if err != nil {
		return nil, fmt.Errorf("claim %s deliveries: %w", topic, err)
	}
	r.metrics.claimed.WithLabelValues(string(topic)).Add(float64(len(ds)))
	return ds, nil
}

// claimedDelivery is a delivery with the statement that its facts are made from.
type claimedDelivery struct {
	d envelope.Delivery
	s envelope.Statement
}

// statements reads the statements of deliveries. An envelope that cannot be read fails alone.
func (r *Relay) statements(ctx context.Context, ds []envelope.Delivery) ([]claimedDelivery, error) {
	all := make([]claimedDelivery, 0, len(ds))
	err := alone(ds, func(part []envelope.Delivery) error {
		statements, err := r.cfg.Store.Statements(ctx, part)
		if err != nil {
			return err
		}
		for i, d := range part {
			all = append(all, claimedDelivery{d, statements[i]})
		}
		return nil
	}, func(d envelope.Delivery, err error) { r.failed(ctx, d, err) })
	if err != nil {
		return nil, fmt.Errorf("read statements: %w", err)
	}
	return all, nil
}

// finish records the cursors of deliveries that reached their receiver.
func (r *Relay) finish(ctx context.Context, ds []envelope.Delivery) error {
	if len(ds) == 0 {
		return nil
	}
	if err := r.cfg.Store.FinishDeliveries(ctx, ds); err != nil {
		return fmt.Errorf("finish %d %s deliveries: %w", len(ds), ds[0].Topic, err)
	}
	r.metrics.done.WithLabelValues(string(ds[0].Topic)).Add(float64(len(ds)))
	return nil
}

// failed puts a delivery off, or parks it when it has failed often enough while
// others did not: what fails while the receiver is out says nothing about it.
func (r *Relay) failed(ctx context.Context, d envelope.Delivery, cause error) {
	wait := afterFailure().after(d.Attempts)
	switch {
	case r.breakerOf(d.Topic).isOpen():
		wait = min(wait, betweenProbes().max)
	case d.Attempts >= attemptsMax && !isBusy(cause):
		r.park(ctx, d, 0, cause)
		return
	}
	r.putOff(ctx, d, wait, cause.Error())
}

func (r *Relay) breakerOf(topic envelope.Topic) *breaker {
	switch topic {
	case envelope.TopicBook:
		return r.book
	case envelope.TopicEvent:
		return r.event
	}
	return r.charge
}

// putOff and park only try: a delivery that stays claimed comes back when its
// lease ends.
func (r *Relay) putOff(ctx context.Context, d envelope.Delivery, wait time.Duration, reason string) {
	r.metrics.putOff.WithLabelValues(string(d.Topic)).Inc()
	if err := r.cfg.Store.PutOffDelivery(ctx, d, wait, cut(reason)); err != nil {
		r.cfg.Log.Warn("put off a delivery", "topic", d.Topic, "order_no", d.ID, "error", err)
	}
}

func (r *Relay) park(ctx context.Context, d envelope.Delivery, wait time.Duration, cause error) {
	r.metrics.parked.WithLabelValues(string(d.Topic)).Inc()
	r.alarm(string(d.Topic), "a delivery is parked", "order_no", d.ID, "attempts", d.Attempts, "cause", cause)
	if err := r.cfg.Store.ParkDelivery(ctx, d, wait, cut(cause.Error())); err != nil {
		r.cfg.Log.Warn("park a delivery", "topic", d.Topic, "order_no", d.ID, "error", err)
	}
}

// cut shortens a reason to what its column holds, never inside a rune.
func cut(s string) string {
	return strings.ToValidUTF8(s[:min(len(s), reasonBytesMax)], "")
}
