package sendkey

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
)

// WaitMax bounds one question to one home of a key: it has others.
const WaitMax = time.Second

const (
	selectKey = "SELECT order_id, request_hash FROM send_key WHERE sender_id = ? AND idempotency_key = ?"
	insertKey = "INSERT INTO send_key (sender_id, idempotency_key, request_hash, order_id, created_at) VALUES (?, ?, ?, ?, UTC_TIMESTAMP(3))"
)

// Execer runs a statement.
type Execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// DB is a database that keeps keys.
type DB interface {
	Execer
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Find is the record of a key, or envelope.ErrNotFound.
func Find(ctx context.Context, db DB, sender envelope.UserID, key string) (envelope.KeyRecord, error) {
	ctx, cancel := context.WithTimeout(ctx, WaitMax)
	defer cancel()
	r := envelope.KeyRecord{Sender: sender, Key: key}
	var hash []byte
	err := db.QueryRowContext(ctx, selectKey, sender, key).Scan(&r.ID, &hash)
	if errors.Is(err, sql.ErrNoRows) {
		err = envelope.ErrNotFound
	}
	if err != nil {
		return envelope.KeyRecord{}, err
	}
	copy(r.Hash[:], hash)
	return r, nil
}

// Claim keeps a record unless there is one of the key, and returns the one that is
// there.
func Claim(ctx context.Context, db DB, r envelope.KeyRecord) (envelope.KeyRecord, error) {
	ctx, cancel := context.WithTimeout(ctx, WaitMax)
	defer cancel()
	err := Insert(ctx, db, r)
	if mariadb.Duplicate(err) {
		return Find(ctx, db, r.Sender, r.Key)
	}
	if err != nil {
		return envelope.KeyRecord{}, err
	}
	return r, nil
}

// Insert keeps a record as a part of the caller's transaction. A key that has one is
// refused by the primary key; see [mariadb.Duplicate].
func Insert(ctx context.Context, tx Execer, r envelope.KeyRecord) error {
	_, err := tx.ExecContext(ctx, insertKey, r.Sender, r.Key, r.Hash[:], r.ID)
	return err
}
