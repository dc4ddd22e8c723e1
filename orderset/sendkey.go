package orderset

import (
	"context"
	"errors"
	"fmt"

	"hongbao/envelope"
	"hongbao/internal/sendkey"
)

// FindKey is the SET's record of a key, or ErrNotFound. The envelope it names may
// be in another SET.
func (s *Set) FindKey(ctx context.Context, sender envelope.UserID, key string) (envelope.KeyRecord, error) {
	r, err := sendkey.Find(ctx, s.db, sender, key)
	return r, s.db.Answer("find key", err)
}

// ClaimKey keeps a record unless the SET has one of the key, and returns the one
// that is there.
func (s *Set) ClaimKey(ctx context.Context, r envelope.KeyRecord) (envelope.KeyRecord, error) {
	kept, err := sendkey.Claim(ctx, s.db, r)
	return kept, s.db.Answer("claim key", err)
}

// KeyHomes are the SETs with the highest weights for the key, minting or not, and
// with two SETs the witness as a third: when one of three fails, a majority is left.
func (r *Router) KeyHomes(sender envelope.UserID, key string) []envelope.KeyHome {
	var homes []envelope.KeyHome
	for _, set := range r.choose(sender, key, func(SetSpec) bool { return true }) {
		homes = append(homes, envelope.KeyHome{Set: set})
	}
	if len(r.sets) == 2 && r.witness != nil {
		homes = append(homes, envelope.KeyHome{Witness: true})
	}
	return homes
}

// errNoHome is a home that this router does not know: a fault of the caller.
var errNoHome = errors.New("not a home of any key")

// FindKey is the record in one home.
func (r *Router) FindKey(ctx context.Context, home envelope.KeyHome, sender envelope.UserID, key string) (envelope.KeyRecord, error) {
	if home.Witness && r.witness != nil {
		return r.witness.FindKey(ctx, sender, key)
	}
	s, known := r.sets[home.Set]
	if !known || home.Witness {
		return envelope.KeyRecord{}, fmt.Errorf("%+v: %w", home, errNoHome)
	}
	return s.FindKey(ctx, sender, key)
}

// ClaimKey keeps a record in one home.
func (r *Router) ClaimKey(ctx context.Context, home envelope.KeyHome, rec envelope.KeyRecord) (envelope.KeyRecord, error) {
	if home.Witness && r.witness != nil {
		return r.witness.ClaimKey(ctx, rec)
	}
	s, known := r.sets[home.Set]
	if !known || home.Witness {
		return envelope.KeyRecord{}, fmt.Errorf("%+v: %w", home, errNoHome)
	}
	return s.ClaimKey(ctx, rec)
}

// Sent reads the header of an envelope that a key's record names.
func (r *Router) Sent(ctx context.Context, id envelope.ID) (envelope.Envelope, error) {
	s, err := r.Set(id)
	if err != nil {
		return envelope.Envelope{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, sendkey.WaitMax)
	defer cancel()
	e, _, err := s.header(ctx, s.db, id)
	return e, s.db.Answer("find "+string(id), err)
}
