package operator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"hongbao/envelope"
	"hongbao/internal/httpapi"
	"hongbao/internal/httpapi/bearer"
	"hongbao/orderset"
	"hongbao/orderset/decision"
	"hongbao/orderset/owed"
)

const (
	// answerMax bounds one call over all SETs.
	answerMax = 10 * time.Second
	// setMax bounds what one SET may take of it, so that one that hangs leaves time
	// to say so.
	setMax = 5 * time.Second
	// listMax bounds what one look at held, parked or disputed rows shows of a SET.
	listMax = 200
)

// Set is what the API asks of one SET: [*orderset.Set] and the order server in
// front of it.
type Set interface {
	Number() envelope.SetNumber

	Backlog(context.Context) (owed.Backlog, error)
	Paused(context.Context) (map[string]string, error)
	Pause(ctx context.Context, topic, reason string) error
	Resume(ctx context.Context, topic string) error
	ParkedDeliveries(ctx context.Context, max int) ([]owed.ParkedDelivery, error)
	UnparkDelivery(ctx context.Context, id envelope.ID, topic envelope.Topic) error
	Disputes(ctx context.Context, max int) ([]decision.Dispute, error)

	Held(ctx context.Context, q decision.HeldQuery) ([]decision.HeldTransfer, error)
	Propose(ctx context.Context, no, by, action string, payee envelope.UserID) (decision.Proposal, error)
	Withdraw(ctx context.Context, no, by string) error
	Approve(ctx context.Context, no, by string, seen decision.Proposal) (envelope.Transfer, error)
	Decisions(ctx context.Context, no string, max int) ([]decision.Decision, error)

	Stuck(ctx context.Context, max int) ([]envelope.Transfer, []decision.StuckBatch, error)
	Causes(context.Context) (map[string]map[string]int, error)
	Retry(ctx context.Context, no string) error
	ProposeDissolve(ctx context.Context, no, by string) error
	ApproveDissolve(ctx context.Context, no, by string) error

	Ping(context.Context) error
	Durability(context.Context) (orderset.Durability, error)

	Refuse(on bool)   // opens that need the database are answered 503, in this process
	Refusing() string // why they are, or ""
}

// Config is what the API works with. All but Operators is required.
type Config struct {
	Sets      func() []Set                   // in the order of the topology
	Set       func(envelope.ID) (Set, error) // of an envelope, however old
	Operators *bearer.Authenticator          // nil: nothing can be changed
	Mint      func() error                   // nil when envelopes can be minted; else why not
	Draining  func() bool                    // the process is about to stop
	Metrics   prometheus.Gatherer
	OpenMode  string   // how this process opens
	Listen    string   // host:port of the listener, a name that requests may be for
	Hosts     []string // further ones
	Log       *slog.Logger
}

// API answers on the operator's listener. It is safe for concurrent use.
type API struct {
	cfg       Config
	problems  *httpapi.Problems
	mux       *http.ServeMux
	origin    *http.CrossOriginProtection
	hosts     []string // names a request may be for
	scrape    http.Handler
	started   time.Time
	described []byte      // the calls, in OpenAPI
	minted    atomic.Bool // set once: it could mint
}

// New refuses a configuration with which it could not answer.
func New(cfg Config) (*API, error) {
	if cfg.Sets == nil || cfg.Set == nil || cfg.Mint == nil || cfg.Draining == nil || cfg.Metrics == nil || cfg.Log == nil {
		return nil, errors.New("operator: everything in the configuration but operators is required")
	}
	a := &API{cfg: cfg, problems: httpapi.NewProblems(cfg.Log), mux: http.NewServeMux(),
		origin: http.NewCrossOriginProtection(), hosts: allowed(cfg.Listen, cfg.Hosts),
		scrape: promhttp.HandlerFor(cfg.Metrics, promhttp.HandlerOpts{}), started: time.Now()}
	for _, c := range a.calls() {
		a.mux.Handle(c.pattern, a.handler(c))
	}
	a.mux.HandleFunc("GET /readyz", a.readyz)
	described := open("GET /openapi.json", a.openAPI)
	a.mux.Handle(described.pattern, a.handler(described))
	var err error
	if a.described, err = newDocument(a.calls(), a.problems); err != nil {
		return nil, fmt.Errorf("operator: its document: %w", err)
	}
	return a, nil
}

// A call is one line of the API: where, for whom, what.
type call struct {
	pattern string
	open    bool         // to those without a token
	in, out reflect.Type // for the document
	serve   func(ctx context.Context, by Person, r *http.Request) (any, error)
}

// calls are all of them.
func (a *API) calls() []call {
	return []call{
		open("GET /outbox", a.outbox),
		secured("POST /outbox/pause", a.pause),
		secured("POST /outbox/resume", a.resume),
		secured("GET /parked", a.parked),
		secured("POST /parked/{id}/{topic}/retry", a.retry),
		secured("GET /disputes", a.disputes),

		secured("GET /held", a.held),
		secured("POST /held/{no}/release", a.release),
		secured("POST /held/{no}/redirect", a.redirect),
		secured("POST /held/{no}/settle", a.settle),
		secured("POST /held/{no}/dismiss", a.dismiss),
		secured("POST /held/{no}/withdraw", a.withdraw),
		secured("POST /held/{no}/approve", a.approve),
		secured("POST /held/release", a.bulkRelease),
		secured("POST /held/approve", a.bulkApprove),
		secured("GET /decisions", a.decisions),

		secured("POST /stuck/retry", a.retryStuck),
		secured("POST /batches/{batch}/dissolve", a.dissolve),
		secured("POST /batches/{batch}/approve", a.dissolved),

		secured("POST /sets/{set}/refuse", a.refuse),
		secured("POST /sets/{set}/admit", a.admit),
		open("GET /load/mode", a.loadMode),

		open("GET /healthz", a.healthz),
		open("GET /metrics", a.metrics),
		secured("GET /debug/pprof/{$}", a.profiles),
		secured("GET /debug/pprof/{profile}", a.profile),
	}
}

// secured is a call for which a person answers with a token.
func secured[I, O any](pattern string, do func(context.Context, Person, I) (O, error)) call {
	return call{pattern: pattern, in: reflect.TypeFor[I](), out: reflect.TypeFor[O](), serve: func(ctx context.Context, by Person, r *http.Request) (any, error) {
		var in I
		if err := decode(r, &in); err != nil {
			return nil, err
		}
		return do(ctx, by, in)
	}}
}

// open is a call that shows counts and states, to every client of the listener.
func open[I, O any](pattern string, do func(context.Context, Person, I) (O, error)) call {
	c := secured(pattern, do)
	c.open = true
	return c
}

// None is the input of a call that takes nothing, and the answer of one that
// says nothing more than that it was done.
type None struct{}

// partial is an answer that can be one about some SETs only.
type partial interface{ complete() bool }

// handler answers one call: with what it returns, or with its error by the table.
func (a *API) handler(c call) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), answerMax)
		defer cancel()
		var by Person
		var err error
		if !c.open {
			by, err = a.person(r)
		}
		var value any
		if err == nil {
			value, err = c.serve(ctx, by, r)
		}
		if err != nil {
			a.problems.Refuse(w, r, err)
			return
		}
		answer(w, r, value)
	})
}

// answer writes what a call returned: a handler's own answer, nothing, or JSON.
func answer(w http.ResponseWriter, r *http.Request, value any) {
	switch v := value.(type) {
	case http.Handler:
		v.ServeHTTP(w, r)
		return
	case None:
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if p, is := value.(partial); is && !p.complete() {
		w.WriteHeader(http.StatusMultiStatus)
	}
	_ = json.NewEncoder(w).Encode(value) // the error of a client that has gone is ignored
}

// person is the caller, by the token.
func (a *API) person(r *http.Request) (Person, error) {
	if a.cfg.Operators == nil {
		return "", httpapi.Unauthenticated("this deployment has no keys.operators, so nobody has a token with scope operate")
	}
	caller, err := a.cfg.Operators.Authenticate(r.Header)
	switch {
	case err != nil && len(r.Header["Authorization"]) == 0:
		return "", httpapi.Unauthenticated("this wants a person's token with scope operate, signed under keys.operators: hongbaoctl token --user YOU --scope operate")
	case err != nil:
		return "", err
	case caller.Scopes&bearer.ScopeOperate == 0:
		return "", bearer.Lacking(bearer.ScopeOperate)
	}
	if err := decision.CheckPerson("operator", string(caller.User)); err != nil {
		return "", httpapi.Unauthenticated("the token's sub, which names the person who operates, " + strings.TrimPrefix(err.Error(), "operator "))
	}
	return Person(caller.User), nil
}

// forbidden turns a rule of a SET into the table's row for it: what was asked is
// well said, and the SET will not do it.
func forbidden(err error) error {
	if e, is := errors.AsType[*envelope.InvalidError](err); is {
		return httpapi.RuleForbids(e)
	}
	return err
}

// LoadMode is how a process opens, and under which promise: what a load run has
// to say beside its numbers.
type LoadMode struct {
	OpenMode   string `json:"open_mode"`
	Durability string `json:"durability"`
}

// loadMode asks all SETs and names the weakest promise. What one promises
// that does not answer is not known, and so is that of all.
func (a *API) loadMode(ctx context.Context, _ Person, _ None) (LoadMode, error) {
	type answer struct {
		is  orderset.Durability
		err error
	}
	weakest := orderset.Durability{Fsynced: true, Copied: true}
	for _, one := range each(ctx, a, func(ctx context.Context, set Set) answer {
		is, err := set.Durability(ctx)
		return answer{is, err}
	}) {
		if one.err != nil {
			return LoadMode{OpenMode: a.cfg.OpenMode, Durability: "not known: a SET does not answer"}, nil
		}
		if one.is.Weaker(weakest) {
			weakest = one.is
		}
	}
	return LoadMode{OpenMode: a.cfg.OpenMode, Durability: weakest.String()}, nil
}

// healthz: the process answers at all.
func (a *API) healthz(context.Context, Person, None) (http.Handler, error) {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte("ok\n")) // the error of a client that has gone is ignored
	}), nil
}

func (a *API) metrics(context.Context, Person, None) (http.Handler, error) { return a.scrape, nil }

// SetInput names a SET.
type SetInput struct {
	Set SetNumber `path:"set"`
}

// refuse makes a SET answer every open that needs its database with 503.
func (a *API) refuse(_ context.Context, by Person, in SetInput) (None, error) {
	return None{}, a.refusing(by, in, true)
}

// admit ends that.
func (a *API) admit(_ context.Context, by Person, in SetInput) (None, error) {
	return None{}, a.refusing(by, in, false)
}

func (a *API) refusing(by Person, in SetInput, on bool) error {
	for _, set := range a.cfg.Sets() {
		if set.Number().String() == string(in.Set) {
			set.Refuse(on)
			a.cfg.Log.Info("operator", "set", in.Set, "refusing", on, "by", by)
			return nil
		}
	}
	return fmt.Errorf("SET %s is not in the topology: %w", in.Set, envelope.ErrNotFound)
}
