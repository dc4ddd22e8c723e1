package relay

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"hongbao/envelope"
)

const (
	eventsMin      = 128             // envelopes claimed at once
	eventsMax      = 512             // as long as these take no longer than
	eventsTakeMax  = 5 * time.Second // this, at the pace of the claim before
	eventsInFlight = 16              // envelopes whose events are in flight
	deliverMax     = 10 * time.Second
)

// eventOnce notifies the IM backend of what is due: several envelopes at once, the
// facts of each in order.
func (r *Relay) eventOnce(ctx context.Context) (int, error) {
	ds, err := r.claim(ctx, envelope.TopicEvent, r.event.allow(r.eventsNext))
	if len(ds) == 0 {
		return 0, err
	}
	begun := r.cfg.Now()
	defer func() { r.eventsNext = eventsWithin(len(ds), r.cfg.Now().Sub(begun)) }()
	work, cancel := carry(ctx, deliveryWorkMax)
	defer cancel()
	all, err := r.statements(work, ds)
	if err != nil {
		return 0, err
	}
	var mu sync.Mutex
	var delivered []envelope.Delivery
	var group errgroup.Group
	group.SetLimit(eventsInFlight)
	for _, o := range all {
		if len(ds) > 1 && r.event.isOpen() { // a probe comes alone
			break // the rest comes back when its lease ends
		}
		group.Go(func() error {
			if d, ok := r.deliver(ctx, work, o); ok {
				mu.Lock()
				defer mu.Unlock()
				delivered = append(delivered, d)
			}
			return nil
		})
	}
	_ = group.Wait() // every member hands its failure to its delivery
	finish, cancelFinish := carry(ctx, claimMax)
	defer cancelFinish()
	return len(ds), r.finish(finish, delivered)
}

// eventsWithin is how many to claim when the deliveries of the last claim took so long.
// A slow receiver is given few: what does not end within the lease has to be claimed
// again.
func eventsWithin(last int, took time.Duration) int {
	return min(max(eventsMin, int(time.Duration(last)*eventsTakeMax/max(took, 1))), eventsMax)
}

// deliver sends all that is due of one envelope, in order, and moves its cursor with
// every event that is acknowledged: what follows from a failure is recorded with the
// cursor as far as it came, and only the rest is sent again. It begins nothing after
// the end of ctx or of the work's time; a delivery of which nothing was acknowledged
// then comes back when its lease ends.
func (r *Relay) deliver(ctx, work context.Context, o claimedDelivery) (envelope.Delivery, bool) {
	facts, at := envelope.Owed(&o.s, o.d.At)
	d := o.d
	for _, f := range facts {
		if ctx.Err() != nil || work.Err() != nil {
			if d.At != o.d.At {
				record, cancel := carry(ctx, claimMax)
				defer cancel()
				r.putOff(record, d, 0, "interrupted")
			}
			return d, false
		}
		if err := r.deliverOne(work, f); err != nil {
			record, cancel := carry(ctx, claimMax)
			defer cancel()
			r.undelivered(record, d, fmt.Errorf("deliver %s: %w", f.Kind, err))
			return d, false
		}
		d.At = f.Then
	}
	d.At = at
	return d, true
}

func (r *Relay) deliverOne(ctx context.Context, f envelope.Fact) error {
	ctx, cancel := context.WithTimeout(ctx, deliverMax)
	defer cancel()
	err := r.cfg.Events.Notify(ctx, f)
	r.event.record(err)
	return err
}

// undelivered decides what follows from an event that its receiver did not take.
func (r *Relay) undelivered(ctx context.Context, d envelope.Delivery, cause error) {
	if r.cfg.Gone == nil || !r.cfg.Gone(cause) {
		r.failed(ctx, d, cause)
		return
	}
	r.alarm(string(d.Topic), "the receiver of events is gone; the topic is paused", "cause", cause)
	if err := r.cfg.Store.Pause(ctx, string(d.Topic), cut(cause.Error())); err != nil {
		r.cfg.Log.Warn("pause events", "error", err)
	}
	r.pauses.forget()
	r.putOff(ctx, d, afterFailure().first, cause.Error())
}
