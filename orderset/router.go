package orderset

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"hongbao/envelope"
)

// candidatesMax is how many SETs a send may try, and how many keep its key.
const candidatesMax = envelope.KeyHomesMax

// memoryMax bounds what one SET may be told to remember.
const memoryMax = 1 << 20

// Config of a router.
type Config struct {
	Topology Topology
	App      Account
	DrawKey  envelope.DrawKey
	Memory   int    // envelopes each SET remembers; 0: every open locks and reads
	Owner    string // names this process in machine_lease, 1 to 128 bytes
	// BatchPayouts puts payouts that come to be owed into batches. What is owed
	// already stays as it was made.
	BatchPayouts bool
	// Witness keeps keys' records beside two SETs, so that a send goes on when one of
	// them is down. Without it, and with two SETs, sends need both.
	Witness envelope.Keys
	Now     func() time.Time
	Log     *slog.Logger
}

// validate refuses what a router cannot work with.
func (c *Config) validate() error {
	switch {
	case len(c.Topology.specs) == 0:
		return errors.New("router: the topology is empty; make it with NewTopology")
	case c.Owner == "" || len(c.Owner) > leaseOwnerMax:
		return fmt.Errorf("router: want an owner of 1 to %d bytes, have %d", leaseOwnerMax, len(c.Owner))
	case c.Memory < 0 || c.Memory > memoryMax:
		return fmt.Errorf("router: want 0 <= memory <= %d envelopes, have %d", memoryMax, c.Memory)
	case c.Now == nil || c.Log == nil || c.DrawKey.IsZero():
		return errors.New("router: now, log and draw key are required")
	}
	return nil
}

// Router has the SETs of a process: it opens them, says where new envelopes and the
// records of keys go, and mints. SETs join and leave while it works.
type Router struct {
	cfg      Config // that SETs are opened with
	changing sync.Mutex
	topology atomic.Pointer[Topology]
	sets     Registry[*Set]
	mint     mint
	absent   atomic.Pointer[setNumbers] // SETs that were ours and are not in the topology
}

// NewRouter opens the pools of every SET. Databases need not be up.
func NewRouter(cfg Config) (*Router, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	r := &Router{cfg: cfg}
	r.mint.now = cfg.Now
	absent, _ := cfg.Topology.absent(context.Background(), nil) // the retired ones: no database is asked yet
	r.absent.Store(&absent)
	for _, spec := range cfg.Topology.specs {
		s, err := openSet(spec, &cfg)
		if err != nil {
			return nil, errors.Join(err, r.Close())
		}
		r.sets.Put(spec.Number, s)
	}
	r.topology.Store(&cfg.Topology)
	return r, nil
}

// Close closes every SET's connections.
func (r *Router) Close() error {
	var errs []error
	for _, s := range r.sets.All() {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// Sets lists the SETs, in the order of the topology and then as they joined.
func (r *Router) Sets() []*Set { return r.sets.All() }

// Topology is that of now.
func (r *Router) Topology() Topology { return *r.topology.Load() }

// Minting tells why this process cannot mint; nil if it can.
func (r *Router) Minting() error { return r.mint.state() }

// Set is the SET of an ID, however old: ErrUnknownSet when no such SET is in the
// topology, busy when one was. What is owed stays owed when the days in which it is
// shown are over.
func (r *Router) Set(id envelope.ID) (*Set, error) {
	s, known := r.sets.Get(id.Set())
	if !known {
		return nil, r.Unknown(id.Set())
	}
	return s, nil
}

// Hot answers ErrNotFound, without a query, for an ID whose day is not open to the
// public.
func (s *Set) Hot(id envelope.ID) error {
	if body := id.Body(); !hot(body, s.now()) {
		return fmt.Errorf("day %v has no tables: %w", body.Day(), envelope.ErrNotFound)
	}
	return nil
}

// Candidates are minting SETs in the order of their weights for the key, the ones
// that answer before the ones that do not.
func (r *Router) Candidates(sender envelope.UserID, key string) []envelope.SetNumber {
	return r.choose(sender, key, func(spec SetSpec) bool { return spec.Minting })
}

// choose picks up to candidatesMax SETs by the key (highest random weight). Health
// changes their order and never which they are.
func (r *Router) choose(sender envelope.UserID, key string, may func(SetSpec) bool) []envelope.SetNumber {
	type choice struct {
		set    envelope.SetNumber
		down   int
		weight uint64
	}
	var choices []choice
	for _, spec := range r.topology.Load().specs {
		s, there := r.sets.Get(spec.Number)
		if !there || !may(spec) {
			continue
		}
		c := choice{set: spec.Number, weight: weight(spec.Number, sender, key)}
		if s.db.Down() {
			c.down = 1
		}
		choices = append(choices, c)
	}
	slices.SortFunc(choices, func(a, b choice) int { return cmp.Compare(b.weight, a.weight) })
	choices = choices[:min(len(choices), candidatesMax)]
	slices.SortStableFunc(choices, func(a, b choice) int { return cmp.Compare(a.down, b.down) })
	sets := make([]envelope.SetNumber, len(choices))
	for i, c := range choices {
		sets[i] = c.set
	}
	return sets
}

func weight(set envelope.SetNumber, sender envelope.UserID, key string) uint64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s\x00%s\x00%v", sender, key, set)
	x := h.Sum64() // FNV's last bytes hardly reach its high bits, so mix
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	return x ^ x>>33
}

// KeyHomes are the SETs with the highest weights for the key, minting or not, and
// with two SETs the witness as a third: when one of three fails, a majority is left.
func (r *Router) KeyHomes(sender envelope.UserID, key string) []envelope.KeyHome {
	var homes []envelope.KeyHome
	for _, set := range r.choose(sender, key, func(SetSpec) bool { return true }) {
		homes = append(homes, envelope.KeyHome{Set: set})
	}
	if len(homes) == 2 && r.cfg.Witness != nil {
		homes = append(homes, envelope.KeyHome{Witness: true})
	}
	return homes
}

// Witness is the home of keys that is not a SET.
func (r *Router) Witness() (envelope.Keys, error) {
	if r.cfg.Witness == nil {
		return nil, errors.New("router: no witness is among the homes of any key")
	}
	return r.cfg.Witness, nil
}

// Join opens and examines a SET, has publish put in place what serves it, and only
// then gives it new envelopes. A SET of the same number is replaced, and closes its
// connections when closeOld is called, once nothing uses it; nil when there was none.
// After an error everything is as it was.
func (r *Router) Join(ctx context.Context, spec SetSpec, publish func(*Set) error) (closeOld func() error, err error) {
	r.changing.Lock()
	defer r.changing.Unlock()
	next, err := r.topology.Load().With(spec)
	if err != nil {
		return nil, err
	}
	s, err := openSet(spec, &r.cfg)
	if err != nil {
		return nil, err
	}
	if err = s.CheckSettings(ctx); err == nil {
		_, err = next.absent(ctx, []*Set{s})
	}
	if err == nil {
		err = publish(s)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("SET %v does not join: %w", spec.Number, err), s.Close())
	}
	old, replaced := r.sets.Put(spec.Number, s)
	r.topology.Store(&next)
	r.absent.Store(r.absent.Load().without(spec.Number))
	if replaced {
		closeOld = old.Close
	}
	if err := r.beKnown(ctx); err != nil { // the next start has them remember it
		r.cfg.Log.Warn("databases do not remember all SETs yet", "error", err)
	}
	return closeOld, nil
}

// Leave takes a SET out: nothing is made there any more, and its IDs are answered
// busy, as those of a SET that is not listed any more. It closes its connections when
// closeSet is called, once nothing uses it.
func (r *Router) Leave(n envelope.SetNumber) (closeSet func() error, err error) {
	r.changing.Lock()
	defer r.changing.Unlock()
	next, err := r.topology.Load().Without(n)
	if err != nil {
		return nil, err
	}
	r.absent.Store(r.absent.Load().with(n))
	r.topology.Store(&next)
	s, _ := r.sets.Remove(n)
	return s.Close, nil
}
