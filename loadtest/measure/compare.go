package measure

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hongbao/envelope"
	"hongbao/loadtest"
	"hongbao/reconcile"
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
	compareOpeners   = 510 // a few too many: some must find it empty
	compareAnswerMax = 10 * time.Second
	comparePause     = 100 * time.Millisecond

	SpreadEnvelopes = 500
	// More than a cell can open in its time, so that the plan does not end early.
	hotRateMax      = 60_000 // opens a second in mode group
	hotSlowRateMax  = 5_000  // in the others
	hotEnvelopesMin = 30
	SteadyOf        = 0.6 // of the capacity: the load whose latency is judged
	typicalCallers  = 200
	manyCallers     = 1000
	fewCallers      = 32

	stepsOfCell = 3 // prepare, open, audit
	stepsBeside = 6 // refusals, open loop, storm, two ceilings, books; each echo is one more
)

// Callers are the concurrencies of every cell.
func Callers() []int { return []int{fewCallers, typicalCallers, manyCallers} }

// Server is a service under test in one open mode.
type Server struct {
	API        string // base URL
	Mode       string // as it says itself
	Durability string // as it says itself
	// CPU is what the service and its databases have used so far.
	CPU func() (service, databases time.Duration, err error)
	// Refuse makes it answer every open that needs a database with 503, or ends that.
	Refuse func(ctx context.Context, on bool) error
	// Memory is what its process occupies, after a garbage collection.
	Memory func(ctx context.Context) (Memory, error)
	// Profile is a CPU profile of its next seconds, as pprof reads them.
	Profile func(ctx context.Context, seconds int) ([]byte, error)
	Stop    func(ctx context.Context) error
}

// CompareConfig is what a comparison works with. InsertCeiling, CASCeiling and
// Books may be nil: then their lines are missing.
type CompareConfig struct {
	Seed  uint64
	Key   string // prefix of the idempotency keys, new for every comparison
	Users func(n int) ([]loadtest.User, error)
	Least envelope.Fen // in a share, of the service; 0 is 1
	// Start starts the service in a mode, on the databases all modes share.
	Start         func(ctx context.Context, mode string) (*Server, error)
	InsertCeiling func(context.Context) (rowsPerSecond float64, err error)
	CASCeiling    func(context.Context) (perSecond float64, err error)
	Books         func(context.Context) ([]Books, error)
	Progress      func(done, of int, what string) // called before each step
	HeldBack      bool                            // nothing that follows from an open is carried out meanwhile
	// Hurry divides every measured time and the storm's connections; 0 and 1 are
	// the published comparison. In a hurry one sees that it works, and figures
	// that mean little.
	Hurry int
}

// hurryMax bounds how often a measured time is divided.
const hurryMax = 1000

func (c *CompareConfig) validate() error {
	switch {
	case c.Users == nil || c.Start == nil || c.Key == "":
		return errors.New("users, start and key are required")
	case c.Hurry < 0 || c.Hurry > hurryMax:
		return fmt.Errorf("want 0 <= hurry <= %d, have %d", hurryMax, c.Hurry)
	case c.Least < 0:
		return fmt.Errorf("want 0 <= least share, have %d", c.Least)
	}
	return nil
}

// Comparison is the result of comparing the open modes.
type Comparison struct {
	Session
	Ratios  map[string]float64 `json:"ratios,omitempty"` // absent, like the figures, when the audit failed
	Targets []Target           `json:"targets,omitempty"`
	Figures *Figures           `json:"figures,omitempty"`
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

// Compare measures every mode, the ceilings, the price of a refusal and a storm,
// and audits all of it.
func Compare(ctx context.Context, cfg CompareConfig) (*Comparison, error) {
	c, err := newComparison(cfg)
	if err != nil {
		return nil, fmt.Errorf("compare: %w", err)
	}
	modes := []string{ModePlain, ModeFIFO, ModeGroup}
	c.steps = stepsOfCell*len(modes)*len(c.cells()) + len(Callers()) + stepsBeside
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

// comparison is a measurement under way.
type comparison struct {
	cfg        CompareConfig
	users      []loadtest.User
	count      int // shares of each envelope
	openers    int // people who tap each
	spans      spans
	started    time.Time
	steps      int
	step       int
	stages     int
	durability string
	measured   time.Duration // with the CPU times read
	strangers  time.Duration // CPU time meanwhile of what is neither service, database nor crowd
	figures    *Figures
	verdict    *loadtest.Verdict
	profile    func(name string, cpu []byte) error // keeps the profile of a cell; nil: none is taken
}

// newComparison checks the configuration and touches nothing.
func newComparison(cfg CompareConfig) (*comparison, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if cfg.Progress == nil {
		cfg.Progress = func(int, int, string) {}
	}
	users, err := cfg.Users(compareUsers)
	if err != nil {
		return nil, err
	}
	return &comparison{cfg: cfg, users: users, count: compareCount, openers: compareOpeners, spans: newSpans(cfg.Hurry), figures: &Figures{}, verdict: &loadtest.Verdict{Violations: []reconcile.Difference{}}, started: time.Now()}, nil
}

func (c *comparison) progress(format string, args ...any) {
	c.cfg.Progress(c.step, c.steps, fmt.Sprintf(format, args...))
	c.step++
}

// on runs do against a server in a mode, from start to stop.
func (c *comparison) on(ctx context.Context, mode string, do func(*Server) error) (err error) {
	server, err := c.cfg.Start(ctx, mode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop(context.WithoutCancel(ctx))) }()
	if server.Mode != mode {
		return fmt.Errorf("the server says its mode is %q", server.Mode)
	}
	c.durability = server.Durability
	return do(server)
}

// mode measures one mode from start to stop. What only matters for the mode
// that serves is measured with group.
func (c *comparison) mode(ctx context.Context, mode string) error {
	return c.on(ctx, mode, func(server *Server) error {
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
	})
}

// stage prepares envelopes on a server.
func (c *comparison) stage(ctx context.Context, s *Server, scenario loadtest.Scenario, envelopes int) (*loadtest.Stage, error) {
	c.stages++
	plan, err := loadtest.NewPlan(loadtest.PlanConfig{Scenario: scenario, Seed: c.cfg.Seed + uint64(c.stages), Envelopes: envelopes, AtOnce: SpreadEnvelopes,
		Count: c.count, Openers: c.openers, Users: compareUsers, ShareMin: c.cfg.Least})
	if err != nil {
		return nil, err
	}
	stage, err := loadtest.NewStage(loadtest.StageConfig{API: s.API, Users: c.users, Plan: plan, Key: fmt.Sprintf("%s-%d", c.cfg.Key, c.stages), AnswerMax: compareAnswerMax})
	if err != nil {
		return nil, err
	}
	if err := stage.Prepare(ctx); err != nil {
		stage.Close()
		return nil, err
	}
	return stage, nil
}

// audit closes a stage and adds what its audit found.
func (c *comparison) audit(ctx context.Context, stage *loadtest.Stage) error {
	defer stage.Close()
	v, err := stage.Audit(ctx)
	if err == nil {
		c.verdict.Join(v)
	}
	return err
}
