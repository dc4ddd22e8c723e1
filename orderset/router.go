package orderset

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"slices"
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
	Witness Witness
	Now     func() time.Time
	Log     *slog.Logger
}

// Witness is a home of keys that is not a SET.
type Witness interface {
	FindKey(ctx context.Context, sender envelope.UserID, key string) (envelope.KeyRecord, error)
	ClaimKey(ctx context.Context, r envelope.KeyRecord) (envelope.KeyRecord, error)
}

// Router turns IDs into transactions of the SET they name. It implements
// [envelope.Orders].
type Router struct {
	topology Topology
	sets     map[envelope.SetNumber]*Set
	mint     mint
	absent   atomic.Pointer[setNumbers] // SETs that were ours and are not in the topology
	witness  Witness                    // nil: none
	owner    string
	now      func() time.Time
	log      *slog.Logger
}

var _ envelope.Orders = (*Router)(nil)

// NewRouter opens the pools of every SET. Databases need not be up.
func NewRouter(cfg Config) (*Router, error) {
	switch {
	case len(cfg.Topology.specs) == 0:
		return nil, errors.New("router: the topology is empty; make it with NewTopology")
	case cfg.Owner == "" || len(cfg.Owner) > leaseOwnerMax:
		return nil, fmt.Errorf("router: want an owner of 1 to %d bytes, have %d", leaseOwnerMax, len(cfg.Owner))
	case cfg.Memory < 0 || cfg.Memory > memoryMax:
		return nil, fmt.Errorf("router: want 0 <= memory <= %d envelopes, have %d", memoryMax, cfg.Memory)
	case cfg.Now == nil || cfg.Log == nil || cfg.DrawKey.IsZero():
		return nil, errors.New("router: now, log and draw key are required")
	}
	r := &Router{topology: cfg.Topology, sets: map[envelope.SetNumber]*Set{}, witness: cfg.Witness, owner: cfg.Owner, now: cfg.Now, log: cfg.Log}
	r.mint.now = cfg.Now
	absent, _ := cfg.Topology.absent(context.Background(), nil) // the retired ones: nobody is asked yet
	r.absent.Store(&absent)
	for _, spec := range cfg.Topology.specs {
		s, err := openSet(spec, &cfg)
		if err != nil {
			return nil, errors.Join(err, r.Close())
		}
		r.sets[spec.Number] = s
	}
	return r, nil
}

// Close closes every SET's connections.
func (r *Router) Close() error {
	var errs []error
	for _, s := range r.sets {
		errs = append(errs, s.disconnect())
	}
	return errors.Join(errs...)
}

// Sets lists the SETs in the order of the topology.
func (r *Router) Sets() []*Set {
	sets := make([]*Set, 0, len(r.sets))
	for _, spec := range r.topology.specs {
		sets = append(sets, r.sets[spec.Number])
	}
	return sets
}

// Minting tells why this process cannot mint; nil if it can.
func (r *Router) Minting() error { return r.mint.state() }

// Set is the SET of an ID, however old. One that is not in the topology is
// ErrUnknownSet, and busy when it was in it before. Callbacks, people and repairs come this way: what is owed stays owed
// when the days in which it is shown are over.
func (r *Router) Set(id envelope.ID) (*Set, error) {
	s, known := r.sets[id.Set()]
	if !known {
		return nil, r.unknown(id.Set())
	}
	return s, nil
}

// HotSet is the SET of an ID whose day is open to the public. Anything else is
// ErrNotFound, without a query.
func (r *Router) HotSet(id envelope.ID) (*Set, error) {
	s, err := r.Set(id)
	if err != nil {
		return nil, err
	}
	if body := id.Body(); !hot(body, r.now()) {
		return nil, fmt.Errorf("day %v has no tables: %w", body.Day(), envelope.ErrNotFound)
	}
	return s, nil
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
	for _, spec := range r.topology.specs {
		if !may(spec) {
			continue
		}
		c := choice{set: spec.Number, weight: weight(spec.Number, sender, key)}
		if r.sets[spec.Number].db.Down() {
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

// Create commits an unpaid envelope in the SET its ID names.
func (r *Router) Create(ctx context.Context, n envelope.Sending) (envelope.KeyRecord, error) {
	s, err := r.HotSet(n.Envelope.ID)
	if err != nil {
		return envelope.KeyRecord{}, err
	}
	return s.Create(ctx, n)
}

// Pay makes an unpaid envelope active.
func (r *Router) Pay(ctx context.Context, p envelope.Payment) (envelope.Envelope, error) {
	s, err := r.Set(p.OrderNo)
	if err != nil {
		return envelope.Envelope{}, err
	}
	return s.Pay(ctx, p)
}

// Expire ends an envelope whose life is over.
func (r *Router) Expire(ctx context.Context, id envelope.ID) (envelope.Envelope, error) {
	s, err := r.Set(id)
	if err != nil {
		return envelope.Envelope{}, err
	}
	return s.Expire(ctx, id)
}

// CloseUnpaid ends an envelope that nobody paid for.
func (r *Router) CloseUnpaid(ctx context.Context, id envelope.ID) (envelope.Envelope, error) {
	s, err := r.Set(id)
	if err != nil {
		return envelope.Envelope{}, err
	}
	return s.Close(ctx, id)
}

// Transfers reads the transfers of an envelope that go to a user, and its own.
func (r *Router) Transfers(ctx context.Context, id envelope.ID, user envelope.UserID, own int) ([]envelope.Transfer, error) {
	s, err := r.Set(id)
	if err != nil {
		return nil, err
	}
	return s.Transfers(ctx, id, user, own)
}

// Again begins the next round of a payout that its payee had not confirmed in time.
func (r *Router) Again(ctx context.Context, id envelope.ID, seq int, user envelope.UserID) (envelope.Transfer, error) {
	s, err := r.Set(id)
	if err != nil {
		return envelope.Transfer{}, err
	}
	return s.Again(ctx, id, seq, user)
}

// HearTransfers records the provider's words, those about one SET in one
// transaction. The first result has an error or nil for each word, as that of
// [Set.HearTransfers]; a word about no SET of ours is not found. The second is
// what kept some SETs from recording, and stands with each word about them too:
// saying all of it again is fine.
func (r *Router) HearTransfers(ctx context.Context, words []envelope.TransferWord) ([]error, error) {
	errs := make([]error, len(words))
	at := map[*Set][]int{}
	for i, w := range words {
		errs[i] = errNoTransfer(w.No)
		id, _, _, err := envelope.ParseTransferNo(w.No)
		if err != nil {
			continue
		}
		if s, known := r.sets[id.Set()]; known {
			at[s] = append(at[s], i)
		}
	}
	var failed []error
	for s, at := range at {
		for part := range slices.Chunk(at, hearMax) {
			mine := make([]envelope.TransferWord, len(part))
			for j, i := range part {
				mine[j] = words[i]
			}
			heard, err := s.HearTransfers(ctx, mine)
			if err != nil {
				failed = append(failed, err)
			}
			for j, i := range part {
				if errs[i] = err; err == nil {
					errs[i] = heard[j]
				}
			}
		}
	}
	return errs, errors.Join(failed...)
}

// Find reads an envelope with its shares.
func (r *Router) Find(ctx context.Context, id envelope.ID) (envelope.Snapshot, error) {
	s, err := r.HotSet(id)
	if err != nil {
		return envelope.Snapshot{}, err
	}
	return s.Find(ctx, id)
}

// Peek reads an envelope with at most the share of one user.
func (r *Router) Peek(ctx context.Context, id envelope.ID, user envelope.UserID) (envelope.Snapshot, error) {
	s, err := r.HotSet(id)
	if err != nil {
		return envelope.Snapshot{}, err
	}
	return s.Peek(ctx, id, user)
}
