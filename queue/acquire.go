package queue

import (
	"context"
	"math/rand/v2"
	"time"
)

// swapsMax bounds the tries of one acquisition against other processes. Inside
// a process a key has one acquisition at a time, so conflicts are rare.
const swapsMax = 4

// renewalsMax bounds the renewals in flight, give or take a processor: they are
// in no hurry, and callers of cold keys want the store too.
const renewalsMax = 16

// probeKey is asked for to see whether a store answers. Nothing is stored there.
const probeKey = "probe"

type outcome uint8

const (
	unreachable outcome = iota // the store did not answer in time
	granted                    // the lease is ours
	capped                     // others hold all leases, or won every race for the last
	outcomes
)

// flight is one acquisition, shared by all calls that wait for it.
type flight struct {
	done    chan struct{}
	outcome outcome // before done is closed
}

// renew starts the renewal of k's lease unless enough others are under way: the
// next caller will try again. The caller holds sh.mu.
func (g *Gate) renew(sh *shard, k *warmKey, now time.Duration) {
	if g.renewals.Load() >= renewalsMax || !g.storeUp(now) {
		return
	}
	g.renewals.Add(1)
	g.launch(sh, k, true)
}

// launch starts an acquisition of k. The caller holds sh.mu.
func (g *Gate) launch(sh *shard, k *warmKey, renewal bool) *flight {
	f := &flight{done: make(chan struct{})}
	k.flight = f
	go g.fly(sh, k, f, renewal)
	return f
}

func (g *Gate) fly(sh *shard, k *warmKey, f *flight, renewal bool) {
	ctx, cancel := context.WithTimeout(context.Background(), g.cfg.AcquireMax)
	defer cancel()
	start := g.now() // a lease counts from before it was asked for
	out, err := g.acquire(ctx, k.name, renewal)
	g.note(err)
	g.outcomes[out].Add(1)
	if renewal {
		g.renewals.Add(-1)
	}
	sh.mu.Lock()
	k.flight = nil
	switch now := g.now(); {
	case out == granted:
		k.until = start + g.cfg.LeaseFor
		k.renewAt = start + g.cfg.LeaseFor/4 + rand.N(g.cfg.LeaseFor/4) // keys warmed together part
	case now < k.until: // what is left of the old lease is still good
		k.renewAt = now + g.cfg.RefuseFor
	case out == capped:
		k.refusedUntil = now + g.cfg.RefuseFor
	}
	sh.mu.Unlock()
	f.outcome = out
	close(f.done)
}

// acquire puts this process's lease of key into the store. A key that was not
// asked for lately, the most frequent kind, costs one round trip.
func (g *Gate) acquire(ctx context.Context, key string, renewal bool) (outcome, error) {
	store, ttl := g.cfg.Store, g.cfg.LeaseFor+time.Second
	for try := range swapsMax {
		nowMs := time.Now().UnixMilli()
		own := lease{g.cfg.Holder, nowMs + g.cfg.LeaseFor.Milliseconds()}
		if try > 0 || !renewal {
			added, err := store.Add(ctx, key, encodeLeases([]lease{own}), ttl)
			if err != nil {
				return unreachable, err
			}
			if added {
				return granted, nil
			}
		}
		value, token, found, err := store.Get(ctx, key)
		if err != nil {
			return unreachable, err
		}
		if !found {
			continue
		}
		others := otherLeases(value, g.cfg.Holder, nowMs)
		if len(others) >= g.cfg.HoldersMax {
			return capped, nil
		}
		swapped, err := store.CompareAndSwap(ctx, key, encodeLeases(append(others, own)), token, ttl)
		if err != nil {
			return unreachable, err
		}
		if swapped {
			return granted, nil
		}
	}
	return capped, nil
}

// probe asks a store that did not answer whether it does now.
func (g *Gate) probe() {
	ctx, cancel := context.WithTimeout(context.Background(), g.cfg.AcquireMax)
	defer cancel()
	_, _, _, err := g.cfg.Store.Get(ctx, probeKey)
	g.note(err)
}

// note tells the breaker what the store did, and the log when it was lost or found.
func (g *Gate) note(err error) {
	if !g.breaker.report(err, g.now()) {
		return
	}
	if err != nil {
		g.cfg.Logger.Warn("gate lost its store, local caps hold", "cap", g.cfg.FallbackMax, "error", err)
	} else {
		g.cfg.Logger.Info("gate found its store again")
	}
}
