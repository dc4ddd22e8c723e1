package loadtest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"hongbao/envelope"
)

// runAnswerMax is when the crowd of a scenario gives a request up.
const runAnswerMax = 10 * time.Second

// ScenarioConfig is one scenario on one server; all of it is required.
type ScenarioConfig struct {
	Plan        PlanConfig
	Server      *Server
	Users       []User
	Key         string    // prefix of the idempotency keys, new for every run
	Load        []Stretch // opens a second; sends for Festival
	Connections int
}

// Result is one run of one scenario.
type Result struct {
	Plan       PlanConfig `json:"plan"`
	Digest     string     `json:"plan_digest"`
	OpenMode   string     `json:"open_mode"`
	Durability string     `json:"durability"`
	Started    time.Time  `json:"started"`
	Verdict    *Verdict   `json:"audit"`
	Measured   *Measured  `json:"measured,omitempty"` // absent when the audit failed
}

// RunScenario prepares a plan, lets the crowd come, and audits what it was told.
func RunScenario(ctx context.Context, cfg ScenarioConfig) (*Result, error) {
	if cfg.Server == nil || len(cfg.Load) == 0 {
		return nil, errors.New("scenario: a server and a load are required")
	}
	plan, err := NewPlan(cfg.Plan)
	if err != nil {
		return nil, err
	}
	stage, err := NewStage(StageConfig{API: cfg.Server.API, Users: cfg.Users, Plan: plan, Key: cfg.Key, AnswerMax: runAnswerMax})
	if err != nil {
		return nil, err
	}
	defer stage.Close()
	r := &Result{Plan: cfg.Plan, Digest: plan.Digest(), OpenMode: cfg.Server.Mode, Durability: cfg.Server.Durability, Started: time.Now()}
	run, err := stage.play(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("scenario %s: %w", cfg.Plan.Scenario, err)
	}
	if r.Verdict, err = stage.Audit(ctx); err != nil {
		return nil, fmt.Errorf("scenario %s: %w", cfg.Plan.Scenario, err)
	}
	if r.Verdict.Passed() {
		r.Measured = run.Measure()
	}
	return r, nil
}

// play is the load of a scenario. People ask again a few times when they are
// refused, as long as they are told to, up to a second.
func (s *Stage) play(ctx context.Context, cfg ScenarioConfig) (*Run, error) {
	retry := Retry{TriesMax: 5, PauseMax: time.Second}
	if cfg.Plan.Scenario == Festival {
		return s.Celebrate(ctx, Party{Seed: cfg.Plan.Seed, Load: cfg.Load, Connections: cfg.Connections, Retry: retry})
	}
	if err := s.Prepare(ctx); err != nil {
		return nil, err
	}
	return s.Offer(ctx, Offer{Seed: cfg.Plan.Seed, Load: cfg.Load, Connections: cfg.Connections, Retry: retry})
}

// Report is a series of runs and the books behind them.
type Report struct {
	Machine Machine   `json:"machine"`
	Passed  bool      `json:"audit_passed"`
	Runs    []*Result `json:"runs"`
	Books   []Books   `json:"books,omitempty"`
}

// NewReport is a report of nothing yet, in which nothing was found.
func NewReport() *Report { return &Report{Machine: thisMachine(), Passed: true} }

// Add adds a run. One that failed hides the throughput of them all: they shared
// a service.
func (r *Report) Add(one *Result) {
	r.Runs = append(r.Runs, one)
	r.judge(one.Verdict.Passed())
}

// Close adds what the books say.
func (r *Report) Close(books []Books) {
	r.Books = books
	r.judge(balanced(books))
}

func (r *Report) judge(passed bool) {
	r.Passed = r.Passed && passed
	if r.Passed {
		return
	}
	for _, one := range r.Runs {
		one.Measured = nil
	}
}

// Machine is where a run took place: absolute figures are its figures.
type Machine struct {
	CPUs int    `json:"cpus"`
	OS   string `json:"os"`
	Arch string `json:"arch"`
}

func thisMachine() Machine {
	return Machine{CPUs: runtime.NumCPU(), OS: runtime.GOOS, Arch: runtime.GOARCH}
}

// Books is what reading every row of one SET found, when the load was over.
type Books struct {
	Set        string       `json:"set"`
	Envelopes  int          `json:"envelopes"`
	Shares     int          `json:"shares"`
	Paid       envelope.Fen `json:"paid_fen"`
	Opened     envelope.Fen `json:"opened_fen"`
	Refunded   envelope.Fen `json:"refunded_fen"`
	Remaining  envelope.Fen `json:"remaining_fen"`
	Violations []string     `json:"violations"`
}
