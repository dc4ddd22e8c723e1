package soak

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"hongbao/envelope"
	"hongbao/loadtest"
	"hongbao/loadtest/measure"
)

// Config is a soak on a running service whose provider is a simulator; all
// of it is required but Bugs.
type Config struct {
	Seed   uint64
	Key    string        // prefix of the idempotency keys, new for every soak
	Rate   float64       // envelopes a second
	For    time.Duration // how long people send, 1 s to LengthMax
	Lies   float64       // rate of each lie, 0 to LieRateMax
	Bugs   bool          // the provider also moves money twice and takes successes back: all of that must be found
	Of     loadtest.Lifetimes
	Least  envelope.Fen // in a share, of the service; 0 is 1
	Server *measure.Server
	Users  func(n int) ([]loadtest.User, error)
	Liar   Liar
	// Pending counts what waits to be carried out: outbox rows, deliveries and
	// transfers, charges only on demand.
	Pending  func(ctx context.Context, charges bool) (int, error)
	Reckon   func(ctx context.Context) (*Reckoning, error)
	Progress func(done, of int, what string) // called about once a second
}

// LengthMax bounds how long people send in a soak.
const LengthMax = 12 * time.Hour

const (
	crowdSize   = 200
	answerMax   = 10 * time.Second // when the crowd gives a request up
	connections = 256              // most of them wait for a provider that misbehaves
	ticketMax   = 3 * time.Minute  // from paying to the message, while callbacks are dropped and questions lied to
	quietMax    = 15 * time.Minute // for what is pending at the end, some of it after many faults and their backoff
	quietEvery  = 500 * time.Millisecond
	callbackMax = 20 * time.Second // for callbacks that nothing here waits for
	// sweepEvery is above the time between two sweeps, before which an envelope is
	// shown as expired and without its seed: its end is not committed yet.
	sweepEvery = 7 * time.Second
	sweptMax   = 30 * time.Second // from the end of a life to the sweep that ends it
)

// Result is a soak and what became of its money.
type Result struct {
	Machine    measure.Machine   `json:"machine"`
	Durability string            `json:"durability"`
	Digest     string            `json:"plan_digest"`
	Seed       uint64            `json:"seed"`
	Started    time.Time         `json:"started"`
	Seconds    float64           `json:"seconds"`
	DrainedIn  float64           `json:"drained_in_s"` // from the last request until nothing was pending
	Rate       float64           `json:"lie_rate"`
	Bugs       bool              `json:"bugs"`
	Simulated  map[string]int64  `json:"lies_told"`
	Passed     bool              `json:"passed"`
	Fates      Fates             `json:"envelopes"`
	Answers    measure.Counts    `json:"answers"`
	Verdict    *loadtest.Verdict `json:"audit"`
	Reckoning  *Reckoning        `json:"reckoning"`
	Judgement
	Notes []string `json:"notes,omitempty"` // what the service's limits kept from being seen
}

// Fates count the envelopes of a soak by what people did about them.
type Fates struct {
	Sent   int `json:"sent"`
	Unpaid int `json:"never_paid"`
	Late   int `json:"paid_at_the_last_moment"`
}

func (c *Config) validate() error {
	switch {
	case c.Key == "" || c.Server == nil || c.Users == nil || c.Liar == nil || c.Pending == nil || c.Reckon == nil || c.Progress == nil:
		return errors.New("soak: key, server, users, liar, owed, reckon and progress are all required")
	case c.For < time.Second || c.For > LengthMax:
		return fmt.Errorf("soak: want 1s <= duration <= %v, have %v", LengthMax, c.For)
	case c.Lies < 0 || c.Lies > LieRateMax:
		return fmt.Errorf("soak: want 0 <= rate of lies <= %v, have %v", LieRateMax, c.Lies)
	case c.Rate <= 0 || c.Rate*c.For.Seconds()*spare > loadtest.EnvelopesMax:
		return fmt.Errorf("soak: want some and at most %d envelopes, have %v/s for %v", loadtest.EnvelopesMax, c.Rate, c.For)
	case c.Of.Life <= 0 || c.Of.PayWithin <= 0:
		return fmt.Errorf("soak: want lifetimes > 0, have %+v", c.Of)
	}
	return nil
}

// spare is how many envelopes are planned, over what is expected to be sent.
const spare = 1.2

// soaking is a soak under way.
type soaking struct {
	cfg   Config
	stage *loadtest.Stage
	began time.Time
}

// Run lets a crowd send, pay, open and leave envelopes while the provider lies,
// and reckons when everything pending has been carried out: provider, orders and
// users' books must agree to the fen.
func Run(ctx context.Context, cfg Config) (*Result, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	plan, err := loadtest.NewSoakPlan(loadtest.PlanConfig{Scenario: loadtest.Soaking, Seed: cfg.Seed, Envelopes: int(cfg.Rate*cfg.For.Seconds()*spare) + 10, Users: crowdSize, ShareMin: cfg.Least}, cfg.Of)
	if err != nil {
		return nil, err
	}
	users, err := cfg.Users(crowdSize)
	if err != nil {
		return nil, err
	}
	s := &soaking{cfg: cfg, began: time.Now()}
	s.stage, err = loadtest.NewStage(loadtest.StageConfig{API: cfg.Server.API, Users: users, Plan: plan, Key: cfg.Key, AnswerMax: answerMax, TicketMax: ticketMax})
	if err != nil {
		return nil, err
	}
	defer s.stage.Close()
	r := &Result{Machine: measure.ThisMachine(), Durability: cfg.Server.Durability, Digest: plan.Digest(), Seed: cfg.Seed, Started: s.began,
		Rate: cfg.Lies, Bugs: cfg.Bugs, Notes: notes(cfg.Of)}
	if err := s.run(ctx, r); err != nil {
		return nil, fmt.Errorf("soak: %w", err)
	}
	return r, nil
}

// notes say which limits are too long to be waited for.
func notes(l loadtest.Lifetimes) (notes []string) {
	for _, one := range []struct {
		what string
		is   time.Duration
		hid  string
	}{{"a life", l.Life, "no envelope expired, and nothing was refunded"}, {"the time to pay", l.PayWithin, "no unpaid envelope was closed"}} {
		if one.is > loadtest.LifetimeSeenMax {
			notes = append(notes, fmt.Sprintf("%s of %v is longer than %v: %s", one.what, one.is, loadtest.LifetimeSeenMax, one.hid))
		}
	}
	return notes
}

func (s *soaking) run(ctx context.Context, r *Result) error {
	if err := s.drain(ctx, "before"); err != nil {
		return err
	}
	before, err := s.cfg.Reckon(ctx)
	if err != nil {
		return fmt.Errorf("reckon: %w", err)
	}
	said, err := s.cfg.Liar.Told(ctx)
	if err != nil {
		return err
	}
	run, err := s.crowd(ctx)
	if err != nil {
		return err
	}
	r.count(s.stage.Plan(), run)
	last := time.Now()
	if err := s.awaitEnds(ctx); err != nil {
		return err
	}
	r.DrainedIn = time.Since(last).Seconds()
	s.say("audit every answer")
	if r.Verdict, err = s.stage.Audit(ctx); err != nil {
		return err
	}
	if err := s.reckon(ctx, r, before, said); err != nil {
		return err
	}
	r.Passed = r.Verdict.Passed() && len(r.Findings) == 0
	r.Seconds = time.Since(s.began).Seconds()
	s.cfg.Progress(int(s.cfg.For.Seconds())+1, int(s.cfg.For.Seconds())+2, "done")
	return s.cfg.Liar.Honest(ctx)
}

// crowd sends and opens while the provider lies.
func (s *soaking) crowd(ctx context.Context) (run *loadtest.Run, err error) {
	lying, stop := context.WithCancel(ctx)
	defer stop()
	var g errgroup.Group
	g.Go(func() error {
		return tell(lying, s.cfg.Liar, s.cfg.Seed, ratesOf(s.cfg.Lies, s.cfg.Bugs), s.cfg.For)
	})
	g.Go(func() error {
		defer stop()
		var err error
		run, err = s.stage.Celebrate(ctx, loadtest.Party{Seed: s.cfg.Seed, Load: []loadtest.Stretch{{Rate: s.cfg.Rate, For: s.cfg.For}},
			Connections: connections, Retry: loadtest.Retry{TriesMax: 5, PauseMax: time.Second}})
		return err
	})
	g.Go(func() error {
		for loadtest.Sleep(lying, time.Second) == nil {
			if owed, err := s.cfg.Pending(lying, false); err == nil {
				s.say(fmt.Sprintf("people send and open, the provider lies; %d owed", owed))
			}
		}
		return nil
	})
	err = g.Wait()
	return run, err
}

func (s *soaking) say(what string) {
	length := int(s.cfg.For.Seconds())
	s.cfg.Progress(min(int(time.Since(s.began).Seconds()), length), length+2, what)
}

// awaitEnds waits until every life that is short enough to wait for is over, and
// what follows from its end is done.
func (s *soaking) awaitEnds(ctx context.Context) error {
	longest := time.Duration(0)
	for _, life := range []time.Duration{s.cfg.Of.Life, s.cfg.Of.PayWithin} {
		if life <= loadtest.LifetimeSeenMax {
			longest = max(longest, life)
		}
	}
	if longest > 0 {
		longest += sweepEvery
	}
	s.say(fmt.Sprintf("wait %v for lives to end", longest))
	if err := loadtest.Sleep(ctx, longest); err != nil {
		return err
	}
	return s.drain(ctx, "after")
}

// drain waits until nothing is pending.
func (s *soaking) drain(ctx context.Context, when string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, quietMax, fmt.Errorf("%s the soak, something is owed for more than %v", when, quietMax))
	defer cancel()
	for {
		owed, err := s.cfg.Pending(ctx, s.cfg.Of.PayWithin <= loadtest.LifetimeSeenMax)
		if err == nil && owed == 0 {
			return nil
		}
		if err == nil {
			s.say(fmt.Sprintf("wait for what is owed: %d", owed))
		}
		if end := loadtest.Sleep(ctx, quietEvery); end != nil {
			return errors.Join(end, err)
		}
	}
}

// reckon holds all books to each other, again and again while something is
// found: sweeps come by the clock, and some callbacks after everything else.
func (s *soaking) reckon(ctx context.Context, r *Result, before *Reckoning, said map[string]int64) error {
	for deadline := time.Now().Add(sweptMax + callbackMax); ; {
		s.say("reckon")
		if err := s.drain(ctx, "after"); err != nil {
			return err
		}
		told, err := s.cfg.Liar.Told(ctx)
		if err != nil {
			return err
		}
		if r.Reckoning, err = s.cfg.Reckon(ctx); err != nil {
			return fmt.Errorf("reckon: %w", err)
		}
		r.Simulated = since(said, told)
		r.Judgement = r.Reckoning.Judge(before, r.Simulated)
		if len(r.Findings) == 0 || time.Now().After(deadline) {
			return nil
		}
		if err := loadtest.Sleep(ctx, 2*quietEvery); err != nil {
			return err
		}
	}
}

// count says what people did.
func (r *Result) count(plan *loadtest.Plan, run *loadtest.Run) {
	for i := range run.Records {
		rec := &run.Records[i]
		switch {
		case rec.Act == loadtest.Opening:
			r.Answers.Add(rec)
		case rec.Act == loadtest.Sending && rec.Class == loadtest.Accepted:
			fate := plan.Fate(int(rec.Gift))
			r.Fates.Sent++
			if fate.Unpaid {
				r.Fates.Unpaid++
			}
			if fate.PayAfter > 0 {
				r.Fates.Late++
			}
		}
	}
	r.Answers.Sent = r.Fates.Sent
}
