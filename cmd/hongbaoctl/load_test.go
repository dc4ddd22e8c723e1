package main

import (
	"testing"
	"time"

	"hongbao/loadtest"
)

func TestAPlanOutlastsItsLoad(t *testing.T) {
	for _, l := range []loadRunCmd{
		{Rate: 50, Sends: 5, Duration: time.Second}, {Rate: 2000, Sends: 60, Duration: 20 * time.Second}, {Rate: 20_000, Sends: 300, Duration: 40 * time.Second},
	} {
		for _, scenario := range loadtest.Scenarios() {
			load := l.load(scenario)
			cfg := loadtest.PlanConfig{Scenario: scenario, Seed: 1, Envelopes: l.envelopes(scenario, load), Count: 100,
				Openers: l.openers(scenario, load), Users: loadUsers}
			plan, err := loadtest.NewPlan(cfg)
			if err != nil {
				t.Errorf("%s at %+v: %v", scenario, l, err)
				continue
			}
			arrivals, err := loadtest.Arrivals(1, load)
			if err != nil {
				t.Fatal(err)
			}
			room := len(plan.Taps)
			if scenario == loadtest.Festival {
				room = len(plan.Gifts)
			}
			if room < len(arrivals) {
				t.Errorf("%s at %+v: %d arrive, the plan has room for %d", scenario, l, len(arrivals), room)
			}
		}
	}
}
