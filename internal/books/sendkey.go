package books

import (
	"context"
	"errors"
	"fmt"

	"hongbao/envelope"
	"hongbao/internal/sendkey"
)

// FindKey is the sender's shard's record of an idempotency key, or ErrNotFound. A
// deployment of two SETs keeps keys here too, as the third home.
func (b *Books) FindKey(ctx context.Context, sender envelope.UserID, key string) (envelope.KeyRecord, error) {
	s := b.shardOf(sender)
	r, err := sendkey.Find(ctx, s.db, sender, key)
	return r, s.answerKey("find key", err)
}

// ClaimKey keeps a record unless there is one of the key, and returns the one that
// is there.
func (b *Books) ClaimKey(ctx context.Context, r envelope.KeyRecord) (envelope.KeyRecord, error) {
	s := b.shardOf(r.Sender)
	kept, err := sendkey.Claim(ctx, s.db, r)
	return kept, s.answerKey("claim key", err)
}

func (s *shard) answerKey(what string, err error) error {
	if errors.Is(err, envelope.ErrNotFound) {
		return fmt.Errorf("books: shard %d: %s: %w", s.number, what, err)
	}
	return s.answer(what, err)
}
