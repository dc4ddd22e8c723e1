package loadtest_test

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"hongbao/envelope"
	"hongbao/internal/settest/fakeservice"
	"hongbao/loadtest"
	"hongbao/loadtest/measure"
)

type service struct {
	t *testing.T
	*fakeservice.Service
}

func newService(t *testing.T) *service {
	return &service{t, fakeservice.New(t, loadtest.CountMax)}
}

func testUsers(n int) ([]loadtest.User, error) {
	users := make([]loadtest.User, n)
	for i := range users {
		users[i] = loadtest.User{Name: envelope.UserID(fmt.Sprintf("user-%d", i)), Token: fmt.Sprintf("user-%d", i)}
	}
	return users, nil
}

func plan(t *testing.T, cfg loadtest.PlanConfig) *loadtest.Plan {
	t.Helper()
	p, err := loadtest.NewPlan(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// stage is a prepared stage on the service.
func (s *service) stage(cfg loadtest.PlanConfig) *loadtest.Stage {
	s.t.Helper()
	users, err := testUsers(cfg.Users)
	if err != nil {
		s.t.Fatal(err)
	}
	stage, err := loadtest.NewStage(loadtest.StageConfig{API: s.API, Users: users, Plan: plan(s.t, cfg), Key: s.t.Name(), AnswerMax: 5 * time.Second})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(stage.Close)
	if cfg.Scenario != loadtest.Festival {
		if err := stage.Prepare(s.t.Context()); err != nil {
			s.t.Fatal(err)
		}
	}
	return stage
}

func audit(t *testing.T, s *loadtest.Stage) *loadtest.Verdict {
	t.Helper()
	v, err := s.Audit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestACrowdOpensEverythingAndPasses(t *testing.T) {
	cfg := loadtest.PlanConfig{Scenario: loadtest.Hot, Seed: 1, Envelopes: 5, Count: 20, Openers: 30, Users: 40}
	s, taps := newService(t).stage(cfg), len(plan(t, cfg).Taps)
	run, err := s.Saturate(t.Context(), loadtest.Saturation{Callers: 8, For: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	v, m := audit(t, s), measure.Of(run)
	if !v.Passed() || v.DrawsVerified != 5 || v.Shares != 100 {
		t.Errorf("the verdict is %+v", v)
	}
	var all measure.Counts
	for i := range run.Records {
		all.Add(&run.Records[i])
	}
	if all.Asked != taps || all.Opened != 100 || all.AlreadyOpened == 0 || all.Opened+all.AlreadyOpened+all.Empty != all.Asked {
		t.Errorf("of %d taps came %+v", taps, all)
	}
	// An answer after the plan was used up is not measured.
	if !m.Dry || m.Counts.Asked < all.Asked-8 || m.Counts.Asked > all.Asked {
		t.Errorf("measured are %d of %d (dry %v)", m.Counts.Asked, all.Asked, m.Dry)
	}
}

func TestOpenLoopArrivalsAreAnswered(t *testing.T) {
	s := newService(t).stage(loadtest.PlanConfig{Scenario: loadtest.Spread, Seed: 1, Envelopes: 20, Count: 50, Openers: 50, Users: 60})
	run, err := s.Offer(t.Context(), loadtest.Offer{Seed: 1, Load: []loadtest.Stretch{{Rate: 500, For: time.Second}}, Connections: 20, Retry: loadtest.Retry{TriesMax: 1}})
	if err != nil {
		t.Fatal(err)
	}
	if v := audit(t, s); !v.Passed() {
		t.Fatal(v.Violations)
	}
	m := measure.Of(run)
	if m.Counts.Asked != m.Arrivals || math.Abs(float64(m.Arrivals)-500) > 100 || m.Unsent != 0 {
		t.Errorf("%d came, %d asked, %d left", m.Arrivals, m.Counts.Asked, m.Unsent)
	}
	arrived, answered := 0, 0
	for _, w := range m.Windows {
		arrived += w.Arrived
		answered += w.Opened + w.Answered
	}
	if arrived != m.Arrivals || answered < m.Counts.Asked*9/10 {
		t.Errorf("the windows show %d arrivals and %d answers of %d", arrived, answered, m.Arrivals)
	}
}

func TestAFestivalIsSentPaidAndOpened(t *testing.T) {
	t.Parallel() // mostly waiting
	s := newService(t).stage(loadtest.PlanConfig{Scenario: loadtest.Festival, Seed: 2, Envelopes: 200, Users: 50})
	run, err := s.Celebrate(t.Context(), loadtest.Party{Seed: 2, Load: loadtest.Evening(30, time.Second), Connections: 10, Retry: loadtest.Retry{TriesMax: 2}})
	if err != nil {
		t.Fatal(err)
	}
	v, m := audit(t, s), measure.Of(run)
	if !v.Passed() || v.Envelopes != m.Counts.Sent || m.Counts.Sent < 20 {
		t.Errorf("%d envelopes were sent, the verdict is %+v", m.Counts.Sent, v)
	}
	if per := float64(m.Counts.Asked) / float64(m.Counts.Sent); per < 1.8 || per > 3.4 || m.Sends.Count == 0 {
		t.Errorf("%d opens of %d envelopes", m.Counts.Asked, m.Counts.Sent)
	}
}

func TestRefusalsRetryAndAreCountedApart(t *testing.T) {
	s := newService(t)
	stage := s.stage(loadtest.PlanConfig{Scenario: loadtest.Spread, Seed: 1, Envelopes: 10, Count: 10, Openers: 10, Users: 50})
	s.Refuses.Store(true)
	run, err := stage.Offer(t.Context(), loadtest.Offer{Seed: 1, Load: []loadtest.Stretch{{Rate: 100, For: 200 * time.Millisecond}}, Connections: 5, Retry: loadtest.Retry{TriesMax: 3}})
	if err != nil {
		t.Fatal(err)
	}
	m := measure.Of(run)
	if c := m.Counts; c.Asked != 3*m.Arrivals || c.RefusedFast+c.RefusedSlow != c.Asked || m.Accepted.Count != 0 {
		t.Errorf("%d came three times each, measured is %+v", m.Arrivals, c)
	}
	if v := audit(t, stage); !v.Passed() || v.Shares != 0 {
		t.Errorf("refusals were found to be %v", v.Violations)
	}
}

func TestLateArrivalsAreUnsent(t *testing.T) {
	s := newService(t)
	s.Lies = func(*envelope.Opening) { time.Sleep(20 * time.Millisecond) } // one at a time
	stage := s.stage(loadtest.PlanConfig{Scenario: loadtest.Spread, Seed: 1, Envelopes: 10, Count: 50, Openers: 50, Users: 50})
	run, err := stage.Offer(t.Context(), loadtest.Offer{Seed: 1, Load: []loadtest.Stretch{{Rate: 500, For: 400 * time.Millisecond}}, Connections: 2,
		Patience: 50 * time.Millisecond, Retry: loadtest.Retry{TriesMax: 1}})
	if err != nil {
		t.Fatal(err)
	}
	m := measure.Of(run)
	if m.Unsent < m.Arrivals/2 || m.Unsent+m.Counts.Asked != m.Arrivals {
		t.Errorf("of %d arrivals %d asked and %d left", m.Arrivals, m.Counts.Asked, m.Unsent)
	}
}

// A service that stands still for a third of a second makes every arrival in
// that time wait. A crowd that waits with it would notice one slow request for
// each of its connections.
func TestStallCountsForEveryArrival(t *testing.T) {
	const connections = 4
	stall := 300 * time.Millisecond
	var began, stalled atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		now := time.Now().UnixNano()
		began.CompareAndSwap(0, now)
		if at := time.Duration(now - began.Load()); at > 300*time.Millisecond && at < 300*time.Millisecond+stall {
			stalled.Add(1)
			time.Sleep(300*time.Millisecond + stall - at)
		}
		w.Header().Set("Content-Type", "application/json")
		if _, err := w.Write([]byte(`{"outcome":"empty"}`)); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	users, err := testUsers(300)
	if err != nil {
		t.Fatal(err)
	}
	s, err := loadtest.NewStage(loadtest.StageConfig{API: server.URL, Users: users, Key: "k", AnswerMax: time.Second,
		Plan: plan(t, loadtest.PlanConfig{Scenario: loadtest.Spread, Seed: 1, Envelopes: 10, Count: 1, Openers: 300, Users: 300})})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	run, err := s.Offer(t.Context(), loadtest.Offer{Seed: 1, Load: []loadtest.Stretch{{Rate: 1000, For: time.Second}}, Connections: connections, Retry: loadtest.Retry{TriesMax: 1}})
	if err != nil {
		t.Fatal(err)
	}
	m := measure.Of(run)
	if n := stalled.Load(); n > connections {
		t.Fatalf("%d requests were stalled over %d connections", n, connections)
	}
	// 300 of 1000 came during the stall and waited 0 to 300 ms, evenly: the worst
	// tenth of all waited 200 ms and more.
	if m.Counts.Asked != m.Arrivals || m.Accepted.P90 < 120 || m.Accepted.P50 > 100 {
		t.Errorf("%d of %d asked; p50 %.0f ms, p90 %.0f ms: want the stall in p90 and not in p50", m.Counts.Asked, m.Arrivals, m.Accepted.P50, m.Accepted.P90)
	}
}

func TestStagesThatCannotBeAreRefused(t *testing.T) {
	users, err := testUsers(10)
	if err != nil {
		t.Fatal(err)
	}
	good := loadtest.StageConfig{API: "http://127.0.0.1:1", Users: users, Key: "k", AnswerMax: time.Second,
		Plan: plan(t, loadtest.PlanConfig{Scenario: loadtest.Hot, Envelopes: 1, Count: 1, Openers: 1, Users: 10})}
	for name, spoil := range map[string]func(*loadtest.StageConfig){
		"no plan":       func(c *loadtest.StageConfig) { c.Plan = nil },
		"no key":        func(c *loadtest.StageConfig) { c.Key = "" },
		"no API":        func(c *loadtest.StageConfig) { c.API = "" },
		"no port":       func(c *loadtest.StageConfig) { c.API = "http://localhost" },
		"TLS":           func(c *loadtest.StageConfig) { c.API = "https://localhost:1" },
		"too few users": func(c *loadtest.StageConfig) { c.Users = users[:9] },
		"no time":       func(c *loadtest.StageConfig) { c.AnswerMax = time.Millisecond },
	} {
		cfg := good
		spoil(&cfg)
		if _, err := loadtest.NewStage(cfg); err == nil {
			t.Errorf("%s: a stage was made", name)
		}
	}
	s, err := loadtest.NewStage(good)
	if err != nil {
		t.Fatal(err)
	}
	_, none := s.Saturate(t.Context(), loadtest.Saturation{Callers: 0, For: time.Second})
	_, many := s.Offer(t.Context(), loadtest.Offer{Connections: loadtest.CallersMax + 1, Retry: loadtest.Retry{TriesMax: 1}})
	_, untried := s.Celebrate(t.Context(), loadtest.Party{Connections: 1})
	if err := errors.Join(none, many, untried); none == nil || many == nil || untried == nil {
		t.Errorf("loads that cannot be were carried out: %v", err)
	}
}
