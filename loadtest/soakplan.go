package loadtest

import (
	"fmt"
	"math/rand/v2"
	"time"

	"hongbao/envelope"
)

// Soaking is the scenario that walks every path of money: envelopes that are
// never paid, that are paid for at the last moment, that are opened to the last
// share and that are left to expire, by people who tap twice or too late.
const Soaking Scenario = "soak"

// The mix of a soak; one in so many envelopes, if not said otherwise.
const (
	soakUnpaidOneIn    = 12
	soakLateOneIn      = 12
	soakExclusiveOneIn = 8
	soakLeftOneIn      = 3 // keeps shares that are never taken
	soakLeftMax        = 3 // so many of them
	soakLoserOneIn     = 5 // has a share less than openers
	soakTooLateOneIn   = 4 // of those that keep shares: one is tapped when its life is over
	soakOpenersMax     = 5
	soakThinkMean      = 0.8 // seconds from the message to the tap
)

// Fate is what becomes of an envelope before it is active. The zero fate is paid
// at once.
type Fate struct {
	Unpaid   bool
	PayAfter time.Duration // since it was sent; late is around the end of the time to pay
}

// Lifetimes are the limits of the service that a soak waits for; those longer
// than [LifetimeSeenMax] are not waited for, and what follows from them is not
// seen.
type Lifetimes struct {
	PayWithin time.Duration
	Life      time.Duration
}

// LifetimeSeenMax is the longest wait that a soak plans for.
const LifetimeSeenMax = 2 * time.Minute

// NewSoakPlan draws envelopes for a soak on a service of those lifetimes.
func NewSoakPlan(cfg PlanConfig, of Lifetimes) (*Plan, error) {
	if cfg.Scenario != Soaking || cfg.Envelopes < 1 || cfg.Envelopes > EnvelopesMax || cfg.Users < soakOpenersMax || cfg.Users > usersMax {
		return nil, fmt.Errorf("plan: want scenario soak, 1 <= envelopes <= %d, %d <= users <= %d, have %q, %d and %d",
			EnvelopesMax, soakOpenersMax, usersMax, cfg.Scenario, cfg.Envelopes, cfg.Users)
	}
	p := &Plan{Config: cfg, Gifts: make([]Gift, cfg.Envelopes), Fates: make([]Fate, cfg.Envelopes), Of: of}
	r := newRand(cfg.Seed, string(Soaking))
	for i := range p.Gifts {
		p.Gifts[i], p.Fates[i] = soakGift(r, cfg.Users, of), soakFate(r, of)
	}
	p.raise()
	return p, nil
}

func soakFate(r *rand.Rand, of Lifetimes) (f Fate) {
	switch {
	case r.IntN(soakUnpaidOneIn) == 0:
		f.Unpaid = true
	case r.IntN(soakLateOneIn) == 0 && of.PayWithin <= LifetimeSeenMax:
		f.PayAfter = of.PayWithin*9/10 + time.Duration(r.Int64N(int64(of.PayWithin)/5+1))
	}
	return f
}

func soakGift(r *rand.Rand, users int, of Lifetimes) Gift {
	openers, left := 1+r.IntN(soakOpenersMax), r.IntN(soakLeftOneIn) == 0
	exclusive := r.IntN(soakExclusiveOneIn) == 0
	if exclusive {
		openers, left = 1, false
	}
	count := openers
	switch {
	case left:
		count += 1 + r.IntN(soakLeftMax)
	case count > 1 && r.IntN(soakLoserOneIn) == 0:
		count--
	}
	g := newGift(r, count, users)
	who := newWalk(r, users)
	for range openers {
		tap := LaterTap{who.next(), time.Duration(r.ExpFloat64() * soakThinkMean * float64(time.Second))}
		g.Taps = append(g.Taps, tap)
		if r.IntN(festivalRepeatOneIn) == 0 {
			tap.After += festivalImpatienceMin
			g.Taps = append(g.Taps, tap)
		}
	}
	if left && of.Life <= LifetimeSeenMax && r.IntN(soakTooLateOneIn) == 0 {
		g.Taps = append(g.Taps, LaterTap{who.next(), of.Life + time.Second})
	}
	if exclusive {
		g.Kind, g.Total = envelope.Exclusive, min(g.Total, shareMax)
	}
	return g
}
