package orderset

import (
	"container/list"
	"hash/maphash"
	"sync"
	"time"

	"hongbao/envelope"
	"hongbao/orderset/setdb"
)

// memory remembers envelopes this server has lately had to do with: the header
// as it was last committed or read, and every share. It answers what can no
// longer change — a share someone holds, an envelope that is finished — without
// the database, and lets opens be decided before the row is locked. What it
// says about anything else is a guess that the header's ver confirms or denies.
//
// Forgetting is always safe. Bounded by records, oldest use first. A memory belongs to
// one reign: what it says is written in that reign or not at all, and a promotion
// begins an empty one.
type memory struct {
	shards [memoryShards]memoryShard
	seed   maphash.Seed
	max    int         // records a shard
	reign  setdb.Reign // whose rows are remembered
}

const memoryShards = 32

type memoryShard struct {
	mu      sync.Mutex // guards the fields below, not the records
	records map[envelope.ID]*list.Element
	used    list.List // of *record, the latest used in front
}

// record is one envelope. Records are replaced or moved on, never rewound.
type record struct {
	id   envelope.ID
	seed envelope.Seed

	mu      sync.RWMutex // guards the fields below
	header  envelope.Envelope
	holders map[envelope.UserID]holding
	// ending says that the life was over by the database's clock and the expiry
	// not yet committed. An open in time may still be on its way to its commit, so
	// only a read under the row's lock may refuse for it.
	ending bool
	asked  time.Time // when the database was asked for the header, by our clock: the record's age
	seen   time.Time // when it answered, by our clock
	clock  time.Time // the same instant by the database's
}

// holding is a share without its owner, small because there are many.
type holding struct{ seq, amount int32 }

func newMemory(records int, reign setdb.Reign) *memory {
	m := &memory{seed: maphash.MakeSeed(), max: max(1, records/memoryShards), reign: reign}
	for i := range m.shards {
		m.shards[i].records = map[envelope.ID]*list.Element{}
	}
	return m
}

func (m *memory) shard(id envelope.ID) *memoryShard {
	return &m.shards[maphash.String(m.seed, string(id))%memoryShards]
}

// get is the record of an envelope, or nil. A nil memory has none.
func (m *memory) get(id envelope.ID) *record {
	if m == nil {
		return nil
	}
	s := m.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	el := s.records[id]
	if el == nil {
		return nil
	}
	s.used.MoveToFront(el)
	return el.Value.(*record)
}

// put remembers a snapshot that was asked for and seen at two instants, unless
// something newer is remembered already, and returns what is remembered.
func (m *memory) put(seed envelope.Seed, snap envelope.Snapshot, asked, seen time.Time) *record {
	e := snap.Envelope
	r := &record{id: e.ID, seed: seed, header: e, asked: asked, seen: seen, clock: snap.Now,
		ending:  !e.State.Finished() && e.ExpiredAt(snap.Now),
		holders: make(map[envelope.UserID]holding, len(snap.Shares))}
	for _, s := range snap.Shares {
		r.holders[s.User] = holding{seq: int32(s.Seq), amount: int32(s.Amount)}
	}
	shard := m.shard(e.ID)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if el := shard.records[e.ID]; el != nil {
		old := el.Value.(*record)
		old.mu.RLock()
		newer := old.header.Ver > e.Ver
		old.mu.RUnlock()
		if newer {
			return old
		}
		el.Value = r
		shard.used.MoveToFront(el)
		return r
	}
	shard.records[e.ID] = shard.used.PushFront(r)
	if shard.used.Len() > m.max {
		oldest := shard.used.Remove(shard.used.Back()).(*record)
		delete(shard.records, oldest.id)
	}
	return r
}

// forget drops an envelope whose record has been proved wrong.
func (m *memory) forget(id envelope.ID) {
	if m == nil {
		return
	}
	s := m.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if el := s.records[id]; el != nil {
		s.used.Remove(el)
		delete(s.records, id)
	}
}

// confirm keeps the record of an envelope that was found, under its row's lock, to
// be just as remembered and at its end, and drops any other.
func (m *memory) confirm(e *envelope.Envelope, now time.Time) {
	if r := m.get(e.ID); r == nil || !r.confirms(e, now) {
		m.forget(e.ID)
	}
}

func (r *record) confirms(e *envelope.Envelope, now time.Time) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.ending && r.header.Ver == e.Ver && !e.State.Finished() && e.ExpiredAt(now)
}

// size is how many envelopes and shares are remembered.
func (m *memory) size() (records, shares int) {
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.Lock()
		for el := s.used.Front(); el != nil; el = el.Next() {
			r := el.Value.(*record)
			r.mu.RLock()
			shares += len(r.holders)
			r.mu.RUnlock()
		}
		records += s.used.Len()
		s.mu.Unlock()
	}
	return records, shares
}

// decide asks the domain, taking the envelope to be alive: whether it is, the
// database's clock says when the header is written.
func (r *record) decide(users []envelope.UserID) (envelope.Envelope, []envelope.Opening) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return envelope.Decide(r.header, r.seed, users, r.had, r.header.ExpiresAt.Add(-time.Millisecond))
}

func (r *record) had(user envelope.UserID) (envelope.Share, bool) {
	h, ok := r.holders[user]
	if planted {
		ok = false
	}
	return envelope.Share{Seq: int(h.seq), User: user, Amount: envelope.Fen(h.amount)}, ok
}

// apply moves the record on to what has been committed by a transaction that began
// and ended at two instants.
func (r *record) apply(next envelope.Envelope, openings []envelope.Opening, began, ended time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if next.Ver != r.header.Ver+1 {
		return // someone else's commit was applied meanwhile; the next write will tell
	}
	r.clock = r.clock.Add(ended.Sub(r.seen))
	r.header, r.asked, r.seen = next, began, ended
	for _, o := range openings {
		if o.Outcome == envelope.Opened {
			r.holders[o.Share.User] = holding{seq: int32(o.Share.Seq), amount: int32(o.Share.Amount)}
		}
	}
}

// certain is the answer to an opener that no later commit can change: a share, or
// the refusal of an envelope whose last share or whose expiry is committed.
func (r *record) certain(user envelope.UserID) (envelope.Opening, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if s, holds := r.had(user); holds {
		return envelope.Opening{Outcome: envelope.AlreadyOpened, Share: s}, true
	}
	switch {
	case !r.header.MayOpen(user):
		return envelope.Opening{Err: envelope.ErrNotFound}, true
	case r.header.OpenedCount == r.header.Count:
		return envelope.Opening{Outcome: envelope.Drained}, true
	case r.header.State.Finished():
		return envelope.Opening{Outcome: envelope.TooLate}, true
	}
	return envelope.Opening{}, false
}

// snapshot is what a grab sees, with at most the user's own share, and the
// database's clock: ours only tells how far that has gone on since.
func (r *record) snapshot(user envelope.UserID, now time.Time) envelope.Snapshot {
	r.mu.RLock()
	defer r.mu.RUnlock()
	snap := envelope.Snapshot{Envelope: r.header, Now: r.clock.Add(now.Sub(r.seen))}
	if s, holds := r.had(user); holds {
		snap.Shares = []envelope.Share{s}
	}
	return snap
}

// fresh reports whether a grab may still be answered from the record.
func (r *record) fresh(now time.Time) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.header.State.Finished() || now.Sub(r.asked) < grabAgeMax
}

// olderThan reports whether the row has moved on to ver since.
func (r *record) olderThan(ver int64) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.header.Ver < ver
}

// ends reports whether only a read under the row's lock may refuse an opener.
func (r *record) ends() bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.ending
}
