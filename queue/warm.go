package queue

import (
	"strings"
	"sync"
	"time"
)

// evictionTriesMax bounds the search for an idle key to forget in a full shard.
const evictionTriesMax = 16

// warmKey is what this process knows of one key. Times are since the gate's epoch.
type warmKey struct {
	name         string
	claims       int           // permits out, and callers waiting for the flight
	until        time.Duration // end of our lease, 0 if we never had one
	renewAt      time.Duration // when to renew it
	refusedUntil time.Duration // found over the cap: no need to ask before
	flight       *flight       // the acquisition under way
}

// idle reports whether forgetting k loses nothing but a round trip.
func (k *warmKey) idle() bool { return k.claims == 0 && k.flight == nil }

// shard is a part of the keys and what is counted about them.
type shard struct {
	mu     sync.Mutex
	keys   map[string]*warmKey
	claims int

	granted, refused, fallback uint64
	_                          [64]byte // shards do not share a cache line
}

// warmUp makes an entry for a key, in place of an idle one if the shard is
// full. It returns nil if all it looked at are in use. The caller holds sh.mu.
func (g *Gate) warmUp(sh *shard, name string) *warmKey {
	if len(sh.keys) >= g.cfg.WarmMax/gateShards && !g.evict(sh) {
		return nil
	}
	name = strings.Clone(name) // it may be a slice of a whole request
	k := &warmKey{name: name}
	sh.keys[name] = k
	g.warm.Add(1)
	g.armSweeper()
	return k
}

func (g *Gate) evict(sh *shard) bool {
	tries := 0
	for _, k := range sh.keys {
		if k.idle() {
			g.forget(sh, k)
			return true
		}
		if tries++; tries == evictionTriesMax {
			break
		}
	}
	return false
}

func (g *Gate) forget(sh *shard, k *warmKey) {
	delete(sh.keys, k.name)
	g.warm.Add(-1)
}

// leave gives a claim on k back. A key without a lease is forgotten at once.
func (sh *shard) leave(g *Gate, k *warmKey) {
	sh.mu.Lock()
	k.claims--
	sh.claims--
	if k.idle() && k.until == 0 && k.refusedUntil == 0 {
		g.forget(sh, k)
	}
	sh.mu.Unlock()
}

// armSweeper makes sure that a sweep follows the making of a key.
func (g *Gate) armSweeper() {
	if !g.sweeping.Swap(true) {
		g.sweeper.Reset(g.cfg.LeaseFor / 2)
	}
}

// sweep forgets the idle keys whose lease or refusal is over, so that a key
// that is not asked for costs no memory half a lease after it. It runs while there
// are keys.
func (g *Gate) sweep() {
	for i := range g.shards {
		sh, now := &g.shards[i], g.now()
		sh.mu.Lock()
		for _, k := range sh.keys {
			if k.idle() && now >= k.until && now >= k.refusedUntil {
				g.forget(sh, k)
			}
		}
		sh.mu.Unlock()
	}
	g.sweeping.Store(false)
	if g.warm.Load() > 0 {
		g.armSweeper()
	}
}

// GateStats is a snapshot of a gate. Counters count from its start.
type GateStats struct {
	Warm    int // keys remembered
	Permits int // permits out, and callers waiting for one

	Granted  uint64 // permits given under a lease
	Fallback uint64 // permits given under the local cap
	Refused  uint64 // Enter calls answered busy

	Acquired     uint64 // leases got or renewed
	Capped       uint64 // leases others had all of
	Unreachable  uint64 // leases the store did not answer about
	DoubleLeaves uint64 // Leave calls of a permit already left
	Fallen       bool   // the store does not answer, local caps hold
}

// Stats returns a snapshot.
func (g *Gate) Stats() GateStats {
	s := GateStats{
		Warm:         int(g.warm.Load()),
		Acquired:     g.outcomes[granted].Load(),
		Capped:       g.outcomes[capped].Load(),
		Unreachable:  g.outcomes[unreachable].Load(),
		DoubleLeaves: g.doubleLeaves.Load(),
		Fallen:       g.breaker.open.Load(),
	}
	for i := range g.shards {
		sh := &g.shards[i]
		sh.mu.Lock()
		s.Permits += sh.claims
		s.Granted += sh.granted
		s.Refused += sh.refused
		s.Fallback += sh.fallback
		sh.mu.Unlock()
	}
	return s
}
