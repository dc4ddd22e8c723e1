package loadtest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"hongbao/envelope"
	"hongbao/reconcile"
)

const (
	deskCallersMax = 24 // requests to send, pay and show, in flight together
	deskTriesMax   = 30
	deskPauseMax   = 250 * time.Millisecond
	ticketWait     = 20 * time.Second // from paying to the ticket, unless a stage says otherwise
	ticketEvery    = 20 * time.Millisecond
	againOneIn     = 50 // sends: one is asked for twice under its key
	samplesMax     = 20 // wrong answers kept verbatim
	answerMaxLeast = 100 * time.Millisecond
	answerMaxMost  = time.Minute
)

// User is one person of the crowd.
type User struct {
	Name  envelope.UserID
	Token string
}

// StageConfig is what a stage needs; all of it is required.
type StageConfig struct {
	API       string        // base URL of the API, http://host:port
	Users     []User        // at least as many as the plan has
	Plan      *Plan         // what will be wanted
	Key       string        // prefix of the idempotency keys, new for every stage
	AnswerMax time.Duration // when a request is given up, 100 ms to 1 min
	TicketMax time.Duration // from paying to the ticket; 0 is 20 s
}

func (c *StageConfig) validate() error {
	switch {
	case c.Plan == nil || c.Key == "":
		return errors.New("plan and key are required")
	case len(c.Users) < c.Plan.Config.Users:
		return fmt.Errorf("want %d <= users, have %d", c.Plan.Config.Users, len(c.Users))
	case c.AnswerMax < answerMaxLeast || c.AnswerMax > answerMaxMost:
		return fmt.Errorf("want %v <= answer max <= %v, have %v", answerMaxLeast, answerMaxMost, c.AnswerMax)
	case c.TicketMax < 0:
		return fmt.Errorf("want 0 <= ticket max, have %v", c.TicketMax)
	}
	return nil
}

// Stage is a plan on a running service: its envelopes, and the journal of
// everything asked and answered about them. Loads run one after another; the
// audit comes last.
type Stage struct {
	cfg   StageConfig
	addr  string
	desk  *desk
	began time.Time
	tails [][]byte // by user: the end of every request

	lives  []live       // by gift; written by the caller that sends it, before any tap
	cursor atomic.Int64 // taps already handed out

	mu      sync.Mutex // guards what is below
	records []Record
	broken  []reconcile.Difference // found on the way
	samples []string               // wrong answers, verbatim
}

// live is a gift that has been sent.
type live struct {
	id         envelope.ID
	commitment string
	codeURL    string
	ticket     string
}

// NewStage checks the configuration and touches nothing.
func NewStage(cfg StageConfig) (*Stage, error) {
	base, err := url.Parse(cfg.API)
	if err != nil || base.Scheme != "http" || base.Port() == "" {
		return nil, fmt.Errorf("stage: API %q: want http://host:port", cfg.API)
	}
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("stage: %w", err)
	}
	if cfg.TicketMax == 0 {
		cfg.TicketMax = ticketWait
	}
	s := &Stage{cfg: cfg, addr: base.Host, desk: newDesk(cfg.API), began: time.Now(), lives: make([]live, len(cfg.Plan.Gifts))}
	for _, u := range cfg.Users {
		s.tails = append(s.tails, []byte("Authorization: Bearer "+u.Token+"\r\nContent-Length: 0\r\n\r\n"))
	}
	return s, nil
}

// Plan is what is wanted of the stage.
func (s *Stage) Plan() *Plan { return s.cfg.Plan }

// Close closes idle connections.
func (s *Stage) Close() { s.desk.close() }

func (s *Stage) now() time.Duration { return time.Since(s.began) }

// head is the beginning of a request about a gift.
func (s *Stage) head(gift int, verb string) []byte {
	l := &s.lives[gift]
	return []byte("POST /v1/envelopes/" + string(l.id) + "/" + verb + " HTTP/1.1\r\nHost: " + s.addr + "\r\nEnvelope-Ticket: " + l.ticket + "\r\n")
}

// Prepare sends and pays every gift of the plan and fetches its ticket, in
// passes, so that no payment is waited for alone.
func (s *Stage) Prepare(ctx context.Context) error {
	for _, pass := range []struct {
		what string
		do   func(context.Context, int) error
	}{
		{"send", func(ctx context.Context, gift int) error {
			return patiently(ctx, func() error { return s.send(ctx, gift) })
		}},
		{"pay", func(ctx context.Context, gift int) error {
			return patiently(ctx, func() error { return s.desk.pay(ctx, s.lives[gift].codeURL) })
		}},
		{"ticket", s.awaitTicket},
	} {
		g, gctx := errgroup.WithContext(ctx)
		g.SetLimit(deskCallersMax)
		for gift := range s.lives {
			g.Go(func() error {
				if err := pass.do(gctx, gift); err != nil {
					return fmt.Errorf("prepare envelope %d: %s: %w", gift, pass.what, err)
				}
				return nil
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
	}
	return nil
}

// patiently asks again while the service is busy, cannot be reached or does not
// know: preparing and auditing are not the test, and everything they ask for is
// the same when it is asked again.
func patiently(ctx context.Context, do func() error) error {
	for try := 1; ; try++ {
		err := do()
		if err == nil || try == deskTriesMax || ctx.Err() != nil {
			return err
		}
		wait := deskPauseMax
		if no, answered := errors.AsType[*statusError](err); answered {
			if no.status != http.StatusTooManyRequests && no.status != http.StatusServiceUnavailable && no.status != http.StatusGatewayTimeout {
				return err
			}
			wait = min(wait, max(no.retryAfter, ticketEvery))
		}
		if err := Sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// send makes the envelope of a gift. Now and then it asks a second time under
// the same key: a repeat must find the first.
func (s *Stage) send(ctx context.Context, gift int) error {
	g := &s.cfg.Plan.Gifts[gift]
	key := fmt.Sprintf("%s-%d", s.cfg.Key, gift)
	token, recipient := s.cfg.Users[g.Sender].Token, s.recipient(g)
	sent, err := s.desk.send(ctx, token, key, g, recipient)
	if err != nil {
		return err
	}
	s.lives[gift] = live{id: sent.ID, commitment: sent.Commitment, codeURL: sent.Payment.CodeURL}
	if gift%againOneIn != 0 {
		return nil
	}
	again, err := s.desk.send(ctx, token, key, g, recipient)
	if err == nil && again.ID != sent.ID {
		s.found(reconcile.Difference{Rule: ruleRepeat, Key: string(sent.ID), Have: fmt.Sprintf("the key %s made %s as well", key, again.ID)})
	}
	return err
}

func (s *Stage) recipient(g *Gift) envelope.UserID {
	if g.Kind == envelope.Exclusive {
		return s.cfg.Users[g.Taps[0].User].Name
	}
	return ""
}

// errPaidLate says that a payment came when the envelope had been closed.
var errPaidLate = errors.New("it was closed before the payment came")

// awaitTicket waits until the payment has arrived, which the sender sees by
// being given the group's ticket.
func (s *Stage) awaitTicket(ctx context.Context, gift int) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.TicketMax)
	defer cancel()
	l, token := &s.lives[gift], s.cfg.Users[s.cfg.Plan.Gifts[gift].Sender].Token
	for {
		shown, err := s.desk.show(ctx, token, l.id)
		if busy, ok := errors.AsType[*statusError](err); err != nil && (!ok || busy.status < 429) {
			return err
		}
		if err == nil && shown.Ticket != "" {
			l.ticket = shown.Ticket
			return nil
		}
		if err == nil && shown.State == envelope.Closed {
			return fmt.Errorf("envelope %s: %w", l.id, errPaidLate)
		}
		if err := Sleep(ctx, ticketEvery); err != nil {
			return fmt.Errorf("envelope %s is not active: %w", l.id, err)
		}
	}
}

func (s *Stage) found(v reconcile.Difference) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.broken) < reconcile.DifferencesMax {
		s.broken = append(s.broken, v)
	}
}

// sample keeps a wrong answer for people to read; the audit counts them all.
func (s *Stage) sample(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.samples) < samplesMax {
		s.samples = append(s.samples, text)
	}
}

// Sleep waits for d, or until ctx ends and is why.
func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
