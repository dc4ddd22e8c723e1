package main

import (
	"context"
	"errors"
	"fmt"
	"hongbao/internal/httpapi"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hongbao/envelope"
	"hongbao/internal/payment"
	"hongbao/internal/relay"
	"hongbao/internal/settings"
	"hongbao/internal/webhook"
	"hongbao/orderset"
	"hongbao/reconcile/jobs"
)

// nobody hears the events of a deployment without an IM backend to tell.
type nobody struct{}

func (nobody) Notify(context.Context, envelope.Fact) error { return nil }

// addBooks opens users' books.
func (d *daemon) addBooks(conf *settings.Settings) (err error) {
	if d.books, err = openBooks(conf, d.keys); err != nil {
		return err
	}
	return d.books.Register(d.metrics)
}

// addEvents sends events to the IM backend, if there is one.
func (d *daemon) addEvents() error {
	if d.keys.sender == nil {
		d.events = nobody{}
		return nil
	}
	d.events = d.keys.sender
	return d.metrics.Register(d.keys.sender)
}

// addRelays makes one relay a SET: what it carries out, and for whom.
func (d *daemon) addRelays(conf *settings.Settings) error {
	d.relays = map[envelope.SetNumber]*relay.Relay{}
	for _, set := range d.router.Sets() {
		r, err := relay.New(relay.Config{
			Store: set, Orders: set, Cashier: d.keys.provider, Bookkeeper: d.books, Events: d.events,
			Gone:      func(err error) bool { return errors.Is(err, webhook.ErrGone) },
			Backlog:   backlogOf(set),
			PayWithin: conf.Bounds().PayWithin, Now: time.Now, Log: d.log.With("set", set.Number()),
		})
		if err != nil {
			return fmt.Errorf("SET %v: %w", set.Number(), err)
		}
		if err := r.Register(prometheus.WrapRegistererWith(prometheus.Labels{"set": set.Number().String()}, d.metrics)); err != nil {
			return fmt.Errorf("SET %v: metrics: %w", set.Number(), err)
		}
		d.relays[set.Number()] = r
	}
	return nil
}

// backlogOf asks what waits in a SET, in the one process that reports on it.
func backlogOf(set *orderset.Set) func(context.Context) (map[string]relay.Backlog, error) {
	return func(ctx context.Context) (map[string]relay.Backlog, error) {
		if ours, err := set.Reports(ctx); err != nil || !ours {
			return nil, err
		}
		waiting, err := set.Backlog(ctx)
		if err != nil {
			return nil, err
		}
		paused, err := set.Paused(ctx)
		if err != nil {
			return nil, err
		}
		disputes, err := set.CountDisputes(ctx)
		if err != nil {
			return nil, err
		}
		all := map[string]relay.Backlog{topicDispute: {Stuck: disputes}}
		for topic, w := range waiting {
			_, stopped := paused[topic]
			all[topic] = relay.Backlog{Pending: w.Pending, Oldest: w.Oldest, Stuck: w.Stuck, Paused: stopped}
		}
		return all, nil
	}
}

// topicDispute is the topic under which metrics have what the provider and the
// books disagree about: it waits for people, as what is stuck does.
const topicDispute = "dispute"

// runRelays carries out what is owed until ctx ends.
func (d *daemon) runRelays(ctx context.Context) {
	var running sync.WaitGroup
	for _, r := range d.relays {
		running.Go(func() { r.Run(ctx) })
	}
	running.Wait()
}

// addJobs makes what is due by the clock.
func (d *daemon) addJobs(conf *settings.Settings) error {
	var expirers []jobs.Expirer
	for _, set := range d.router.Sets() {
		expirers = append(expirers, d.servers.bySet[set.Number()])
	}
	calendar, err := jobs.Calendar(d.migrators, time.Now)
	if err != nil {
		return err
	}
	expiry, err := jobs.Expiry(expirers)
	if err != nil {
		return err
	}
	purge, err := jobs.Purge(d.migrators)
	if err != nil {
		return err
	}
	d.jobs = []jobs.Job{calendar, expiry, purge}
	if after := conf.Payment.ReturnAfter(); after > 0 {
		returns, err := jobs.Returns(d.router.Sets(), after)
		if err != nil {
			return err
		}
		d.jobs = append(d.jobs, returns)
	}
	return nil
}

// notified takes what the payment provider says of its own accord: a payment
// for the teller, or what became of transfers for the relay of their SET.
func (d *daemon) notified(teller *envelope.Teller, provider *payment.Client) func(context.Context, http.Header, []byte) error {
	return func(ctx context.Context, header http.Header, body []byte) error {
		notice, err := provider.ParseNotice(header, body)
		switch {
		case errors.Is(err, payment.ErrNothingToDo):
			return nil
		case err != nil:
			return err
		case notice.Payment != nil:
			return teller.Paid(ctx, *notice.Payment)
		case notice.Batch != nil:
			return d.hearBatch(*notice.Batch)
		}
		return d.hear(ctx, *notice.Transfer)
	}
}

func (d *daemon) hearBatch(status envelope.PayoutBatchStatus) error {
	id, err := envelope.ParsePayoutBatchNo(status.No)
	if err != nil {
		return fmt.Errorf("%w: %w", envelope.ErrNotFound, err)
	}
	if _, err := d.router.Set(id); err != nil {
		return err
	}
	return d.relays[id.Set()].RecordBatch(status)
}

func (d *daemon) hear(ctx context.Context, status envelope.TransferStatus) error {
	id, _, _, err := envelope.ParseTransferNo(status.No)
	if err != nil {
		return fmt.Errorf("%w: %w", envelope.ErrNotFound, err)
	}
	if _, err := d.router.Set(id); err != nil {
		return err
	}
	return d.relays[id.Set()].RecordTransfer(ctx, envelope.TransferWord{TransferStatus: status})
}

// refusedNotice says why a notification did not get as far as our rows.
func refusedNotice(err error) httpapi.Refused {
	switch {
	case errors.Is(err, payment.ErrForged):
		return httpapi.RefusedForged
	case errors.Is(err, payment.ErrNotOurs):
		return httpapi.RefusedNotOurs
	case errors.Is(err, payment.ErrUnreadable):
		return httpapi.RefusedUnreadable
	}
	return httpapi.RefusedElsewhere
}
