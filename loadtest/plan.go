package loadtest

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"hongbao/envelope"
)

// Scenario is how a crowd behaves.
type Scenario string

// The scenarios.
const (
	Hot      Scenario = "hot"      // one envelope after another, hundreds of openers each
	Spread   Scenario = "spread"   // hundreds at the same time, and the next hundreds when these are empty
	Festival Scenario = "festival" // people send and open; a spike at midnight
)

// Scenarios are all there are.
func Scenarios() []Scenario { return []Scenario{Hot, Spread, Festival} }

// Bounds of a plan.
const (
	EnvelopesMax = 50_000
	CountMax     = 500
	usersMax     = 20_000
	tapsMax      = 20_000_000
)

const (
	equalOneIn  = 10 // this many envelopes: one divides equally, the rest by luck
	RepeatOneIn = 20 // this many taps: one is tapped again later
	tightOneIn  = 50 // this many: one holds the least a draw can divide, one the most
	shareMax    = envelope.Fen(20_000)
	shareMean   = envelope.Fen(400) // fen a share, at most, on average
)

// PlanConfig says what is planned; all of it is required, but for Festival
// Count and Openers, which the published mix decides.
type PlanConfig struct {
	Scenario  Scenario `json:"scenario"`
	Seed      uint64   `json:"seed"`
	Envelopes int      `json:"envelopes"` // 1 to EnvelopesMax
	AtOnce    int      `json:"at_once"`   // Spread: of them, that are opened at the same time; 0 for all
	Count     int      `json:"count"`     // shares of each, 1 to CountMax
	Openers   int      `json:"openers"`   // people who tap each, 1 to Users
	Users     int      `json:"users"`     // people there are, 1 to UsersMax

	ShareMin envelope.Fen `json:"share_min_fen,omitempty"` // the service's least share; 0 is 1
}

func (c *PlanConfig) validate() error {
	switch {
	case !slices.Contains(Scenarios(), c.Scenario):
		return fmt.Errorf("plan: scenario %q: want hot, spread or festival", c.Scenario)
	case c.Envelopes < 1 || c.Envelopes > EnvelopesMax:
		return fmt.Errorf("plan: want 1 <= envelopes <= %d, have %d", EnvelopesMax, c.Envelopes)
	case c.Users < festivalOpenersMax || c.Users > usersMax:
		return fmt.Errorf("plan: want %d <= users <= %d, have %d", festivalOpenersMax, usersMax, c.Users)
	case c.ShareMin < 0 || c.ShareMin > shareMax:
		return fmt.Errorf("plan: want 1 <= share min <= %d, have %d", shareMax, c.ShareMin)
	case c.Scenario == Festival:
		return nil
	case c.Count < 1 || c.Count > CountMax:
		return fmt.Errorf("plan: want 1 <= count <= %d, have %d", CountMax, c.Count)
	case c.AtOnce < 0:
		return fmt.Errorf("plan: want at once >= 0, have %d", c.AtOnce)
	case c.Openers < 1 || c.Openers > c.Users:
		return fmt.Errorf("plan: want 1 <= openers <= users = %d, have %d", c.Users, c.Openers)
	case c.Envelopes*c.Openers > tapsMax:
		return fmt.Errorf("plan: want envelopes × openers <= %d, have %d", tapsMax, c.Envelopes*c.Openers)
	}
	return nil
}

// Plan is everything a crowd is going to want. The same configuration makes the
// same plan, on every machine.
type Plan struct {
	Config PlanConfig
	Gifts  []Gift
	Taps   []Tap     // in the order in which people reach for them; none for Festival and Soaking
	Fates  []Fate    // Soaking: of each gift; none otherwise
	Of     Lifetimes // Soaking: of the service
}

// Fate is what becomes of a gift before it is active.
func (p *Plan) Fate(gift int) Fate {
	if p.Fates == nil {
		return Fate{}
	}
	return p.Fates[gift]
}

// Gift is an envelope to be sent.
type Gift struct {
	Kind   envelope.Kind
	Total  envelope.Fen
	Count  int
	Sender int32
	Taps   []LaterTap // Festival and Soaking: who taps, once the message is there
}

// Tap is one person tapping one envelope.
type Tap struct{ Gift, User int32 }

// LaterTap is a tap some time after the envelope's message was posted.
type LaterTap struct {
	User  int32
	After time.Duration
}

// closingTick is how much earlier than we the provider may close a charge: it
// keeps its time to the second.
const closingTick = time.Second

// late reports whether so long after its send an envelope may be closed.
func (p *Plan) late(age time.Duration) bool {
	return p.Of.PayWithin > 0 && age >= p.Of.PayWithin-closingTick
}

// NewPlan draws a plan from its seed.
func NewPlan(cfg PlanConfig) (*Plan, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	p := &Plan{Config: cfg, Gifts: make([]Gift, cfg.Envelopes)}
	r := newRand(cfg.Seed, string(cfg.Scenario))
	if cfg.Scenario == Festival {
		p.drawFestival(r)
		p.raise()
		return p, nil
	}
	for i := range p.Gifts {
		p.Gifts[i] = newGift(r, cfg.Count, cfg.Users)
	}
	p.raise()
	p.drawTaps(r)
	return p, nil
}

// raise makes every gift large enough for the service's least share.
func (p *Plan) raise() {
	for i := range p.Gifts {
		g := &p.Gifts[i]
		g.Total = max(g.Total, envelope.Fen(g.Count)*p.Config.ShareMin)
	}
}

// newRand is the stream of one purpose: streams of one seed do not shift when
// another draws more.
func newRand(seed uint64, purpose string) *rand.Rand {
	sum := sha256.Sum256([]byte(purpose))
	return rand.New(rand.NewPCG(seed, binary.BigEndian.Uint64(sum[:])))
}

func newGift(r *rand.Rand, count, users int) Gift {
	g := Gift{Kind: envelope.Lucky, Count: count, Sender: int32(r.IntN(users))}
	n := envelope.Fen(count)
	switch {
	case r.IntN(equalOneIn) == 0:
		g.Kind = envelope.Equal
		g.Total = n * (1 + fen(r, shareMean))
	case r.IntN(tightOneIn) == 0:
		g.Total = n
	case r.IntN(tightOneIn) == 0:
		g.Total = n * shareMax
	default:
		g.Total = n + fen(r, n*shareMean)
	}
	return g
}

// fen is an amount below n.
func fen(r *rand.Rand, n envelope.Fen) envelope.Fen { return envelope.Fen(r.Int64N(int64(n))) }

// drawTaps fills Taps: envelope after envelope when hot, a round through those that
// are at once in a fresh order when spread, and now and then a tap repeated.
func (p *Plan) drawTaps(r *rand.Rand) {
	users := make([]walk, len(p.Gifts))
	for i := range users {
		users[i] = newWalk(r, p.Config.Users)
	}
	near := 64 // a repeat comes within so many taps
	taps := make([]Tap, 0, len(p.Gifts)*p.Config.Openers)
	if p.Config.Scenario == Hot {
		for g := range p.Gifts {
			for range p.Config.Openers {
				taps = append(taps, Tap{int32(g), users[g].next()})
			}
		}
	} else {
		atOnce := p.Config.AtOnce
		if atOnce == 0 {
			atOnce = len(p.Gifts)
		}
		near = 2 * atOnce
		for first := 0; first < len(p.Gifts); first += atOnce {
			for range p.Config.Openers {
				for _, i := range r.Perm(min(atOnce, len(p.Gifts)-first)) {
					g := first + i
					taps = append(taps, Tap{int32(g), users[g].next()})
				}
			}
		}
	}
	p.Taps = withRepeats(r, taps, near)
}

// withRepeats adds a second tap of the same person to one in repeatOneIn, at
// most near taps later. The conversions keep processors from fusing products and
// sums, which would round differently on some of them.
func withRepeats(r *rand.Rand, taps []Tap, near int) []Tap {
	type placed struct {
		at  float64
		tap Tap
	}
	all := make([]placed, 0, len(taps)+len(taps)/RepeatOneIn*2)
	for i, t := range taps {
		all = append(all, placed{float64(i), t})
		if r.IntN(RepeatOneIn) == 0 {
			all = append(all, placed{float64(i) + 0.5 + float64(r.Float64()*float64(near)), t})
		}
	}
	slices.SortStableFunc(all, func(a, b placed) int {
		switch {
		case a.at < b.at:
			return -1
		case a.at > b.at:
			return 1
		}
		return 0
	})
	taps = make([]Tap, len(all))
	for i := range all {
		taps[i] = all[i].tap
	}
	return taps
}

// walk names different users, one after another, without a list of them: a
// stride without a common divisor with the number of users meets each once.
type walk struct{ at, stride, users int }

func newWalk(r *rand.Rand, users int) walk {
	w := walk{at: r.IntN(users), stride: 1 + r.IntN(users), users: users}
	for divisor(w.stride, users) != 1 {
		w.stride++
	}
	return w
}

func (w *walk) next() int32 {
	user := w.at
	w.at = (w.at + w.stride) % w.users
	return int32(user)
}

func divisor(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// Digest identifies a plan: two runs with the same digest wanted the same.
func (p *Plan) Digest() string {
	h := sha256.New()
	c := &p.Config // but for AtOnce, which the taps show
	fmt.Fprintf(h, "{Scenario:%s Seed:%d Envelopes:%d Count:%d Openers:%d Users:%d}\n", c.Scenario, c.Seed, c.Envelopes, c.Count, c.Openers, c.Users)
	for i := range p.Gifts {
		fmt.Fprintf(h, "%+v\n", p.Gifts[i])
	}
	for _, f := range p.Fates {
		fmt.Fprintf(h, "%+v\n", f)
	}
	var buf [8]byte
	for _, t := range p.Taps {
		binary.BigEndian.PutUint32(buf[:4], uint32(t.Gift))
		binary.BigEndian.PutUint32(buf[4:], uint32(t.User))
		h.Write(buf[:])
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}
