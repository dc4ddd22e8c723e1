package orderset

import (
	"context"

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

// Sent reads the header of an envelope that a key's record names, however old.
func (s *Set) Sent(ctx context.Context, id envelope.ID) (envelope.Envelope, error) {
	ctx, cancel := context.WithTimeout(ctx, sendkey.WaitMax)
	defer cancel()
	e, _, err := s.header(ctx, s.db, id)
	return e, s.db.Answer("find "+string(id), err)
}
