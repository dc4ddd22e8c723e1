package past

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"time"

	"hongbao/envelope"
)

// EnvelopesMax bounds how many envelopes a past has: each has a millisecond of its own.
const EnvelopesMax = 50_000_000

const (
	over      = 3 * 24 * time.Hour // from the oldest envelope to the newest: where 99 % of the reads are
	ended     = time.Minute        // this long ago
	paid      = 2 * time.Second    // from sending to paying
	opened    = 3 * time.Second    // from paying to the last share
	sharesMax = 3                  // of one envelope, at most
	people    = 1_000_000

	exclusiveOneIn = 20
	equalOneIn     = 10
	shareMean      = envelope.Fen(400) // at most, on average
	// Of the envelopes that still have hours to live, this many: one is active,
	// and unopened. All others are settled.
	activeOneIn = 4
	lifeLeftMin = 4 * time.Hour
)

// Config says what a past is made of; all of it is required.
type Config struct {
	Seed      uint64
	Envelopes int                  // 1 to EnvelopesMax
	Sets      []envelope.SetNumber // in turn
	Machine   int                  // the machine number of every body: one that no SET grants, or IDs would meet
	DrawKey   envelope.DrawKey
	Now       time.Time
}

func (c *Config) validate() error {
	const machines = 1 << envelope.BodyMachineBits
	switch {
	case c.Envelopes < 1 || c.Envelopes > EnvelopesMax:
		return fmt.Errorf("want 1 <= envelopes <= %d, have %d", EnvelopesMax, c.Envelopes)
	case len(c.Sets) == 0:
		return fmt.Errorf("want 1 SET at least")
	case c.Machine < 0 || c.Machine >= machines:
		return fmt.Errorf("want 0 <= machine number < %d, have %d", machines, c.Machine)
	case c.DrawKey.IsZero() || c.Now.IsZero():
		return fmt.Errorf("draw key and now are required")
	}
	return nil
}

// Past is envelopes that were sent, opened and settled before anyone measured:
// rows that fill the tables and must pass every audit. Nothing is pending: settled
// ones are paid out, active ones have not been opened. The n-th envelope of a
// configuration is always the same.
type Past struct {
	cfg    Config
	limits envelope.Limits
	start  time.Time
	serial envelope.Body // sequence bits and machine number of every body
}

// New refuses a past whose IDs could meet others'. Two pasts of one
// machine number meet when their seeds are equal modulo 1024; the tables' keys
// then refuse the second.
func New(cfg Config) (*Past, error) {
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("past: %w", err)
	}
	sequence := envelope.Body(cfg.Seed % (1 << envelope.BodySequenceBits))
	return &Past{cfg: cfg, limits: envelope.DefaultLimits(), start: cfg.Now.UTC().Add(-ended - over).Truncate(time.Millisecond),
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
	e.PaidAt = at.Add(paid)
	e.ExpiresAt = e.PaidAt.Add(p.limits.Life)
	if p.hasHoursLeft(at) && r.IntN(activeOneIn) == 0 {
		return envelope.Snapshot{Envelope: e}
	}
	return settled(e, seed, openers)
}

// sentAt is when the n-th envelope was sent.
func (p *Past) sentAt(n int) time.Time {
	return p.start.Add(time.Duration(n) * (over / time.Duration(p.cfg.Envelopes)).Truncate(time.Millisecond))
}

func (p *Past) hasHoursLeft(sent time.Time) bool {
	return sent.Add(p.limits.Life - lifeLeftMin).After(p.cfg.Now)
}

// order is what was sent, and its openers.
func (p *Past) order(r *rand.Rand) (o envelope.Order, openers []envelope.UserID) {
	o = envelope.Order{Kind: envelope.Lucky, Count: 1 + r.IntN(sharesMax), Sender: userNamed(r.IntN(people)), Group: "past", Greeting: envelope.DefaultGreeting}
	first := r.IntN(people - sharesMax)
	for i := range sharesMax {
		openers = append(openers, userNamed(first+i))
	}
	switch n := envelope.Fen(o.Count); {
	case r.IntN(exclusiveOneIn) == 0:
		o.Kind, o.Count, o.Recipient, o.Total = envelope.Exclusive, 1, openers[0], 1+fen(r, shareMean)
	case r.IntN(equalOneIn) == 0:
		o.Kind, o.Total = envelope.Equal, n*(1+fen(r, shareMean))
	default:
		o.Total = n + fen(r, n*shareMean)
	}
	return o, openers[:o.Count]
}

func userNamed(n int) envelope.UserID { return envelope.UserID(fmt.Sprintf("past-%07d", n)) }

// settled is an envelope whose every share was taken and paid out.
func settled(e envelope.Envelope, seed envelope.Seed, openers []envelope.UserID) envelope.Snapshot {
	nobody := func(envelope.UserID) (envelope.Share, bool) { return envelope.Share{}, false }
	after, openings := envelope.Decide(e, seed, openers, nobody, e.PaidAt.Add(opened))
	snap := envelope.Snapshot{Envelope: after}
	for _, o := range openings {
		snap.Shares = append(snap.Shares, o.Share)
	}
	snap.Envelope.State, snap.Envelope.Ver = envelope.Settled, after.Ver+1
	return snap
}

// fen is an amount below n.
func fen(r *rand.Rand, n envelope.Fen) envelope.Fen { return envelope.Fen(r.Int64N(int64(n))) }
