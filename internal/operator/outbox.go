package operator

import (
	"context"
	"slices"
	"time"

	"hongbao/envelope"
	"hongbao/orderset/owed"
)

// Outbox is what every SET owes.
type Outbox struct {
	Sets []OutboxSet `json:"sets"`
}

// OutboxSet is what one SET owes, by topic; no topics where it did not answer.
type OutboxSet struct {
	SetState
	Refusing string        `json:"refusing,omitempty"` // why this process refuses opens that need its database
	Topics   []OutboxTopic `json:"topics"`
}

// OutboxTopic is what waits under one topic.
type OutboxTopic struct {
	Topic    string `json:"topic"`
	Pending  int    `json:"pending"`
	OldestMs int64  `json:"oldest_ms"`        // age of the oldest one pending
	Stuck    int    `json:"stuck"`            // parked, held or stuck: waits for people
	Paused   string `json:"paused,omitempty"` // why
	// Causes are why what is stuck is: the most frequent causes, and how many have
	// each.
	Causes map[string]int `json:"causes,omitempty"`
}

// Stuck reports whether something waits for people.
func (o *Outbox) Stuck() bool { return o.any(func(t OutboxTopic) bool { return t.Stuck > 0 }) }

// Paused reports whether a topic is paused somewhere.
func (o *Outbox) Paused() bool { return o.any(func(t OutboxTopic) bool { return t.Paused != "" }) }

func (o *Outbox) any(is func(OutboxTopic) bool) bool {
	return slices.ContainsFunc(o.Sets, func(s OutboxSet) bool { return slices.ContainsFunc(s.Topics, is) })
}

// Impaired reports whether a SET refuses or does not answer.
func (o *Outbox) Impaired() bool {
	return slices.ContainsFunc(o.Sets, func(s OutboxSet) bool { return s.Error != "" || s.Refusing != "" })
}

func (a *API) outbox(ctx context.Context, _ Person, _ None) (Outbox, error) {
	return Outbox{each(ctx, a, a.outboxOf)}, nil
}

func (a *API) outboxOf(ctx context.Context, set Set) OutboxSet {
	one := OutboxSet{SetState: SetState{Set: set.Number().String()}, Refusing: set.Refusing(), Topics: []OutboxTopic{}}
	backlog, err := set.Backlog(ctx)
	if err != nil {
		one.fail(a, err)
		return one
	}
	paused, err := set.Paused(ctx)
	if err != nil {
		one.fail(a, err)
		return one
	}
	causes, err := set.Causes(ctx)
	if err != nil {
		one.fail(a, err)
		return one
	}
	for _, topic := range owed.Topics() {
		w := backlog[topic]
		one.Topics = append(one.Topics, OutboxTopic{Topic: topic, Pending: w.Pending, OldestMs: w.Oldest.Milliseconds(), Stuck: w.Stuck, Paused: paused[topic], Causes: causes[topic]})
	}
	return one
}

// PauseInput stops one topic, or all.
type PauseInput struct {
	Topic  Topic  `param:"topic"`
	Reason Reason `param:"reason"`
}

// ResumeInput lets one topic, or all, go on.
type ResumeInput struct {
	Topic Topic `param:"topic"`
}

// Steered is what came of a pause or a resumption: 200 when it reached every
// SET, 207 when it did not.
type Steered struct {
	Done   string       `json:"done"` // pause or resume
	Topics []string     `json:"topics"`
	Sets   []SteeredSet `json:"sets"`
}

// SteeredSet is what came of it in one SET: the topics for which it is done.
type SteeredSet struct {
	SetState
	Done []string `json:"done"`
}

func (s Steered) complete() bool { return len(s.Missed()) == 0 }

// Missed are the SETs where it is not done, or not known to be.
func (s Steered) Missed() (missed []SteeredSet) {
	for _, one := range s.Sets {
		if one.Error != "" {
			missed = append(missed, one)
		}
	}
	return missed
}

// pause stops one topic, or all, in every SET until they are resumed.
func (a *API) pause(ctx context.Context, by Person, in PauseInput) (Steered, error) {
	reason := string(in.Reason)
	if reason == "" {
		reason = "by " + string(by)
	}
	return a.steer(ctx, by, "pause", in.Topic, func(ctx context.Context, set Set, topic string) error { return set.Pause(ctx, topic, reason) }), nil
}

func (a *API) resume(ctx context.Context, by Person, in ResumeInput) (Steered, error) {
	return a.steer(ctx, by, "resume", in.Topic, func(ctx context.Context, set Set, topic string) error { return set.Resume(ctx, topic) }), nil
}

func (a *API) steer(ctx context.Context, by Person, what string, only Topic, do func(context.Context, Set, string) error) Steered {
	topics := only.list()
	s := Steered{Done: what, Topics: topics, Sets: each(ctx, a, func(ctx context.Context, set Set) SteeredSet {
		one := SteeredSet{SetState: SetState{Set: set.Number().String()}, Done: []string{}}
		for _, topic := range topics {
			if err := do(ctx, set, topic); err != nil {
				one.fail(a, err)
				break
			}
			one.Done = append(one.Done, topic)
		}
		return one
	})}
	a.cfg.Log.Info("operator", "does", what, "topics", topics, "by", by, "missed", s.Missed())
	return s
}

// Parked are deliveries that were given up.
type Parked struct {
	Parked []ParkedRow `json:"parked"`
	Sets   States      `json:"sets"`
}

// ParkedRow is one of them.
type ParkedRow struct {
	ID       envelope.ID    `json:"id"`
	Topic    envelope.Topic `json:"topic"`
	Attempts int            `json:"attempts"`
	Since    time.Time      `json:"since"`
	Reason   string         `json:"reason"`
}

func (a *API) parked(ctx context.Context, _ Person, _ None) (Parked, error) {
	rows, states := list(ctx, a, func(ctx context.Context, set Set, max int) (rows []ParkedRow, err error) {
		parked, err := set.ParkedDeliveries(ctx, max)
		for _, p := range parked {
			rows = append(rows, ParkedRow{p.ID, p.Topic, p.Attempts, p.Since, p.Reason})
		}
		return rows, err
	})
	return Parked{rows, states}, nil
}

// DeliveryInput names a delivery.
type DeliveryInput struct {
	ID    OrderID       `path:"id"`
	Topic DeliveryTopic `path:"topic"`
}

// retry makes a parked delivery due at once.
func (a *API) retry(ctx context.Context, by Person, in DeliveryInput) (None, error) {
	set, err := a.cfg.Set(envelope.ID(in.ID))
	if err != nil {
		return None{}, err
	}
	if err := set.UnparkDelivery(ctx, envelope.ID(in.ID), envelope.Topic(in.Topic)); err != nil {
		return None{}, forbidden(err)
	}
	a.cfg.Log.Info("operator", "retries", in.ID, "topic", in.Topic, "by", by)
	return None{}, nil
}

// Disputes are what the provider says and our rows deny.
type Disputes struct {
	Disputes []DisputeRow `json:"disputes"`
	Sets     States       `json:"sets"`
}

// DisputeRow is one of them.
type DisputeRow struct {
	Kind      string       `json:"kind"`
	Number    string       `json:"number"`
	ID        envelope.ID  `json:"id,omitempty"`
	What      string       `json:"what"`
	AmountFen envelope.Fen `json:"amount_fen"`
	At        time.Time    `json:"at"`

	ResolvedAt time.Time `json:"resolved_at,omitzero"` // settled or dismissed by two people
}

func (a *API) disputes(ctx context.Context, _ Person, _ None) (Disputes, error) {
	rows, states := list(ctx, a, func(ctx context.Context, set Set, max int) (rows []DisputeRow, err error) {
		disputes, err := set.Disputes(ctx, max)
		for _, x := range disputes {
			rows = append(rows, DisputeRow{x.Kind, x.Number, x.ID, x.What, x.Amount, x.At, x.ResolvedAt})
		}
		return rows, err
	})
	return Disputes{rows, states}, nil
}
