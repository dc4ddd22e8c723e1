package queue

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// GateConfig sets the caps of a gate. A zero field but Store means its default.
type GateConfig struct {
	Store       Store         // where the leases are; required
	Holder      string        // this process in lease lists, unique, at most 64 bytes without ' ' and ':'; default random
	HoldersMax  int           // processes at work on one key, 1..64; default 4
	PermitsMax  int           // permits of one key in this process; default 2,000
	FallbackMax int           // the same while the store does not answer, 1..PermitsMax-1; default 200 or PermitsMax/10
	LeaseFor    time.Duration // life of a lease, 5 AcquireMax..30 s; default 4 s
	AcquireMax  time.Duration // longest work on one acquisition, beside its last round trip, 1 ms..1 s; default 90 ms
	RefuseFor   time.Duration // how long a key found over its cap is refused unasked, 1 ms..LeaseFor; default 50 ms
	WarmMax     int           // keys remembered, 64..2^24; default 65,536
	FailuresMax int           // failures of the store in a row before falling back, 1..1000; default 5
	ProbeEvery  time.Duration // between probes of a store that does not answer, 1 ms..10 s; default 250 ms
	RetryAfter  time.Duration // middle of the jittered Retry-After of refusals; default 1 s
	Logger      *slog.Logger  // hears when the store is lost and found; default slog.Default()
}

func (c *GateConfig) setDefaults() {
	c.Holder = cmp.Or(c.Holder, rand.Text())
	c.HoldersMax = cmp.Or(c.HoldersMax, 4)
	c.PermitsMax = cmp.Or(c.PermitsMax, 2_000)
	c.FallbackMax = cmp.Or(c.FallbackMax, min(200, max(1, c.PermitsMax/10)))
	c.LeaseFor = cmp.Or(c.LeaseFor, 4*time.Second)
	c.AcquireMax = cmp.Or(c.AcquireMax, 90*time.Millisecond)
	c.RefuseFor = cmp.Or(c.RefuseFor, 50*time.Millisecond)
	c.WarmMax = cmp.Or(c.WarmMax, 1<<16)
	c.FailuresMax = cmp.Or(c.FailuresMax, 5)
	c.ProbeEvery = cmp.Or(c.ProbeEvery, 250*time.Millisecond)
	c.RetryAfter = cmp.Or(c.RetryAfter, retryAfterDefault)
	c.Logger = cmp.Or(c.Logger, slog.Default())
}

func (c *GateConfig) validate() error {
	errs := []error{
		within("GateConfig.HoldersMax", c.HoldersMax, 1, holdersMax),
		within("GateConfig.PermitsMax", c.PermitsMax, 2, 1<<24),
		within("GateConfig.FallbackMax", c.FallbackMax, 1, c.PermitsMax-1),
		within("GateConfig.AcquireMax", c.AcquireMax, time.Millisecond, time.Second),
		within("GateConfig.LeaseFor", c.LeaseFor, 5*c.AcquireMax, leaseMax),
		within("GateConfig.RefuseFor", c.RefuseFor, time.Millisecond, c.LeaseFor),
		within("GateConfig.WarmMax", c.WarmMax, gateShards, 1<<24),
		within("GateConfig.FailuresMax", c.FailuresMax, 1, 1_000),
		within("GateConfig.ProbeEvery", c.ProbeEvery, time.Millisecond, 10*time.Second),
		within("GateConfig.RetryAfter", c.RetryAfter, time.Millisecond, time.Hour),
	}
	if c.Store == nil {
		errs = append(errs, errors.New("queue: a gate needs a Store"))
	}
	if !isHolder(c.Holder) {
		errs = append(errs, fmt.Errorf("queue: GateConfig.Holder %q is empty, over %d bytes, or has ' ' or ':'", c.Holder, holderBytesMax))
	}
	return errors.Join(errs...)
}

// gateShards spread the keys over as many mutexes.
const gateShards = 64

// Gate caps how many processes work on one key at a time. The process holds a
// lease of the key, kept in the Store; its own callers take permits under it,
// at most PermitsMax at once.
//
// A lease is renewed in the background by the first caller after a quarter to a
// half of its life: it is still good then, so no request waits for the round trips,
// and a renewal that fails has the rest to be tried again. A lease is not given
// back. It ends by itself soon after the last caller, and a key that was hot a
// moment ago is likely to be hot again.
//
// A gate has nothing to close: acquisitions end within AcquireMax and the
// sweep of idle keys stops with the last key.
type Gate struct {
	cfg              GateConfig
	epoch            time.Time
	seed             maphash.Seed
	breaker          breaker
	renewals         atomic.Int32 // in flight
	overCap, expired *refusals
	full             *refusals
	slots            sync.Pool // of *slot

	shards   [gateShards]shard
	warm     atomic.Int64 // keys in all shards
	sweeper  *time.Timer
	sweeping atomic.Bool // the sweeper is set

	outcomes     [outcomes]atomic.Uint64 // of acquisitions
	doubleLeaves atomic.Uint64
}

// NewGate returns a gate with no leases.
func NewGate(cfg GateConfig) (*Gate, error) {
	cfg.setDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	g := &Gate{
		cfg: cfg, epoch: time.Now(), seed: maphash.MakeSeed(),
		breaker: breaker{failuresMax: int32(cfg.FailuresMax), probeEvery: cfg.ProbeEvery},
		overCap: newRefusals(ReasonOverCap, cfg.RetryAfter),
		expired: newRefusals(ReasonExpired, cfg.RetryAfter),
		full:    newRefusals(ReasonGateFull, cfg.RetryAfter),
	}
	g.slots.New = func() any { return &slot{gate: g} }
	for i := range g.shards {
		g.shards[i].keys = make(map[string]*warmKey)
	}
	g.sweeper = time.AfterFunc(time.Hour, g.sweep)
	g.sweeper.Stop()
	return g, nil
}

// Enter takes a permit of key. On a warm key that is a map lookup; on a cold
// one it waits for the store, for at most AcquireMax and a round trip, together
// with all calls for the same key. It returns *BusyError at once when
// the key is over its cap, and when ctx ends before the store has answered.
func (g *Gate) Enter(ctx context.Context, key string) (Permit, error) {
	sh := &g.shards[maphash.String(g.seed, key)%gateShards]
	now := g.now()
	sh.mu.Lock()
	k := sh.keys[key]
	if k == nil {
		if k = g.warmUp(sh, key); k == nil {
			sh.refused++
			sh.mu.Unlock()
			return Permit{}, g.full.next()
		}
	}
	leased := now < k.until
	if k.claims >= g.cfg.PermitsMax || !leased && now < k.refusedUntil {
		sh.refused++
		sh.mu.Unlock()
		return Permit{}, g.overCap.next()
	}
	k.claims++
	sh.claims++
	if leased {
		sh.granted++
		if now >= k.renewAt && k.flight == nil {
			g.renew(sh, k, now)
		}
		sh.mu.Unlock()
		return g.permit(sh, k), nil
	}
	return g.enterCold(ctx, sh, k, now)
}

// enterCold has a claim on k and holds sh.mu, which it releases.
func (g *Gate) enterCold(ctx context.Context, sh *shard, k *warmKey, now time.Duration) (Permit, error) {
	f := k.flight
	if f == nil && g.storeUp(now) {
		f = g.launch(sh, k, false)
	}
	outcome := unreachable
	if f != nil {
		sh.mu.Unlock()
		select {
		case <-f.done:
			outcome = f.outcome
		case <-ctx.Done():
			sh.leave(g, k)
			return Permit{}, g.expired.next()
		}
		sh.mu.Lock()
	}
	switch {
	case outcome == granted:
		sh.granted++
		sh.mu.Unlock()
		return g.permit(sh, k), nil
	case outcome == unreachable && k.claims <= g.cfg.FallbackMax:
		sh.fallback++
		sh.mu.Unlock()
		return g.permit(sh, k), nil
	}
	sh.refused++
	sh.mu.Unlock()
	sh.leave(g, k)
	return Permit{}, g.overCap.next()
}

// Permit lets its holder work on a key. The zero Permit holds nothing.
type Permit struct {
	slot *slot
	turn uint64
}

// slot is the one place that knows whether a permit has been left. It is used
// again by later permits, each with a turn of its own, so that every copy of a
// permit left before finds its turn over.
type slot struct {
	turn atomic.Uint64
	gate *Gate // set once

	shard *shard // these two belong to the permit whose turn it is
	key   *warmKey
}

func (g *Gate) permit(sh *shard, k *warmKey) Permit {
	s := g.slots.Get().(*slot)
	s.shard, s.key = sh, k
	return Permit{s, s.turn.Load()}
}

// Leave gives the permit back. Leaving again does nothing, by any copy (FB3).
func (p Permit) Leave() {
	if p.slot == nil {
		return
	}
	g := p.slot.gate
	if !p.slot.turn.CompareAndSwap(p.turn, p.turn+1) {
		g.doubleLeaves.Add(1)
		return
	}
	sh, k := p.slot.shard, p.slot.key
	g.slots.Put(p.slot)
	sh.leave(g, k)
}

// storeUp reports whether the store is worth asking. While it is not, one call
// is sent now and then to look, in the background: no caller waits for a store
// that does not answer (FB4).
func (g *Gate) storeUp(now time.Duration) bool {
	if !g.breaker.open.Load() {
		return true
	}
	if g.breaker.probeDue(now) {
		go g.probe()
	}
	return false
}

func (g *Gate) now() time.Duration { return time.Since(g.epoch) }
