package loadtest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hongbao/envelope"
)

// service answers the API from memory, so that what a crowd does can be tested
// without the service it is for. Users' tokens are their names.
type service struct {
	t       *testing.T
	api     string
	key     envelope.DrawKey
	limits  envelope.Limits
	refuses atomic.Bool
	grabbed sync.Map                  // IDs
	lies    func(o *envelope.Opening) // changes answers to opens

	mu     sync.Mutex
	minted int64
	sent   map[string]envelope.ID // by idempotency key
	all    map[envelope.ID]*stored
}

type stored struct {
	e      envelope.Envelope
	shares []envelope.Share
}

func newService(t *testing.T) *service {
	t.Helper()
	s := &service{t: t, key: testKey(t), limits: envelope.DefaultLimits(), minted: 1 << 50, sent: map[string]envelope.ID{}, all: map[envelope.ID]*stored{}}
	s.limits.CountMax = CountMax
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/envelopes", s.send)
	mux.HandleFunc("POST /pay/{id}", s.pay)
	mux.HandleFunc("GET /v1/envelopes/{id}", s.show)
	mux.HandleFunc("POST /v1/envelopes/{id}/open", s.open)
	mux.HandleFunc("POST /v1/envelopes/{id}/grab", s.grab)
	mux.HandleFunc("POST /v1/envelopes/{id}/echo", func(w http.ResponseWriter, _ *http.Request) {
		s.answer(w, 200, opening{Outcome: envelope.Opened, Amount: 1, Seq: 1})
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	s.api = server.URL
	return s
}

func (s *service) answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the crowd may have gone
}

func (s *service) user(r *http.Request) envelope.UserID {
	return envelope.UserID(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
}

func (s *service) send(w http.ResponseWriter, r *http.Request) {
	var body orderBody
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		s.t.Error(err)
	}
	key := r.Header.Get("Idempotency-Key")
	order, err := s.limits.Check(envelope.Order{Sender: s.user(r), Key: key, Kind: body.Kind, Total: body.Total, Share: body.Share,
		Count: body.Count, Group: envelope.GroupID(body.Group), Recipient: body.Recipient})
	if err != nil {
		s.t.Error(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	id, again := s.sent[key]
	if !again {
		s.minted++
		id = envelope.Body(s.minted).In(3)
		s.sent[key] = id
		s.all[id] = &stored{e: s.limits.New(order, id, s.key.Seed(id).Commitment(), time.Now())}
	}
	out := sentAnswer{ID: id, State: envelope.Unpaid, Commitment: s.all[id].e.Commitment.Hex()}
	out.Payment.CodeURL = s.api + "/pay/" + string(id)
	s.answer(w, 201, out)
}

func (s *service) pay(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all[envelope.ID(r.PathValue("id"))].e.State = envelope.Active
	w.WriteHeader(http.StatusNoContent)
}

func (s *service) show(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.all[envelope.ID(r.PathValue("id"))]
	shown := shownOf(&one.e, s.key.Seed(one.e.ID), one.shares)
	if one.e.State != envelope.Unpaid {
		shown.Ticket = "ticket"
	}
	s.answer(w, 200, shown)
}

func (s *service) open(w http.ResponseWriter, r *http.Request) {
	if s.refuses.Load() {
		w.Header().Set("Retry-After", "1")
		s.answer(w, 503, "busy")
		return
	}
	o, err := s.decide(envelope.ID(r.PathValue("id")), s.user(r))
	switch {
	case r.Header.Get("Envelope-Ticket") != "ticket" || err != nil:
		s.answer(w, 404, "no")
	default:
		s.answer(w, 200, opening{Outcome: o.Outcome, Amount: int64(o.Share.Amount), Seq: int64(o.Share.Seq)})
	}
}

// grab remembers who is asked for, whoever that is.
func (s *service) grab(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Envelope-Ticket") != "ticket" {
		s.answer(w, 404, "no")
		return
	}
	s.grabbed.Store(r.PathValue("id"), true)
	s.answer(w, 200, opening{Outcome: envelope.Openable})
}

// memory is what a service would occupy that spends 1000 bytes an envelope.
func (s *service) memory() Memory {
	warm := 0
	s.grabbed.Range(func(any, any) bool { warm++; return true })
	s.mu.Lock()
	defer s.mu.Unlock()
	warm += len(s.all)
	return Memory{RSS: 1 << 24, Heap: 1<<20 + 1000*int64(warm), Warm: warm}
}

func (s *service) decide(id envelope.ID, user envelope.UserID) (envelope.Opening, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.all[id]
	had := func(u envelope.UserID) (envelope.Share, bool) {
		i := slices.IndexFunc(one.shares, func(s envelope.Share) bool { return s.User == u })
		if i < 0 {
			return envelope.Share{}, false
		}
		return one.shares[i], true
	}
	after, openings := envelope.Decide(one.e, s.key.Seed(id), []envelope.UserID{user}, had, time.Now())
	one.e = after
	o := openings[0]
	if o.Outcome == envelope.Opened {
		one.shares = append(one.shares, o.Share)
	}
	if s.lies != nil {
		s.lies(&o)
	}
	return o, o.Err
}

func testUsers(n int) ([]User, error) {
	users := make([]User, n)
	for i := range users {
		users[i] = User{Name: envelope.UserID(fmt.Sprintf("user-%d", i)), Token: fmt.Sprintf("user-%d", i)}
	}
	return users, nil
}

func (s *service) server(mode string) *Server {
	return &Server{API: s.api, Mode: mode, Durability: "none: memory",
		CPU:     func() (time.Duration, time.Duration, error) { own := ownCPU(); return own / 2, own / 4, nil },
		Refuse:  func(_ context.Context, on bool) error { s.refuses.Store(on); return nil },
		Memory:  func(context.Context) (Memory, error) { return s.memory(), nil },
		Profile: func(_ context.Context, seconds int) ([]byte, error) { return fmt.Appendf(nil, "%d s", seconds), nil },
		Stop:    func(context.Context) error { return nil },
	}
}

// stage is a prepared stage on the service.
func (s *service) stage(cfg PlanConfig) *Stage {
	s.t.Helper()
	users, err := testUsers(cfg.Users)
	if err != nil {
		s.t.Fatal(err)
	}
	stage, err := NewStage(StageConfig{API: s.api, Users: users, Plan: plan(s.t, cfg), Key: s.t.Name(), AnswerMax: 5 * time.Second})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(stage.Close)
	if cfg.Scenario != Festival {
		if err := stage.Prepare(s.t.Context()); err != nil {
			s.t.Fatal(err)
		}
	}
	return stage
}
