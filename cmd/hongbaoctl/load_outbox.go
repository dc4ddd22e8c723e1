package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// outbox asks the playground's own hongbaod; what is owed is the databases', not
// a process's.
func (g *ground) outbox(ctx context.Context) ([]owedBySet, error) {
	ctx, cancel := context.WithTimeout(ctx, operatorAnswerMax)
	defer cancel()
	var all owed
	if err := (&client{}).call(ctx, http.MethodGet, g.report.Operator+"/outbox", nil, &all, "", ""); err != nil {
		return nil, fmt.Errorf("outbox: %w", err)
	}
	return all.Sets, nil
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
	each := func(ctx context.Context, verb string) error {
		var errs []error
		for _, topic := range ours {
			query := url.Values{"topic": {topic}, "reason": {pauseReason}}
			errs = append(errs, (&client{}).call(ctx, http.MethodPost, g.report.Operator+"/outbox/"+verb+"?"+query.Encode(), nil, nil, "", ""))
		}
		return errors.Join(errs...)
	}
	letGo = func(ctx context.Context) error { return each(context.WithoutCancel(ctx), "resume") }
	if err := each(ctx, "pause"); err != nil {
		return nil, errors.Join(err, letGo(ctx))
	}
	return letGo, nil
}

// heldBack runs a measurement while nothing that follows from its opens is
// carried out, and says afterwards how much that is.
func (g *ground) heldBack(ctx context.Context, quiet bool, do func() error) error {
	letGo, err := g.holdBack(ctx)
	if err != nil {
		return err
	}
	say := newNarrator(quiet)
	say.say("payouts, books and events are held back while opens are measured")
	err = do()
	var backlog []string
	if sets, asked := g.outbox(context.WithoutCancel(ctx)); asked == nil {
		for _, set := range sets {
			for _, topic := range set.Topics {
				if topic.Pending > 0 {
					backlog = append(backlog, fmt.Sprintf("SET %s %s %d", set.Set, topic.Topic, topic.Pending))
				}
			}
		}
	}
	if err := errors.Join(err, letGo(ctx)); err != nil {
		return err
	}
	if len(backlog) > 0 {
		say.say("they go on now, which takes a while (hongbaoctl outbox status): %s", strings.Join(backlog, ", "))
	}
	return nil
}
