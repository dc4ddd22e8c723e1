package loadtest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"hongbao/envelope"
)

// The open modes a comparison knows.
const (
	ModePlain = "plain" // one transaction per open, the row lock alone
	ModeFIFO  = "fifo"  // serial per envelope, one transaction per open
	ModeGroup = "group" // lanes: a batch of opens in one transaction
)

// What a comparison measures. One run takes all of it in under five minutes on
// two cores.
const (
	compareUsers     = 2000
	compareCount     = 500 // shares of an envelope, so that few have to be prepared
	compareOpeners   = 510 // a few too many: somebody must be told empty
	compareAnswerMax = 10 * time.Second
	comparePause     = 100 * time.Millisecond

	spreadEnvelopes = 500
	// More than a cell can open in its time, so that the plan does not end early.
	hotRateMax      = 60_000 // opens a second in mode group
	hotSlowRateMax  = 5_000  // in the others
	hotEnvelopesMin = 30
	steadyOf        = 0.6 // of the capacity: the load whose latency is judged
	typicalCallers  = 200
	manyCallers     = 1000
	fewCallers      = 32

	stepsOfCell = 3 // prepare, open, audit
	stepsBeside = 6 // refusals, open loop, storm, two ceilings, books; each echo is one more
)

// compareCallers are the concurrencies of every cell.
func compareCallers() []int { return []int{fewCallers, typicalCallers, manyCallers} }

// Server is a service under test in one open mode.
type Server struct {
	API        string // base URL
	Mode       string // as it says itself
	Durability string // as it says itself
	// CPU is what the service and its databases have used so far.
	CPU func() (service, databases time.Duration, err error)
	// Refuse makes it answer every open that needs a database with 503, or ends that.
	Refuse func(ctx context.Context, on bool) error
	Stop   func(ctx context.Context) error
}

// CompareConfig is what a comparison works with. InsertCeiling, CASCeiling and
// Books may be nil: then their lines are missing.
type CompareConfig struct {
	Seed  uint64
	Key   string // prefix of the idempotency keys, new for every comparison
	Users func(n int) ([]User, error)
	// Start starts the service in a mode, on the databases all modes share.
	Start         func(ctx context.Context, mode string) (*Server, error)
	InsertCeiling func(context.Context) (rowsPerSecond float64, err error)
	CASCeiling    func(context.Context) (perSecond float64, err error)
	Books         func(context.Context) ([]Books, error)
	Progress      func(done, of int, what string) // called before each step
	// Hurry divides every measured time and the storm's connections; 0 and 1 are
	// the published comparison. In a hurry one sees that it works, and figures
	// that mean little.
	Hurry int
}

// Comparison is the result of comparing the open modes.
type Comparison struct {
	Machine    Machine            `json:"machine"`
	Durability string             `json:"durability"`
	Seed       uint64             `json:"seed"`
	Started    time.Time          `json:"started"`
	Seconds    float64            `json:"seconds"`
	Passed     bool               `json:"audit_passed"`
	Verdict    *Verdict           `json:"audit"`
	Books      []Books            `json:"books,omitempty"`
	Ratios     map[string]float64 `json:"ratios,omitempty"` // absent, like the figures, when the audit failed
	Targets    []Target           `json:"targets,omitempty"`
	Figures    *Figures           `json:"figures,omitempty"`
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

// Figures are what was measured.
type Figures struct {
	Cells         []Cell    `json:"cells"`
	Echo          []Cell    `json:"echo"`
	InsertRows    float64   `json:"raw_insert_rows_per_second,omitempty"`
	CAS           float64   `json:"memcached_cas_per_second,omitempty"`
	Refusal       *Refusal  `json:"refusal"`
	Steady        *Measured `json:"steady"` // open loop at 60 % of the capacity
	SteadyOffered float64   `json:"steady_offered_per_second"`
	Overload      *Overload `json:"overload"`
}

// Cell is one mode under one crowd.
type Cell struct {
	Mode         string   `json:"open_mode"`
	Scenario     Scenario `json:"scenario"`
	Callers      int      `json:"callers"`
	PerSecond    float64  `json:"per_second"` // new shares; echoes, for the echo
	P50          float64  `json:"p50_ms"`
	P99          float64  `json:"p99_ms"`
	Refused      int      `json:"refused"`
	Unknown      int      `json:"unknown"`
	ServiceCPU   float64  `json:"service_us_per_open"`
	DatabasesCPU float64  `json:"databases_us_per_open"`
	CrowdCPU     float64  `json:"crowd_us_per_ask"`
	Dry          bool     `json:"ran_dry,omitempty"`
}

// Compare measures every mode, the ceilings, the price of a refusal and a storm,
// and audits all of it.
func Compare(ctx context.Context, cfg CompareConfig) (*Comparison, error) {
	if cfg.Users == nil || cfg.Start == nil || cfg.Key == "" {
		return nil, errors.New("compare: users, start and key are required")
	}
	if cfg.Progress == nil {
		cfg.Progress = func(int, int, string) {}
	}
	users, err := cfg.Users(compareUsers)
	if err != nil {
		return nil, fmt.Errorf("compare: %w", err)
	}
	c := &comparison{cfg: cfg, users: users, spans: newSpans(cfg.Hurry), figures: &Figures{}, verdict: &Verdict{Violations: []Violation{}}, started: time.Now()}
	modes := []string{ModePlain, ModeFIFO, ModeGroup}
	c.steps = stepsOfCell*len(modes)*len(c.cells()) + len(compareCallers()) + stepsBeside
	for _, mode := range modes {
		if err := c.mode(ctx, mode); err != nil {
			return nil, fmt.Errorf("compare: mode %s: %w", mode, err)
		}
	}
	if err := c.ceilings(ctx); err != nil {
		return nil, fmt.Errorf("compare: %w", err)
	}
	return c.result(ctx)
}

// comparison is a Compare under way.
type comparison struct {
	cfg        CompareConfig
	users      []User
	spans      spans
	started    time.Time
	steps      int
	step       int
	stages     int
	durability string
	figures    *Figures
	verdict    *Verdict
}

func (c *comparison) progress(format string, args ...any) {
	c.cfg.Progress(c.step, c.steps, fmt.Sprintf(format, args...))
	c.step++
}

// cell is one crowd of every mode.
type cell struct {
	scenario Scenario
	callers  int
}

func (c *comparison) cells() (cells []cell) {
	for _, scenario := range []Scenario{Hot, Spread} {
		for _, callers := range compareCallers() {
			cells = append(cells, cell{scenario, callers})
		}
	}
	return cells
}

// mode measures one mode from start to stop. What only matters for the mode
// that serves is measured with group.
func (c *comparison) mode(ctx context.Context, mode string) (err error) {
	server, err := c.cfg.Start(ctx, mode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop(context.WithoutCancel(ctx))) }()
	if server.Mode != mode {
		return fmt.Errorf("the server says its mode is %q", server.Mode)
	}
	c.durability = server.Durability
	for _, one := range c.cells() {
		if err := c.measureCell(ctx, server, one); err != nil {
			return fmt.Errorf("%s with %d callers: %w", one.scenario, one.callers, err)
		}
	}
	if mode != ModeGroup {
		return nil
	}
	for _, extra := range []func(context.Context, *Server) error{c.echo, c.refusal, c.steady, c.overload} {
		if err := extra(ctx, server); err != nil {
			return err
		}
	}
	return nil
}

// stage prepares envelopes on a server.
func (c *comparison) stage(ctx context.Context, s *Server, scenario Scenario, envelopes int) (*Stage, error) {
	c.stages++
	plan, err := NewPlan(PlanConfig{Scenario: scenario, Seed: c.cfg.Seed + uint64(c.stages), Envelopes: envelopes,
		Count: compareCount, Openers: compareOpeners, Users: compareUsers})
	if err != nil {
		return nil, err
	}
	stage, err := NewStage(StageConfig{API: s.API, Users: c.users, Plan: plan, Key: fmt.Sprintf("%s-%d", c.cfg.Key, c.stages), AnswerMax: compareAnswerMax})
	if err != nil {
		return nil, err
	}
	if err := stage.Prepare(ctx); err != nil {
		stage.Close()
		return nil, err
	}
	return stage, nil
}

// close audits a stage and adds what was found.
func (c *comparison) close(ctx context.Context, stage *Stage) error {
	defer stage.Close()
	v, err := stage.Audit(ctx)
	if err == nil {
		c.verdict.Join(v)
	}
	return err
}

func (c *comparison) measureCell(ctx context.Context, s *Server, one cell) (err error) {
	envelopes := spreadEnvelopes
	if one.scenario == Hot {
		rate := hotSlowRateMax
		if s.Mode == ModeGroup {
			rate = hotRateMax
		}
		envelopes = max(hotEnvelopesMin, int(float64(rate)*(c.spans.warm+c.spans.measure).Seconds())/compareOpeners)
	}
	c.progress("%s %s, %d callers: send and pay %d envelopes", s.Mode, one.scenario, one.callers, envelopes)
	stage, err := c.stage(ctx, s, one.scenario, envelopes)
	if err != nil {
		return err
	}
	c.progress("%s %s, %d callers: open", s.Mode, one.scenario, one.callers)
	run, cost, err := metered(ctx, s, stage, Saturation{Callers: one.callers, Warm: c.spans.warm, For: c.spans.measure, Pause: comparePause})
	if err != nil {
		return err
	}
	c.figures.Cells = append(c.figures.Cells, newCell(s.Mode, one.scenario, run, cost))
	c.progress("%s %s, %d callers: audit", s.Mode, one.scenario, one.callers)
	return c.close(ctx, stage)
}

// cost is CPU time spent on a run.
type cost struct{ service, databases time.Duration }

// metered measures a closed load and what it cost, from its first request to
// its last answer.
func metered(ctx context.Context, s *Server, stage *Stage, load Saturation) (*Run, cost, error) {
	service, databases, err := s.CPU()
	if err != nil {
		return nil, cost{}, err
	}
	run, err := stage.Saturate(ctx, load)
	if err != nil {
		return nil, cost{}, err
	}
	serviceAfter, databasesAfter, err := s.CPU()
	return run, cost{serviceAfter - service, databasesAfter - databases}, err
}

// per spreads a cost over a number of requests, in µs.
func per(d time.Duration, n int) float64 { return float64(d.Microseconds()) / float64(max(1, n)) }

func newCell(mode string, scenario Scenario, run *Run, spent cost) Cell {
	m, opened := run.Measure(), 0
	for i := range run.Records {
		if run.Records[i].Told == Opened {
			opened++
		}
	}
	return Cell{Mode: mode, Scenario: scenario, Callers: run.Callers, PerSecond: m.OpensPerSecond,
		P50: m.Accepted.P50, P99: m.Accepted.P99, Refused: m.Counts.RefusedFast + m.Counts.RefusedSlow, Unknown: m.Counts.Unknown,
		ServiceCPU: per(spent.service, opened), DatabasesCPU: per(spent.databases, opened), CrowdCPU: m.CrowdCPU, Dry: m.Dry}
}

// cellOf is the cell of a mode under a crowd; a zero cell if it was not measured.
func cellOf(cells []Cell, mode string, scenario Scenario, callers int) Cell {
	i := slices.IndexFunc(cells, func(c Cell) bool { return c.Mode == mode && c.Scenario == scenario && c.Callers == callers })
	if i < 0 {
		return Cell{}
	}
	return cells[i]
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
