package main

import (
	"context"
	"errors"
	"fmt"

	"hongbao/internal/operator"
)

// outbox asks the playground's own hongbaod; what is owed is the databases', not
// a process's.
func (g *ground) outbox(ctx context.Context) ([]operator.OutboxSet, error) {
	o, err := g.operator(g.report.Operator)
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

// operator is a client of a hongbaod of the playground, or of one of ours on its
// keys.
func (g *ground) operator(base string) (*operator.Client, error) {
	return completeOperator(&operator.Client{Base: base}, g.settings, "")
}

// pauseReason names this program, so that whoever finds a pause knows whose it
// was.
const pauseReason = "hongbaoctl load measures opens"

// holdBack pauses what follows from opens, in every SET and process, and returns
// how to let it go on. What somebody else has paused stays paused.
func (g *ground) holdBack(ctx context.Context) (letGo func(context.Context) error, err error) {
	sets, err := g.outbox(ctx)
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
			o, err := g.operator(g.report.Operator)
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
