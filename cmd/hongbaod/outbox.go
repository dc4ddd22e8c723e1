package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"hongbao/envelope"
	"hongbao/orderset"
)

const (
	// listMax bounds what one look at held, parked or disputed rows shows of a SET.
	listMax = 200
	// operatorAnswerMax bounds one call of an operator over all SETs.
	operatorAnswerMax = 10 * time.Second
)

// outboxRoutes are what operators see of what is owed, and do about it.
func (d *daemon) outboxRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /outbox", d.operate(d.showOutbox))
	mux.HandleFunc("POST /outbox/pause", d.operate(d.pauseOutbox))
	mux.HandleFunc("POST /outbox/resume", d.operate(d.resumeOutbox))
	mux.HandleFunc("GET /parked", d.operate(d.listParked))
	mux.HandleFunc("POST /parked/{id}/{topic}/retry", d.operate(d.retryParked))
	mux.HandleFunc("GET /disputes", d.operate(d.listDisputes))
}

// operate answers with what the call returns, or with its error in words.
func (d *daemon) operate(call func(context.Context, *http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), operatorAnswerMax)
		defer cancel()
		value, err := call(ctx, r)
		switch {
		case err != nil:
			d.log.Warn("operator", "method", r.Method, "path", r.URL.Path, "error", err)
			http.Error(w, err.Error(), operatorStatus(err))
		case value == nil:
			w.WriteHeader(http.StatusNoContent)
		default:
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(value) // the error of a client that has gone is nobody's
		}
	}
}

func operatorStatus(err error) int {
	_, invalid := errors.AsType[*envelope.InvalidError](err)
	_, busy := errors.AsType[*envelope.BusyError](err)
	switch {
	case errors.Is(err, errNotOperator):
		return http.StatusUnauthorized
	case errors.Is(err, envelope.ErrNotFound):
		return http.StatusNotFound
	case invalid:
		return http.StatusUnprocessableEntity
	case busy:
		return http.StatusServiceUnavailable
	case errors.Is(err, envelope.ErrUnknownOutcome):
		return http.StatusGatewayTimeout
	}
	return http.StatusInternalServerError
}

// outboxSet is what one SET owes, by topic.
type outboxSet struct {
	Set    string        `json:"set"`
	Topics []outboxTopic `json:"topics"`
}

type outboxTopic struct {
	Topic    string `json:"topic"`
	Pending  int    `json:"pending"`
	OldestMs int64  `json:"oldest_ms"`        // age of the oldest one pending
	Stuck    int    `json:"stuck"`            // parked or held: waits for people
	Paused   string `json:"paused,omitempty"` // why
}

func (d *daemon) showOutbox(ctx context.Context, _ *http.Request) (any, error) {
	var sets []outboxSet
	for _, set := range d.router.Sets() {
		backlog, err := set.Backlog(ctx)
		if err != nil {
			return nil, err
		}
		paused, err := set.Paused(ctx)
		if err != nil {
			return nil, err
		}
		one := outboxSet{Set: set.Number().String()}
		for _, topic := range orderset.Topics() {
			w := backlog[topic]
			one.Topics = append(one.Topics, outboxTopic{Topic: topic, Pending: w.Pending, OldestMs: w.Oldest.Milliseconds(), Stuck: w.Stuck, Paused: paused[topic]})
		}
		sets = append(sets, one)
	}
	return map[string]any{"sets": sets}, nil
}

// pauseOutbox stops one topic, or all, in every SET until they are resumed.
func (d *daemon) pauseOutbox(ctx context.Context, r *http.Request) (any, error) {
	reason := r.URL.Query().Get("reason")
	if reason == "" {
		reason = "an operator"
	}
	return nil, d.eachTopic(r, func(set *orderset.Set, topic string) error { return set.Pause(ctx, topic, reason) })
}

func (d *daemon) resumeOutbox(ctx context.Context, r *http.Request) (any, error) {
	return nil, d.eachTopic(r, func(set *orderset.Set, topic string) error { return set.Resume(ctx, topic) })
}

func (d *daemon) eachTopic(r *http.Request, do func(*orderset.Set, string) error) error {
	topics := orderset.Topics()
	if only := r.URL.Query().Get("topic"); only != "" {
		topics = []string{only}
	}
	var errs []error
	for _, set := range d.router.Sets() {
		for _, topic := range topics {
			errs = append(errs, do(set, topic))
		}
	}
	d.log.Info("operator", "path", r.URL.Path, "topics", topics)
	return errors.Join(errs...)
}

type parkedRow struct {
	ID       envelope.ID    `json:"id"`
	Topic    envelope.Topic `json:"topic"`
	Attempts int            `json:"attempts"`
	Since    time.Time      `json:"since"`
	Reason   string         `json:"reason"`
}

func (d *daemon) listParked(ctx context.Context, _ *http.Request) (any, error) {
	rows := []parkedRow{}
	for _, set := range d.router.Sets() {
		parked, err := set.ParkedDeliveries(ctx, listMax)
		if err != nil {
			return nil, err
		}
		for _, p := range parked {
			rows = append(rows, parkedRow{p.ID, p.Topic, p.Attempts, p.Since, p.Reason})
		}
	}
	return map[string]any{"parked": rows}, nil
}

func (d *daemon) retryParked(ctx context.Context, r *http.Request) (any, error) {
	id, err := envelope.ParseID(r.PathValue("id"))
	if err != nil {
		return nil, envelope.ErrNotFound
	}
	set, err := d.router.Set(id)
	if err != nil {
		return nil, err
	}
	return nil, set.UnparkDelivery(ctx, id, envelope.Topic(r.PathValue("topic")))
}

type disputeRow struct {
	Kind      string       `json:"kind"`
	Number    string       `json:"number"`
	ID        envelope.ID  `json:"id,omitempty"`
	What      string       `json:"what"`
	AmountFen envelope.Fen `json:"amount_fen"`
	At        time.Time    `json:"at"`
}

func (d *daemon) listDisputes(ctx context.Context, _ *http.Request) (any, error) {
	rows := []disputeRow{}
	for _, set := range d.router.Sets() {
		disputes, err := set.Disputes(ctx, listMax)
		if err != nil {
			return nil, err
		}
		for _, x := range disputes {
			rows = append(rows, disputeRow{x.Kind, x.Number, x.ID, x.What, x.Amount, x.At})
		}
	}
	return map[string]any{"disputes": rows}, nil
}
