package books

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
)

// keyMax bounds one question about a key: it has other homes.
const keyMax = time.Second

const (
	selectSendKey = "SELECT order_id, request_hash FROM send_key WHERE sender_id = ? AND idempotency_key = ?"
	insertSendKey = "INSERT INTO send_key (sender_id, idempotency_key, request_hash, order_id, created_at) VALUES (?, ?, ?, ?, UTC_TIMESTAMP(3))"
)

// FindKey is the sender's shard's record of an idempotency key, or ErrNotFound. A
// deployment of two SETs keeps keys here too, as the third home.
func (b *Books) FindKey(ctx context.Context, sender envelope.UserID, key string) (envelope.KeyRecord, error) {
	s := b.shardOf(sender)
	ctx, cancel := context.WithTimeout(ctx, keyMax)
	defer cancel()
	r := envelope.KeyRecord{Sender: sender, Key: key}
	var hash []byte
	err := s.db.QueryRowContext(ctx, selectSendKey, sender, key).Scan(&r.ID, &hash)
	if errors.Is(err, sql.ErrNoRows) {
		return envelope.KeyRecord{}, fmt.Errorf("books: shard %d: find key: %w", s.number, envelope.ErrNotFound)
	}
	if err != nil {
		return envelope.KeyRecord{}, s.answer("find key", err)
	}
	copy(r.Hash[:], hash)
	return r, nil
}

// ClaimKey keeps a record unless there is one of the key, and returns the one that
// is there.
func (b *Books) ClaimKey(ctx context.Context, r envelope.KeyRecord) (envelope.KeyRecord, error) {
	s := b.shardOf(r.Sender)
	ctx, cancel := context.WithTimeout(ctx, keyMax)
	defer cancel()
	_, err := s.db.ExecContext(ctx, insertSendKey, r.Sender, r.Key, r.Hash[:], r.ID)
	if mariadb.Duplicate(err) {
		return b.FindKey(ctx, r.Sender, r.Key)
	}
	if err != nil {
		return envelope.KeyRecord{}, s.answer("claim key", err)
	}
	return r, nil
}
