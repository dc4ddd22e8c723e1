package envelope

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"
)

// KeyHomesMax is how many homes the record of one idempotency key may be in: the
// least of which a majority is left when one fails.
const KeyHomesMax = 3

const (
	// keyLookupMax bounds the look for a key over all its homes.
	keyLookupMax = 1500 * time.Millisecond
	// keyHedge is how long the first homes may be silent until all are asked.
	keyHedge = 100 * time.Millisecond
	keyRetry = time.Second
)

// KeyHome is a database that keeps records of idempotency keys: a SET, or where
// there are two SETs only, the witness beside them.
type KeyHome struct {
	Set     SetNumber
	Witness bool // not a SET; Set is 0 then
}

// KeyRecord says which envelope an idempotency key has made. A home keeps one a
// key, the first that comes, for ever.
type KeyRecord struct {
	Sender UserID
	Key    string
	Hash   [sha256.Size]byte // of the order; a repeat must ask for the same
	ID     ID
}

// Keys keeps the records of idempotency keys in one home.
type Keys interface {
	// FindKey is the record of a key. It answers ErrNotFound when there is none,
	// and a BusyError when the home did not answer in time. It is never shed, and has
	// a bound of its own.
	FindKey(ctx context.Context, sender UserID, key string) (KeyRecord, error)
	// ClaimKey keeps a record, and returns the one that is there: the first that came.
	// A repeat is a result.
	ClaimKey(ctx context.Context, r KeyRecord) (KeyRecord, error)
}

// ballot is what the homes of one key are known to hold. A charge is placed for an
// envelope only once a majority of the homes names it.
//
// That makes one payable envelope a key at most: a home holds one record a key and
// never changes it, any two majorities share a home, and so no two envelopes have
// one. A send that dies between its writes, a commit that is late, a home that is
// down and sends of one key at the same time change which one wins, and not that one
// does. While a majority answers, a send goes on: what the silent home may hold
// alone was never charged for.
type ballot struct {
	place    Placement
	homes    []KeyHome
	held     []KeyRecord // by home; no ID where none is known
	answered []bool      // by home
	asked    int         // how many homes the look-up asked, from the first
	proposed KeyRecord   // what is claimed where no home holds anything yet
}

func newBallot(place Placement, sender UserID, key string) *ballot {
	b := &ballot{place: place, homes: place.KeyHomes(sender, key)}
	b.held, b.answered = make([]KeyRecord, len(b.homes)), make([]bool, len(b.homes))
	return b
}

func (b *ballot) majority() int { return len(b.homes)/2 + 1 }

// heard notes what one home holds, if it is one.
func (b *ballot) heard(home KeyHome, r KeyRecord) {
	if i := slices.Index(b.homes, home); i >= 0 {
		b.held[i], b.answered[i] = r, true
	}
}

// propose names the envelope to claim the key for, made in a SET that may be one
// of the homes and holds r then.
func (b *ballot) propose(in SetNumber, r KeyRecord) {
	b.proposed = r
	b.heard(KeyHome{Set: in}, r)
}

// leader is the record that most homes hold, the lower ID of two that are even, so
// that sends of one key at the same time go for the same one. While none holds any
// it is the proposed one, which may be none.
func (b *ballot) leader() (leader KeyRecord, votes int) {
	leader = b.proposed
	count := map[ID]int{}
	for _, r := range b.held {
		if r.ID == "" {
			continue
		}
		count[r.ID]++
		if n := count[r.ID]; n > votes || n == votes && r.ID < leader.ID {
			leader, votes = r, n
		}
	}
	return leader, votes
}

// lookUp asks a majority of the homes at once, and the others when one of those
// fails or is slow. Less than a majority of answers is busy, never "not there".
func (b *ballot) lookUp(ctx context.Context, sender UserID, key string) error {
	ctx, cancel := context.WithTimeout(ctx, keyLookupMax)
	defer cancel()
	answers := make(chan keyAnswer, len(b.homes))
	b.ask(ctx, b.majority(), answers, sender, key)
	patience, stop := context.WithTimeout(ctx, keyHedge)
	defer stop()
	slow := patience.Done()
	var errs []error
	for answered := 0; answered < b.majority(); {
		if answered+len(errs) == len(b.homes) {
			return keyBusy("look for the key", errs)
		}
		select {
		case <-ctx.Done():
			return keyBusy("look for the key", append(errs, ctx.Err()))
		case <-slow:
			slow = nil
			b.ask(ctx, len(b.homes), answers, sender, key)
		case a := <-answers:
			if a.err == nil || errors.Is(a.err, ErrNotFound) {
				b.heard(a.home, a.r)
				answered++
				continue
			}
			errs = append(errs, a.err)
			b.ask(ctx, b.asked+1, answers, sender, key)
		}
	}
	return nil
}

type keyAnswer struct {
	home KeyHome
	r    KeyRecord
	err  error
}

// ask asks the homes up to a number of them. A question that is left behind runs to
// its own bound: what counts the failures of a home must hear of this one.
func (b *ballot) ask(ctx context.Context, upTo int, answers chan<- keyAnswer, sender UserID, key string) {
	ctx = context.WithoutCancel(ctx)
	for ; b.asked < min(upTo, len(b.homes)); b.asked++ {
		home := b.homes[b.asked]
		go func() {
			keys, err := b.place.Keys(home)
			var r KeyRecord
			if err == nil {
				r, err = keys.FindKey(ctx, sender, key)
			}
			answers <- keyAnswer{home, r, err}
		}()
	}
}

// silent reports whether a SET was asked for the key and has not answered.
func (b *ballot) silent(set SetNumber) bool {
	i := slices.Index(b.homes, KeyHome{Set: set})
	return i >= 0 && i < b.asked && !b.answered[i]
}

// settle claims the key for the leader until a majority of the homes names one
// envelope, and returns that record. The homes are claimed one after the other,
// those first that have been heard, each for what leads then.
func (b *ballot) settle(ctx context.Context) (KeyRecord, error) {
	var errs []error
	for _, i := range b.claimOrder() {
		leader, votes := b.leader()
		if votes >= b.majority() {
			return leader, nil
		}
		if b.held[i].ID != "" {
			continue
		}
		r, err := b.claim(ctx, b.homes[i], leader)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		b.held[i] = r
	}
	leader, votes := b.leader()
	switch {
	case votes >= b.majority():
		return leader, nil
	case len(errs) == 0:
		// Every home has named another. No charge was placed for any, and none ever
		// will be: only another key can make a payable one.
		return KeyRecord{}, fmt.Errorf("the homes of the key name different envelopes: %w", ErrKeyReused)
	}
	return KeyRecord{}, keyBusy("claim the key", errs)
}

func (b *ballot) claim(ctx context.Context, home KeyHome, r KeyRecord) (KeyRecord, error) {
	keys, err := b.place.Keys(home)
	if err != nil {
		return KeyRecord{}, err
	}
	return keys.ClaimKey(ctx, r)
}

func (b *ballot) claimOrder() (order []int) {
	for _, heard := range []bool{true, false} {
		for i := range b.homes {
			if b.answered[i] == heard {
				order = append(order, i)
			}
		}
	}
	return order
}

// keyBusy is the answer while too few homes could be asked. No charge was placed,
// so an unknown outcome among the causes is nothing to the caller: it is said, not
// wrapped.
func keyBusy(what string, errs []error) error {
	no := &BusyError{Reason: ReasonSendUnconfirmed, RetryAfter: keyRetry}
	return fmt.Errorf("%s: %w: %v", what, no, errors.Join(errs...))
}
