package main

import (
	"context"
	"errors"
	"fmt"

	"hongbao/envelope"
	"hongbao/orderset"
	"hongbao/queue"
)

type lane = queue.Lane[envelope.ID, envelope.UserID, envelope.Opening]

// lanes lets openers queue: one lane per table digit of a SET, whose worker
// opens a batch of them in one transaction. It implements envelope.Opener.
type lanes struct {
	router *orderset.Router
	bySet  map[envelope.SetNumber]*[envelope.TableDigits]*lane
}

func newLanes(router *orderset.Router) (*lanes, error) {
	l := &lanes{router: router, bySet: map[envelope.SetNumber]*[envelope.TableDigits]*lane{}}
	for _, set := range router.Sets() {
		l.bySet[set.Number()] = new([envelope.TableDigits]*lane)
		for digit := range envelope.TableDigits {
			one, err := queue.NewLane(queue.LaneConfig{}, serveOpens(set))
			if err != nil {
				return nil, fmt.Errorf("lane %d of SET %v: %w", digit, set.Number(), err)
			}
			l.bySet[set.Number()][digit] = one
		}
	}
	return l, nil
}

// serveOpens hands a lane's batch to the SET. Only a fault is worth bisecting:
// a SET that is down or a commit that is unknown is so for the whole batch.
func serveOpens(set *orderset.Set) queue.Serve[envelope.ID, envelope.UserID, envelope.Opening] {
	return func(ctx context.Context, batch []queue.Item[envelope.ID, envelope.UserID]) ([]queue.Answer[envelope.Opening], error) {
		reqs := make([]orderset.OpenRequest, len(batch))
		for i, item := range batch {
			reqs[i] = orderset.OpenRequest{ID: item.Key, User: item.Req}
		}
		openings, err := set.Open(ctx, reqs)
		if err != nil && !forWholeBatch(err) {
			return nil, err
		}
		answers := make([]queue.Answer[envelope.Opening], len(batch))
		for i := range answers {
			if answers[i].Err = err; err == nil {
				answers[i].Res = openings[i]
			}
		}
		return answers, nil
	}
}

func forWholeBatch(err error) bool {
	_, busy := errors.AsType[*envelope.BusyError](err)
	return busy || errors.Is(err, envelope.ErrUnknownOutcome)
}

// Open queues for a share. Errors of the queue become those of the domain.
func (l *lanes) Open(ctx context.Context, id envelope.ID, user envelope.UserID) (envelope.Opening, error) {
	if _, err := l.router.Set(id); err != nil {
		return envelope.Opening{}, err
	}
	opening, err := l.bySet[id.Set()][id.TableDigit()].Do(ctx, id, user)
	if err == nil {
		return opening, nil
	}
	if full, ok := errors.AsType[*queue.BusyError](err); ok {
		return opening, &envelope.BusyError{Reason: full.Reason, RetryAfter: full.RetryAfter}
	}
	switch {
	case errors.Is(err, queue.ErrClosed):
		return opening, &envelope.BusyError{Reason: queue.ReasonDraining, RetryAfter: drainRetryAfter}
	case errors.Is(err, queue.ErrUnknown):
		return opening, fmt.Errorf("%w: %w", envelope.ErrUnknownOutcome, err)
	}
	return opening, err
}

// Close answers everyone who was admitted, or ends when ctx does.
func (l *lanes) Close(ctx context.Context) error {
	var errs []error
	for _, set := range l.bySet {
		for _, one := range set {
			errs = append(errs, one.Close(ctx))
		}
	}
	return errors.Join(errs...)
}
