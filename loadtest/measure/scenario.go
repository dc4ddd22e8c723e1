package measure

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hongbao/loadtest"
)

// runAnswerMax is when the crowd of a scenario gives a request up.
const runAnswerMax = 10 * time.Second

// ScenarioConfig is one scenario on one server; all of it is required.
type ScenarioConfig struct {
	Plan        loadtest.PlanConfig
	Server      *Server
	Users       []loadtest.User
	Key         string             // prefix of the idempotency keys, new for every run
	Load        []loadtest.Stretch // opens a second; sends for Festival
	Connections int
}

func (c *ScenarioConfig) validate() error {
	switch {
	case c.Server == nil || len(c.Load) == 0:
		return errors.New("a server and a load are required")
	case c.Connections < 1 || c.Connections > loadtest.CallersMax:
		return fmt.Errorf("want 1 <= connections <= %d, have %d", loadtest.CallersMax, c.Connections)
	}
	return nil
}

// Result is one run of one scenario.
type Result struct {
	Plan       loadtest.PlanConfig `json:"plan"`
	Digest     string              `json:"plan_digest"`
	OpenMode   string              `json:"open_mode"`
	Durability string              `json:"durability"`
	Started    time.Time           `json:"started"`
	Verdict    *loadtest.Verdict   `json:"audit"`
	Measured   *Measured           `json:"measured,omitempty"` // absent when the audit failed
}

// RunScenario prepares a plan, runs its crowd, and audits the answers.
func RunScenario(ctx context.Context, cfg ScenarioConfig) (*Result, error) {
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("scenario: %w", err)
	}
	plan, err := loadtest.NewPlan(cfg.Plan)
	if err != nil {
		return nil, err
	}
	stage, err := loadtest.NewStage(loadtest.StageConfig{API: cfg.Server.API, Users: cfg.Users, Plan: plan, Key: cfg.Key, AnswerMax: runAnswerMax})
	if err != nil {
		return nil, err
	}
	defer stage.Close()
	r := &Result{Plan: cfg.Plan, Digest: plan.Digest(), OpenMode: cfg.Server.Mode, Durability: cfg.Server.Durability, Started: time.Now()}
	run, err := play(ctx, stage, &cfg)
	if err != nil {
		return nil, fmt.Errorf("scenario %s: %w", cfg.Plan.Scenario, err)
	}
	if r.Verdict, err = stage.Audit(ctx); err != nil {
		return nil, fmt.Errorf("scenario %s: %w", cfg.Plan.Scenario, err)
	}
	if r.Verdict.Passed() {
		r.Measured = Of(run)
	}
	return r, nil
}

// play is the load of a scenario. People ask again a few times when they are
// refused, after the Retry-After, up to a second.
func play(ctx context.Context, s *loadtest.Stage, cfg *ScenarioConfig) (*loadtest.Run, error) {
	retry := loadtest.Retry{TriesMax: 5, PauseMax: time.Second}
	if cfg.Plan.Scenario == loadtest.Festival {
		return s.Celebrate(ctx, loadtest.Party{Seed: cfg.Plan.Seed, Load: cfg.Load, Connections: cfg.Connections, Retry: retry})
	}
	if err := s.Prepare(ctx); err != nil {
		return nil, err
	}
	return s.Offer(ctx, loadtest.Offer{Seed: cfg.Plan.Seed, Load: cfg.Load, Connections: cfg.Connections, Retry: retry})
}
