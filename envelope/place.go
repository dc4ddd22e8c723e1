package envelope

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"
)

// place finds the envelope of the key, or makes one in the best SET that takes it,
// and has the key's homes confirm it. Only what it returns may be charged for.
func (t *Teller) place(ctx context.Context, o *Order) (Envelope, error) {
	hash := o.Hash()
	b := newBallot(t.cfg.Placement, o.Sender, o.Key)
	if err := b.lookUp(ctx, o.Sender, o.Key); err != nil {
		return Envelope{}, err
	}
	var made Envelope
	if first, _ := b.leader(); first.ID == "" {
		var err error
		if made, err = t.create(ctx, b, o, hash); err != nil {
			return Envelope{}, err
		}
	}
	if first, _ := b.leader(); first.Hash != hash {
		return Envelope{}, ErrKeyReused
	}
	first, err := b.settle(ctx)
	switch {
	case err != nil:
		return Envelope{}, err
	case first.Hash != hash:
		return Envelope{}, ErrKeyReused
	case first.ID == made.ID:
		return made, nil
	}
	e, err := t.sent(ctx, first.ID)
	if err = ours(err); errors.Is(err, ErrNotFound) {
		return Envelope{}, fmt.Errorf("envelope %s of the key is not kept any more: %w", first.ID, ErrKeyReused)
	}
	return e, err
}

// sent is the envelope of a key's record, however old.
func (t *Teller) sent(ctx context.Context, id ID) (Envelope, error) {
	l, err := t.ledger(id)
	if err != nil {
		return Envelope{}, err
	}
	return l.Sent(ctx, id)
}

// create commits an unpaid envelope in the best SET that takes it. A SET that
// refuses costs a new suffix, not the send: the body is unique already. The
// envelope is zero when the key had a record there: that one counts.
func (t *Teller) create(ctx context.Context, b *ballot, o *Order, hash [sha256.Size]byte) (Envelope, error) {
	body, err := t.cfg.Placement.Mint(ctx)
	if err != nil {
		return Envelope{}, err
	}
	var refused error = &BusyError{Reason: ReasonNoSet, RetryAfter: time.Second}
	for _, set := range b.bySilence(t.cfg.Placement.Candidates(o.Sender, o.Key)) {
		id := body.In(set)
		e := t.cfg.Limits.New(*o, id, t.cfg.DrawKey.Seed(id).Commitment(), t.cfg.Now())
		l, err := t.ledger(id)
		var r KeyRecord
		if err == nil {
			r, err = l.Create(ctx, Sending{Envelope: e, Key: o.Key, Hash: hash})
		}
		if err == nil {
			b.propose(set, r)
			if r.ID != e.ID {
				e = Envelope{}
			}
			return e, nil
		}
		if refused = err; !isBusy(err) {
			break
		}
	}
	return Envelope{}, refused
}

// bySilence puts last the SETs that have just been silent.
func (b *ballot) bySilence(sets []SetNumber) []SetNumber {
	order := slices.Clone(sets)
	slices.SortStableFunc(order, func(x, y SetNumber) int {
		switch silent := b.silent(x); {
		case silent == b.silent(y):
			return 0
		case silent:
			return 1
		}
		return -1
	})
	return order
}

func isBusy(err error) bool {
	_, busy := errors.AsType[*BusyError](err)
	return busy
}
