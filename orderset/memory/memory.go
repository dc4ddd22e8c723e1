package memory

import (
	"container/list"
	"hash/maphash"
	"sync"
	"time"

	"hongbao/envelope"
	"hongbao/orderset/setdb"
)

// Memory remembers envelopes this server has lately had to do with: the header
// as it was last committed or read, and every share. It answers what can no
// longer change — a share someone holds, an envelope that is finished — without
// the database, and lets opens be decided before the row is locked. What it
// says about anything else is a guess that the header's ver confirms or denies.
//
// Forgetting is always safe. Bounded by records, oldest use first. A memory belongs to
// one reign: what it says is written in that reign or not at all, and a promotion
// begins an empty one.
type Memory struct {
	shards [shardsMax]shard
	seed   maphash.Seed
	max    int         // records a shard
	Reign  setdb.Reign // whose rows are remembered
}

// GrabAgeMax is how old an active envelope's record may be for a grab, counted from
// when the database was asked: other order servers open too, and a grab promises
// nothing.
const GrabAgeMax = time.Second

const shardsMax = 32

type shard struct {
	mu      sync.Mutex // guards the fields below, not the records
	records map[envelope.ID]*list.Element
	used    list.List // of *Record, the latest used in front
}

// Record is one envelope. Records are replaced or moved on, never rewound.
type Record struct {
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

// New makes a memory of that many records at most, for one reign.
func New(records int, reign setdb.Reign) *Memory {
	m := &Memory{seed: maphash.MakeSeed(), max: max(1, records/shardsMax), Reign: reign}
	for i := range m.shards {
		m.shards[i].records = map[envelope.ID]*list.Element{}
	}
	return m
}

func (m *Memory) shard(id envelope.ID) *shard {
	return &m.shards[maphash.String(m.seed, string(id))%shardsMax]
}

// Get is the record of an envelope, or nil. A nil memory has none.
func (m *Memory) Get(id envelope.ID) *Record {
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
	return el.Value.(*Record)
}

// Put remembers a snapshot that was asked for and seen at two instants, unless
// something newer is remembered already, and returns what is remembered.
func (m *Memory) Put(seed envelope.Seed, snap envelope.Snapshot, asked, seen time.Time) *Record {
	e := snap.Envelope
	r := &Record{id: e.ID, seed: seed, header: e, asked: asked, seen: seen, clock: snap.Now,
		ending:  !e.State.Finished() && e.ExpiredAt(snap.Now),
		holders: make(map[envelope.UserID]holding, len(snap.Shares))}
	for _, s := range snap.Shares {
		r.holders[s.User] = holding{seq: int32(s.Seq), amount: int32(s.Amount)}
	}
	shard := m.shard(e.ID)
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if el := shard.records[e.ID]; el != nil {
		old := el.Value.(*Record)
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
		oldest := shard.used.Remove(shard.used.Back()).(*Record)
		delete(shard.records, oldest.id)
	}
	return r
}

// Forget drops an envelope whose record has been proved wrong.
func (m *Memory) Forget(id envelope.ID) {
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

// Confirm keeps the record of an envelope that was found, under its row's lock, to
// be just as remembered and at its end, and drops any other.
func (m *Memory) Confirm(e *envelope.Envelope, now time.Time) {
	if r := m.Get(e.ID); r == nil || !r.confirms(e, now) {
		m.Forget(e.ID)
	}
}

func (r *Record) confirms(e *envelope.Envelope, now time.Time) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.ending && r.header.Ver == e.Ver && !e.State.Finished() && e.ExpiredAt(now)
}

// Size is how many envelopes and shares are remembered.
func (m *Memory) Size() (records, shares int) {
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.Lock()
		for el := s.used.Front(); el != nil; el = el.Next() {
			r := el.Value.(*Record)
			r.mu.RLock()
			shares += len(r.holders)
			r.mu.RUnlock()
		}
		records += s.used.Len()
		s.mu.Unlock()
	}
	return records, shares
}

// Decide asks the domain, taking the envelope to be alive: whether it is, the
// database's clock says when the header is written.
func (r *Record) Decide(users []envelope.UserID) (envelope.Envelope, []envelope.Opening) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return envelope.Decide(r.header, r.seed, users, r.had, r.header.ExpiresAt.Add(-time.Millisecond))
}

func (r *Record) had(user envelope.UserID) (envelope.Share, bool) {
	h, ok := r.holders[user]
	if planted {
		ok = false
	}
	return envelope.Share{Seq: int(h.seq), User: user, Amount: envelope.Fen(h.amount)}, ok
}

// Apply moves the record on to what has been committed by a transaction that began
// and ended at two instants.
func (r *Record) Apply(next envelope.Envelope, openings []envelope.Opening, began, ended time.Time) {
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

// Certain is the answer to an opener that no later commit can change: a share, or
// the refusal of an envelope whose last share or whose expiry is committed.
func (r *Record) Certain(user envelope.UserID) (envelope.Opening, bool) {
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

// Snapshot is what a grab sees, with at most the user's own share, and the
// database's clock: ours only tells how far that has gone on since.
func (r *Record) Snapshot(user envelope.UserID, now time.Time) envelope.Snapshot {
	r.mu.RLock()
	defer r.mu.RUnlock()
	snap := envelope.Snapshot{Envelope: r.header, Now: r.clock.Add(now.Sub(r.seen))}
	if s, holds := r.had(user); holds {
		snap.Shares = []envelope.Share{s}
	}
	return snap
}

// Fresh reports whether a grab may still be answered from the record.
func (r *Record) Fresh(now time.Time) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.header.State.Finished() || now.Sub(r.asked) < GrabAgeMax
}

// OlderThan reports whether the row has moved on to ver since.
func (r *Record) OlderThan(ver int64) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.header.Ver < ver
}

// Ends reports whether only a read under the row's lock may refuse an opener.
func (r *Record) Ends() bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.ending
}

// Opens reports whether the record can decide opens: one from before the
// payment cannot.
func (r *Record) Opens() bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.header.State != envelope.Unpaid
}

// Whole is a finished envelope with all its shares, and whether it is one.
func (r *Record) Whole() (snap envelope.Snapshot, finished bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if !r.header.State.Finished() {
		return snap, false
	}
	snap = envelope.Snapshot{Envelope: r.header, Shares: make([]envelope.Share, len(r.holders))}
	for user, h := range r.holders {
		snap.Shares[h.seq-1] = envelope.Share{Seq: int(h.seq), User: user, Amount: envelope.Fen(h.amount)}
	}
	return snap, true
}
