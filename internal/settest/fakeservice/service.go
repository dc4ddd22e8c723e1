package fakeservice

import (
	"encoding/json"
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

// Service is an API in memory. It is safe for concurrent use.
type Service struct {
	API     string                    // base URL
	Refuses atomic.Bool               // opens are answered 503
	Lies    func(o *envelope.Opening) // changes answers to opens; set before the first request

	t       testing.TB
	key     envelope.DrawKey
	limits  envelope.Limits
	grabbed sync.Map // IDs

	mu     sync.Mutex // guards what is below
	minted int64
	sent   map[string]envelope.ID // by idempotency key
	all    map[envelope.ID]*stored
}

type stored struct {
	e      envelope.Envelope
	shares []envelope.Share
}

// New serves until the test ends. An envelope has at most countMax shares.
func New(t testing.TB, countMax int) *Service {
	t.Helper()
	key, err := envelope.NewDrawKey([]byte("a draw key for tests, long enough"))
	if err != nil {
		t.Fatal(err)
	}
	s := &Service{t: t, key: key, limits: envelope.DefaultLimits(), minted: 1 << 50, sent: map[string]envelope.ID{}, all: map[envelope.ID]*stored{}}
	s.limits.CountMax = countMax
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/envelopes", s.send)
	mux.HandleFunc("POST /pay/{id}", s.pay)
	mux.HandleFunc("GET /v1/envelopes/{id}", s.show)
	mux.HandleFunc("POST /v1/envelopes/{id}/open", s.open)
	mux.HandleFunc("POST /v1/envelopes/{id}/grab", s.grab)
	mux.HandleFunc("POST /v1/envelopes/{id}/echo", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, 200, opening{Outcome: envelope.Opened, Amount: 1, Seq: 1})
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	s.API = server.URL
	return s
}

// Warm is how many envelopes a service would keep in memory: each that was sent
// here, and each other that was asked about.
func (s *Service) Warm() (n int) {
	s.grabbed.Range(func(any, any) bool { n++; return true })
	s.mu.Lock()
	defer s.mu.Unlock()
	return n + len(s.all)
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the caller may have gone
}

func userOf(r *http.Request) envelope.UserID {
	return envelope.UserID(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
}

func (s *Service) send(w http.ResponseWriter, r *http.Request) {
	var body order
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		s.t.Error(err)
	}
	key := r.Header.Get("Idempotency-Key")
	wanted, err := s.limits.Check(envelope.Order{Sender: userOf(r), Key: key, Kind: body.Kind, Total: body.Total, Share: body.Share,
		Count: body.Count, Group: body.Group, Recipient: body.Recipient})
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
		s.all[id] = &stored{e: s.limits.New(wanted, id, s.key.Seed(id).Commitment(), time.Now())}
	}
	answer(w, 201, sent{ID: id, State: envelope.Unpaid, Commitment: s.all[id].e.Commitment.Hex(), Payment: payment{s.API + "/pay/" + string(id)}})
}

func (s *Service) pay(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all[envelope.ID(r.PathValue("id"))].e.State = envelope.Active
	w.WriteHeader(http.StatusNoContent)
}

func (s *Service) show(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.all[envelope.ID(r.PathValue("id"))]
	answer(w, 200, one.shown(s.key.Seed(one.e.ID)))
}

func (s *Service) open(w http.ResponseWriter, r *http.Request) {
	if s.Refuses.Load() {
		w.Header().Set("Retry-After", "1")
		answer(w, 503, "busy")
		return
	}
	o, err := s.decide(envelope.ID(r.PathValue("id")), userOf(r))
	if r.Header.Get("Envelope-Ticket") != "ticket" || err != nil {
		answer(w, 404, "no")
		return
	}
	answer(w, 200, opening{Outcome: o.Outcome, Amount: o.Share.Amount, Seq: o.Share.Seq})
}

// grab keeps any ID in memory, of an envelope that was sent here or not.
func (s *Service) grab(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Envelope-Ticket") != "ticket" {
		answer(w, 404, "no")
		return
	}
	s.grabbed.Store(r.PathValue("id"), true)
	answer(w, 200, opening{Outcome: envelope.Openable})
}

func (s *Service) decide(id envelope.ID, user envelope.UserID) (envelope.Opening, error) {
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
	if s.Lies != nil {
		s.Lies(&o)
	}
	return o, o.Err
}
