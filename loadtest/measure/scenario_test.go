package measure

import (
	"sync/atomic"
	"testing"
	"time"

	"hongbao/envelope"
	"hongbao/loadtest"
)

func TestALyingServiceHasNoThroughput(t *testing.T) {
	s := newService(t)
	var opened atomic.Int32
	s.Lies = func(o *envelope.Opening) {
		if o.Outcome == envelope.Opened && opened.Add(1) == 7 {
			o.Share.Amount++
		}
	}
	users, err := testUsers(50)
	if err != nil {
		t.Fatal(err)
	}
	r := NewRuns()
	result, err := RunScenario(t.Context(), ScenarioConfig{
		Plan:   loadtest.PlanConfig{Scenario: loadtest.Spread, Seed: 1, Envelopes: 10, Count: 10, Openers: 20, Users: 50},
		Server: s.server("group"), Users: users, Key: "k", Load: []loadtest.Stretch{{Rate: 400, For: 300 * time.Millisecond}}, Connections: 10,
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.Add(result); result.Verdict.Passed() || result.Measured != nil || r.Passed {
		t.Errorf("a fen too much was told: passed %v, measured %+v", result.Verdict.Passed(), result.Measured)
	}
}

func TestUnbalancedBooksHideTheThroughput(t *testing.T) {
	r := NewRuns()
	r.Add(&Result{Verdict: &loadtest.Verdict{}, Measured: &Measured{}})
	if !r.Passed || r.Runs[0].Measured == nil {
		t.Fatal("a good run was hidden")
	}
	r.Close([]Books{{Set: "000", Violations: []string{"I1"}}})
	if r.Passed || r.Runs[0].Measured != nil {
		t.Error("the books do not balance, and the run shows its throughput")
	}
}
