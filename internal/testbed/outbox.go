package testbed

import (
	"context"
	"errors"
	"fmt"

	"hongbao/envelope"
	"hongbao/internal/operator"
	"hongbao/loadtest/measure"
	"hongbao/orderset/owed"
)

// outbox asks the environment's own hongbaod; what is pending is the databases', not
// a process's.
func (bed *Testbed) outbox(ctx context.Context) ([]operator.OutboxSet, error) {
	o, err := bed.operator(bed.desc.Operator)
	if err != nil {
		return nil, err
	}
	all, err := o.Outbox(ctx)
	for _, set := range all.Sets {
		if set.Error != "" {
			err = errors.Join(err, fmt.Errorf("SET %s: %s", set.Set, set.Error))
		}
	}
	if err != nil {
		return nil, fmt.Errorf("outbox: %w", err)
	}
	return all.Sets, nil
}

// pauseReason names this program, so that an operator who finds a pause knows its
// origin.
const pauseReason = "hongbaoctl load measures opens"

// HoldBack pauses what follows from opens, in every SET and process, and returns
// how to let it go on. What was paused for another reason stays paused.
func (bed *Testbed) HoldBack(ctx context.Context) (letGo func(context.Context) error, err error) {
	sets, err := bed.outbox(ctx)
	if err != nil {
		return nil, err
	}
	var ours []string
	for _, topic := range sets[0].Topics {
		if theirs := topic.Paused != "" && topic.Paused != pauseReason; !theirs {
			ours = append(ours, topic.Topic)
		}
	}
	each := func(ctx context.Context, do func(*operator.Client, string) (operator.Steered, error)) error {
		var errs []error
		for _, topic := range ours {
			o, err := bed.operator(bed.desc.Operator)
			if err != nil {
				return err
			}
			steered, err := do(o, topic)
			errs = append(errs, err)
			for _, missed := range steered.Missed() {
				errs = append(errs, fmt.Errorf("%s in SET %s: %s", topic, missed.Set, missed.Error))
			}
		}
		return errors.Join(errs...)
	}
	letGo = func(ctx context.Context) error {
		ctx = context.WithoutCancel(ctx)
		return each(ctx, func(o *operator.Client, topic string) (operator.Steered, error) {
			return o.Resume(ctx, operator.ResumeInput{Topic: operator.Topic(topic)})
		})
	}
	err = each(ctx, func(o *operator.Client, topic string) (operator.Steered, error) {
		return o.Pause(ctx, operator.PauseInput{Topic: operator.Topic(topic), Reason: pauseReason})
	})
	if err != nil {
		return nil, errors.Join(err, letGo(ctx))
	}
	return letGo, nil
}

// Backlog adds up what is pending in all SETs.
func (bed *Testbed) Backlog(ctx context.Context) (b measure.Backlog, err error) {
	sets, err := bed.outbox(ctx)
	for _, set := range sets {
		for _, t := range set.Topics {
			switch t.Topic {
			case owed.TopicOutbox:
				b.Outbox += t.Pending
			case owed.TopicTransfer:
				b.Transfers += t.Pending
			case string(envelope.TopicBook):
				b.Books, b.BooksMs = b.Books+t.Pending, max(b.BooksMs, t.OldestMs)
			case string(envelope.TopicEvent):
				b.Events, b.EventsMs = b.Events+t.Pending, max(b.EventsMs, t.OldestMs)
			}
		}
	}
	return b, err
}

// Pending counts what waits to be carried out, and charges too if they will end soon.
func (bed *Testbed) Pending(ctx context.Context, charges bool) (total int, err error) {
	sets, err := bed.outbox(ctx)
	for _, set := range sets {
		for _, topic := range set.Topics {
			if topic.Paused == "" && (charges || topic.Topic != string(envelope.TopicCharge)) {
				total += topic.Pending
			}
		}
	}
	return total, err
}
