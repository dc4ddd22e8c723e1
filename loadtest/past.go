package loadtest

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"time"

	"hongbao/envelope"
)

// PastMax bounds how many envelopes a past has: each has a millisecond of its own.
const PastMax = 50_000_000

const (
	pastOver   = 3 * 24 * time.Hour // from the oldest envelope to the newest: where 99 % of the reads are
	pastEnded  = time.Minute        // this long ago
	pastPaid   = 2 * time.Second    // from sending to paying
	pastOpened = 3 * time.Second    // from paying to the last share
	pastShares = 3                  // of one envelope, at most
	pastPeople = 1_000_000

	pastExclusiveOneIn = 20
	// Of the envelopes that still have hours to live, this many: one is active,
	// and nobody has opened it. All others are settled.
	pastActiveOneIn = 4
	pastHoursToLive = 4 * time.Hour
)

// PastConfig says what a past is made of; all of it is required.
type PastConfig struct {
	Seed      uint64
	Envelopes int                  // 1 to PastMax
	Sets      []envelope.SetNumber // in turn
	Machine   int                  // the machine number of every body: one that no SET grants, or IDs would meet
	DrawKey   envelope.DrawKey
	Now       time.Time
}

// Past is envelopes that were sent, opened and settled before anyone measured:
// rows that fill the tables and must pass every audit. They owe nothing: settled
// ones are paid out, active ones have not been opened. The n-th envelope of a
// configuration is always the same.
type Past struct {
	cfg    PastConfig
	limits envelope.Limits
	start  time.Time
	serial envelope.Body // sequence bits and machine number of every body
}

// NewPast refuses a past whose IDs could meet others'. Two pasts of one
// machine number meet when their seeds are equal modulo 1024; the tables' keys
// then refuse the second.
func NewPast(cfg PastConfig) (*Past, error) {
	const machines = 1 << envelope.BodyMachineBits
	switch {
	case cfg.Envelopes < 1 || cfg.Envelopes > PastMax:
		return nil, fmt.Errorf("past: want 1 <= envelopes <= %d, have %d", PastMax, cfg.Envelopes)
	case len(cfg.Sets) == 0:
		return nil, fmt.Errorf("past: want 1 SET at least")
	case cfg.Machine < 0 || cfg.Machine >= machines:
		return nil, fmt.Errorf("past: want 0 <= machine number < %d, have %d", machines, cfg.Machine)
	case cfg.DrawKey.IsZero() || cfg.Now.IsZero():
		return nil, fmt.Errorf("past: draw key and now are required")
	}
	sequence := envelope.Body(cfg.Seed % (1 << envelope.BodySequenceBits))
	return &Past{cfg: cfg, limits: envelope.DefaultLimits(), start: cfg.Now.UTC().Add(-pastEnded - pastOver).Truncate(time.Millisecond),
		serial: sequence<<envelope.BodyMachineBits | envelope.Body(cfg.Machine)}, nil
}

// Of are the envelopes of the i-th SET, in the order of their IDs.
func (p *Past) Of(i int) iter.Seq[envelope.Snapshot] {
	return func(yield func(envelope.Snapshot) bool) {
		for n := i; n < p.cfg.Envelopes; n += len(p.cfg.Sets) {
			if !yield(p.Snapshot(n)) {
				return
			}
		}
	}
}

// Active are up to max envelopes that anyone may still open, the newest first.
func (p *Past) Active(max int) (ids []envelope.ID) {
	for n := p.cfg.Envelopes - 1; n >= 0 && len(ids) < max && p.hasHoursLeft(p.sentAt(n)); n-- {
		if e := p.Snapshot(n).Envelope; e.State == envelope.Active && e.Kind != envelope.Exclusive {
			ids = append(ids, e.ID)
		}
	}
	return ids
}

// Snapshot is the n-th envelope, from 0, with its shares.
func (p *Past) Snapshot(n int) envelope.Snapshot {
	at, r := p.sentAt(n), rand.New(rand.NewPCG(p.cfg.Seed, uint64(n)))
	body := envelope.Body(at.Sub(envelope.BodyEpoch()).Milliseconds()<<(envelope.BodySequenceBits+envelope.BodyMachineBits)) | p.serial
	id := body.In(p.cfg.Sets[n%len(p.cfg.Sets)])
	seed := p.cfg.DrawKey.Seed(id)
	order, openers := p.order(r)
	e := p.limits.New(order, id, seed.Commitment(), at)
	e.State, e.Ver, e.TransactionID = envelope.Active, e.Ver+1, fmt.Sprintf("past%d", body)
	e.PaidAt = at.Add(pastPaid)
	e.ExpiresAt = e.PaidAt.Add(p.limits.Life)
	if p.hasHoursLeft(at) && r.IntN(pastActiveOneIn) == 0 {
		return envelope.Snapshot{Envelope: e}
	}
	return settled(e, seed, openers)
}

// sentAt is when the n-th envelope was sent.
func (p *Past) sentAt(n int) time.Time {
	return p.start.Add(time.Duration(n) * (pastOver / time.Duration(p.cfg.Envelopes)).Truncate(time.Millisecond))
}

func (p *Past) hasHoursLeft(sent time.Time) bool {
	return sent.Add(p.limits.Life - pastHoursToLive).After(p.cfg.Now)
}

// order is what somebody sent, and who opens it.
func (p *Past) order(r *rand.Rand) (o envelope.Order, openers []envelope.UserID) {
	o = envelope.Order{Kind: envelope.Lucky, Count: 1 + r.IntN(pastShares), Sender: pastUser(r.IntN(pastPeople)), Group: "past", Greeting: envelope.DefaultGreeting}
	first := r.IntN(pastPeople - pastShares)
	for i := range pastShares {
		openers = append(openers, pastUser(first+i))
	}
	switch n := envelope.Fen(o.Count); {
	case r.IntN(pastExclusiveOneIn) == 0:
		o.Kind, o.Count, o.Recipient, o.Total = envelope.Exclusive, 1, openers[0], 1+fen(r, shareMean)
	case r.IntN(equalOneIn) == 0:
		o.Kind, o.Total = envelope.Equal, n*(1+fen(r, shareMean))
	default:
		o.Total = n + fen(r, n*shareMean)
	}
	return o, openers[:o.Count]
}

func pastUser(n int) envelope.UserID { return envelope.UserID(fmt.Sprintf("past-%07d", n)) }

// settled is an envelope whose every share was taken and paid out.
func settled(e envelope.Envelope, seed envelope.Seed, openers []envelope.UserID) envelope.Snapshot {
	nobody := func(envelope.UserID) (envelope.Share, bool) { return envelope.Share{}, false }
	after, openings := envelope.Decide(e, seed, openers, nobody, e.PaidAt.Add(pastOpened))
	snap := envelope.Snapshot{Envelope: after}
	for _, o := range openings {
		snap.Shares = append(snap.Shares, o.Share)
	}
	snap.Envelope.State, snap.Envelope.Ver = envelope.Settled, after.Ver+1
	return snap
}
