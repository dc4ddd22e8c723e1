package loadtest

import (
	"context"
	"errors"
	"fmt"
	"hongbao/reconcile"
	"net/http"
	"sync/atomic"
	"time"
)

// Party is the festival's load: people send as the load says, and open what
// others sent, some time after its message appeared.
type Party struct {
	Seed        uint64
	Load        []Stretch // sends a second; see [Evening]
	Connections int       // 1 to CallersMax
	Retry       Retry     // of opens; sends ask again under their key while the service is busy
}

func (l *Party) validate() error {
	if l.Connections < 1 || l.Connections > CallersMax {
		return fmt.Errorf("want 1 <= connections <= %d, have %d", CallersMax, l.Connections)
	}
	return l.Retry.validate()
}

// job is something due now.
type job struct {
	act   Act
	tap   Tap
	due   time.Duration
	asked time.Duration // Paying: when the send was due, so the envelope is no older
}

// party runs jobs when they are due. A message cannot be tapped before it is there
// yet, so a tap is scheduled when its envelope has become active; from then on
// it waits for nothing.
type party struct {
	s     *Stage
	crowd *crowd
	jobs  chan job     // has room for every job there will be: timers never block
	left  atomic.Int64 // jobs not done, sends counting before their taps
}

// Celebrate runs a festival's plan. It returns when every tap has been answered.
func (s *Stage) Celebrate(ctx context.Context, load Party) (*Run, error) {
	if err := load.validate(); err != nil {
		return nil, fmt.Errorf("party: %w", err)
	}
	due, err := Arrivals(load.Seed, load.Load)
	if err != nil {
		return nil, err
	}
	due = due[:min(len(due), len(s.lives))]
	arrivals := len(due)
	for gift := range due {
		arrivals += len(s.cfg.Plan.Gifts[gift].Taps)
	}
	if len(due) == 0 {
		return nil, errors.New("party: nobody sends anything: raise the rate or the time")
	}
	p := &party{s: s, crowd: s.gather(load.Connections, "open", load.Retry), jobs: make(chan job, arrivals+len(due))} // and those that are paid late
	p.left.Store(int64(len(due)))
	from := s.now()
	for gift, at := range due {
		p.at(from+at, job{act: Sending, tap: Tap{Gift: int32(gift), User: s.cfg.Plan.Gifts[gift].Sender}})
	}
	run := &Run{Callers: load.Connections, Open: true, From: from, To: from + Length(load.Load), Load: load.Load, Arrivals: arrivals}
	p.crowd.carryOut(run, func(one *caller) bool { return p.take(ctx, one) })
	s.keep(run.Records)
	return run, ctx.Err()
}

// at puts a job in line when it is due.
func (p *party) at(due time.Duration, j job) {
	j.due = due
	time.AfterFunc(due-p.s.now(), func() { p.jobs <- j })
}

func (p *party) done() {
	if p.left.Add(-1) == 0 {
		close(p.jobs)
	}
}

// take does the next job, and reports whether there may be another.
func (p *party) take(ctx context.Context, one *caller) bool {
	select {
	case <-ctx.Done():
		return false
	case j, ok := <-p.jobs:
		if ok {
			p.do(ctx, one, j)
		}
		return ok
	}
}

func (p *party) do(ctx context.Context, one *caller, j job) {
	defer p.done()
	gift := int(j.tap.Gift)
	switch fate := p.s.cfg.Plan.Fate(gift); j.act {
	case Opening:
		one.tap(ctx, j.tap, p.crowd.heads[gift], j.due)
	case Paying:
		p.pay(ctx, one, j)
	case Sending:
		switch sent := one.deal(Sending, j.tap, j.due, func() error { return p.s.send(ctx, gift) }); {
		case !sent, fate.Unpaid, p.s.lives[gift].codeURL == "": // never paid; or the answer came when it was too late to
		case fate.PayAfter > 0:
			p.left.Add(1)
			p.at(p.s.now()+fate.PayAfter, job{act: Paying, tap: j.tap, asked: j.due})
		default:
			p.pay(ctx, one, job{act: Paying, tap: j.tap, due: p.s.now(), asked: j.due})
		}
	}
}

// pay pays an envelope, waits for its message and lets people tap it. A payer
// a late one, for want of haste or of an answer, may find that it can not be paid any
// more.
func (p *party) pay(ctx context.Context, one *caller, j job) {
	gift, closed := int(j.tap.Gift), false
	late := func() bool { return p.s.cfg.Plan.late(p.s.now() - j.asked) }
	paid := one.deal(Paying, j.tap, j.due, func() error {
		err := p.s.desk.pay(ctx, p.s.lives[gift].codeURL)
		if no, answered := errors.AsType[*statusError](err); answered && no.status == http.StatusBadRequest && late() {
			closed = true
			return nil
		}
		return err
	})
	if !paid || closed {
		return
	}
	switch err := p.s.awaitTicket(ctx, gift); {
	case err == nil:
	case ctx.Err() != nil, errors.Is(err, errPaidLate) && late():
		return
	default:
		p.s.found(reconcile.Difference{Rule: rulePaid, Key: string(p.s.lives[gift].id), Have: err.Error()})
		return
	}
	p.crowd.heads[gift] = p.s.head(gift, "open")
	posted := p.s.now()
	taps := p.s.cfg.Plan.Gifts[gift].Taps
	p.left.Add(int64(len(taps)))
	for _, t := range taps {
		p.at(posted+t.After, job{act: Opening, tap: Tap{Gift: int32(gift), User: t.User}})
	}
}

// deal asks the desk for something until it is done or refused for good. Asking
// again under the same key is how a sender retries after a Retry-After.
func (c *caller) deal(act Act, t Tap, due time.Duration, do func() error) bool {
	first := due
	for try := 1; ; try++ {
		rec := Record{First: int64(first), Due: int64(due), Sent: int64(c.s.now()), Gift: t.Gift, User: t.User, Act: act}
		err := do()
		rec.Got = int64(c.s.now())
		wait := rec.dealt(err)
		if rec.Class == Wrong {
			c.s.sample(fmt.Sprintf("%s of %s: %v", act, c.s.lives[t.Gift].id, err))
		}
		c.records = append(c.records, rec)
		if rec.Class == Accepted || rec.Class == Wrong || try == deskTriesMax {
			return rec.Class == Accepted
		}
		c.wait.Reset(wait)
		<-c.wait.C
		due = c.s.now()
	}
}

// dealt classifies the desk's answer and returns how long to wait after it.
func (r *Record) dealt(err error) (wait time.Duration) {
	busy, answered := errors.AsType[*statusError](err)
	switch {
	case err == nil:
		r.Class, r.Status = Accepted, http.StatusOK
		return 0
	case !answered:
		r.Class = Unknown
		return deskPauseMax
	}
	r.Status = int16(busy.status)
	switch busy.status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		r.refused(time.Duration(r.Got - r.Due))
		r.Curt = busy.retryAfter < 0
	case http.StatusGatewayTimeout:
		r.Class = Unknown
	default:
		r.Class = Wrong
	}
	return min(deskPauseMax, max(busy.retryAfter, ticketEvery))
}
