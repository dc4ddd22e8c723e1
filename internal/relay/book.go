package relay

import (
	"context"
	"fmt"
	"time"

	"hongbao/envelope"
)

const (
	booksMax = 512 // envelopes posted to the books at once
	postMax  = 20 * time.Second
)

// bookOnce posts the facts that are due to the users' books, a batch as one post.
func (r *Relay) bookOnce(ctx context.Context) (int, error) {
	ds, err := r.claim(ctx, envelope.TopicBook, r.book.allow(booksMax))
	if len(ds) == 0 {
		return 0, err
	}
	work, cancel := carry(ctx, deliveryWorkMax)
	defer cancel()
	posted, last := 0, error(nil)
	err = alone(ds, func(part []envelope.Delivery) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		err := r.post(work, part)
		if err == nil {
			posted += len(part)
		}
		return err
	}, func(d envelope.Delivery, err error) {
		last = err
		r.failed(work, d, err)
	})
	switch {
	case err != nil: // what is left comes back when its lease ends
		r.book.trip(err)
	case posted > 0:
		r.book.record(nil)
	default:
		r.book.record(last)
	}
	return len(ds), err
}

// post tells the books about some envelopes, all or none of them.
func (r *Relay) post(ctx context.Context, ds []envelope.Delivery) error {
	ctx, cancel := context.WithTimeout(ctx, postMax)
	defer cancel()
	statements, err := r.cfg.Store.Statements(ctx, ds)
	if err != nil {
		return err
	}
	var facts []envelope.Fact
	posted := make([]envelope.Delivery, len(ds))
	for i, d := range ds {
		var due []envelope.Fact
		due, d.At = envelope.Owed(&statements[i], d.At)
		facts, posted[i] = append(facts, due...), d
	}
	if len(facts) > 0 {
		if err := r.cfg.Bookkeeper.Post(ctx, facts); err != nil {
			return fmt.Errorf("post %d facts: %w", len(facts), err)
		}
	}
	return r.finish(ctx, posted)
}
