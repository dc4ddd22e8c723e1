package loadtest

import (
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"hongbao/envelope"
)

func audit(t *testing.T, s *Stage) *Verdict {
	t.Helper()
	v, err := s.Audit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestACrowdOpensEverythingAndPasses(t *testing.T) {
	s := newService(t).stage(PlanConfig{Scenario: Hot, Seed: 1, Envelopes: 5, Count: 20, Openers: 30, Users: 40})
	run, err := s.Saturate(t.Context(), Saturation{Callers: 8, For: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	v, m := audit(t, s), run.Measure()
	if !v.Passed() || v.DrawsVerified != 5 || v.Shares != 100 {
		t.Errorf("the verdict is %+v", v)
	}
	var all Counts
	for i := range run.Records {
		all.add(&run.Records[i])
	}
	if all.Asked != len(s.cfg.Plan.Taps) || all.Opened != 100 || all.AlreadyOpened == 0 || all.Opened+all.AlreadyOpened+all.Empty != all.Asked {
		t.Errorf("of %d taps came %+v", len(s.cfg.Plan.Taps), all)
	}
	// Who was answered after the plan was used up is not measured.
	if !m.Dry || m.Counts.Asked < all.Asked-8 || m.Counts.Asked > all.Asked {
		t.Errorf("measured are %d of %d (dry %v)", m.Counts.Asked, all.Asked, m.Dry)
	}
}

func TestPeopleComeWhenTheyComeAndAreAnswered(t *testing.T) {
	s := newService(t).stage(PlanConfig{Scenario: Spread, Seed: 1, Envelopes: 20, Count: 50, Openers: 50, Users: 60})
	run, err := s.Offer(t.Context(), Offer{Seed: 1, Load: []Stretch{{Rate: 500, For: time.Second}}, Connections: 20, Retry: Retry{TriesMax: 1}})
	if err != nil {
		t.Fatal(err)
	}
	if v := audit(t, s); !v.Passed() {
		t.Fatal(v.Violations)
	}
	m := run.Measure()
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
	s := newService(t).stage(PlanConfig{Scenario: Festival, Seed: 2, Envelopes: 200, Users: 50})
	run, err := s.Celebrate(t.Context(), Party{Seed: 2, Load: Evening(30, time.Second), Connections: 10, Retry: Retry{TriesMax: 2}})
	if err != nil {
		t.Fatal(err)
	}
	v, m := audit(t, s), run.Measure()
	if !v.Passed() || v.Envelopes != m.Counts.Sent || m.Counts.Sent < 20 {
		t.Errorf("%d envelopes were sent, the verdict is %+v", m.Counts.Sent, v)
	}
	if per := float64(m.Counts.Asked) / float64(m.Counts.Sent); per < 1.8 || per > 3.4 || m.Sends.Count == 0 {
		t.Errorf("%d opens of %d envelopes", m.Counts.Asked, m.Counts.Sent)
	}
}

func TestALyingServiceHasNoThroughput(t *testing.T) {
	s := newService(t)
	var opened atomic.Int32
	s.lies = func(o *envelope.Opening) {
		if o.Outcome == envelope.Opened && opened.Add(1) == 7 {
			o.Share.Amount++
		}
	}
	users, err := testUsers(50)
	if err != nil {
		t.Fatal(err)
	}
	r := NewReport()
	result, err := RunScenario(t.Context(), ScenarioConfig{
		Plan:   PlanConfig{Scenario: Spread, Seed: 1, Envelopes: 10, Count: 10, Openers: 20, Users: 50},
		Server: s.server("group"), Users: users, Key: "k", Load: []Stretch{{Rate: 400, For: 300 * time.Millisecond}}, Connections: 10,
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.Add(result); result.Verdict.Passed() || result.Measured != nil || r.Passed {
		t.Errorf("a fen too much was told: passed %v, measured %+v", result.Verdict.Passed(), result.Measured)
	}
}

func TestBooksThatDoNotBalanceHideTheThroughput(t *testing.T) {
	r := NewReport()
	r.Add(&Result{Verdict: &Verdict{}, Measured: &Measured{}})
	if !r.Passed || r.Runs[0].Measured == nil {
		t.Fatal("a good run was hidden")
	}
	r.Close([]Books{{Set: "000", Violations: []string{"I1"}}})
	if r.Passed || r.Runs[0].Measured != nil {
		t.Error("the books do not balance, and the run shows its throughput")
	}
}

func TestRefusedPeopleAskAgainAndAreCountedApart(t *testing.T) {
	s := newService(t)
	stage := s.stage(PlanConfig{Scenario: Spread, Seed: 1, Envelopes: 10, Count: 10, Openers: 10, Users: 50})
	s.refuses.Store(true)
	run, err := stage.Offer(t.Context(), Offer{Seed: 1, Load: []Stretch{{Rate: 100, For: 200 * time.Millisecond}}, Connections: 5, Retry: Retry{TriesMax: 3}})
	if err != nil {
		t.Fatal(err)
	}
	m := run.Measure()
	if c := m.Counts; c.Asked != 3*m.Arrivals || c.RefusedFast+c.RefusedSlow != c.Asked || m.Accepted.Count != 0 {
		t.Errorf("%d came three times each, measured is %+v", m.Arrivals, c)
	}
	if v := audit(t, stage); !v.Passed() || v.Shares != 0 {
		t.Errorf("refusals were found to be %v", v.Violations)
	}
}

func TestWhoCannotBeSentInTimeIsUnsent(t *testing.T) {
	s := newService(t)
	s.lies = func(*envelope.Opening) { time.Sleep(20 * time.Millisecond) } // one at a time
	stage := s.stage(PlanConfig{Scenario: Spread, Seed: 1, Envelopes: 10, Count: 50, Openers: 50, Users: 50})
	run, err := stage.Offer(t.Context(), Offer{Seed: 1, Load: []Stretch{{Rate: 500, For: 400 * time.Millisecond}}, Connections: 2,
		Patience: 50 * time.Millisecond, Retry: Retry{TriesMax: 1}})
	if err != nil {
		t.Fatal(err)
	}
	m := run.Measure()
	if m.Unsent < m.Arrivals/2 || m.Unsent+m.Counts.Asked != m.Arrivals {
		t.Errorf("of %d arrivals %d asked and %d left", m.Arrivals, m.Counts.Asked, m.Unsent)
	}
}

// A service that stands still for a third of a second makes everybody wait who
// came meanwhile. A crowd that waits with it would notice one slow request for
// each of its connections.
func TestAStallIsFeltByEveryoneWhoCame(t *testing.T) {
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
	s, err := NewStage(StageConfig{API: server.URL, Users: users, Key: "k", AnswerMax: time.Second,
		Plan: plan(t, PlanConfig{Scenario: Spread, Seed: 1, Envelopes: 10, Count: 1, Openers: 300, Users: 300})})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	run, err := s.Offer(t.Context(), Offer{Seed: 1, Load: []Stretch{{Rate: 1000, For: time.Second}}, Connections: connections, Retry: Retry{TriesMax: 1}})
	if err != nil {
		t.Fatal(err)
	}
	m := run.Measure()
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
	good := StageConfig{API: "http://127.0.0.1:1", Users: users, Key: "k", AnswerMax: time.Second,
		Plan: plan(t, PlanConfig{Scenario: Hot, Envelopes: 1, Count: 1, Openers: 1, Users: 10})}
	for name, spoil := range map[string]func(*StageConfig){
		"no plan":       func(c *StageConfig) { c.Plan = nil },
		"no key":        func(c *StageConfig) { c.Key = "" },
		"no API":        func(c *StageConfig) { c.API = "" },
		"no port":       func(c *StageConfig) { c.API = "http://localhost" },
		"TLS":           func(c *StageConfig) { c.API = "https://localhost:1" },
		"too few users": func(c *StageConfig) { c.Users = users[:9] },
		"no time":       func(c *StageConfig) { c.AnswerMax = time.Millisecond },
	} {
		cfg := good
		spoil(&cfg)
		if _, err := NewStage(cfg); err == nil {
			t.Errorf("%s: a stage was made", name)
		}
	}
	s, err := NewStage(good)
	if err != nil {
		t.Fatal(err)
	}
	_, none := s.Saturate(t.Context(), Saturation{Callers: 0, For: time.Second})
	_, many := s.Offer(t.Context(), Offer{Connections: CallersMax + 1, Retry: Retry{TriesMax: 1}})
	_, untried := s.Celebrate(t.Context(), Party{Connections: 1})
	if err := errors.Join(none, many, untried); none == nil || many == nil || untried == nil {
		t.Errorf("loads that cannot be were carried out: %v", err)
	}
}
