package orderset

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
)

// keyMax bounds one question to one home of a key: it has others.
const keyMax = time.Second

const (
	selectSendKey = "SELECT order_id, request_hash FROM send_key WHERE sender_id = ? AND idempotency_key = ?"
	insertSendKey = "INSERT INTO send_key (sender_id, idempotency_key, request_hash, order_id, created_at) VALUES (?, ?, ?, ?, UTC_TIMESTAMP(3))"
)

// FindKey is the SET's record of a key, or ErrNotFound. The envelope it names may
// be in another SET.
func (s *Set) FindKey(ctx context.Context, sender envelope.UserID, key string) (envelope.KeyRecord, error) {
	ctx, cancel := context.WithTimeout(ctx, keyMax)
	defer cancel()
	var hash []byte
	r := envelope.KeyRecord{Sender: sender, Key: key}
	err := s.db.QueryRowContext(ctx, selectSendKey, sender, key).Scan(&r.ID, &hash)
	if errors.Is(err, sql.ErrNoRows) {
		err = envelope.ErrNotFound
	}
	if err != nil {
		return envelope.KeyRecord{}, s.answer("find key", err)
	}
	copy(r.Hash[:], hash)
	return r, s.answer("find key", nil)
}

// ClaimKey keeps a record unless the SET has one of the key, and returns the one
// that is there. It is one statement, committed by itself: when its answer is lost,
// another claim finds it.
func (s *Set) ClaimKey(ctx context.Context, r envelope.KeyRecord) (envelope.KeyRecord, error) {
	ctx, cancel := context.WithTimeout(ctx, keyMax)
	defer cancel()
	_, err := s.db.ExecContext(ctx, insertSendKey, r.Sender, r.Key, r.Hash[:], r.ID)
	if mariadb.Duplicate(err) {
		return s.FindKey(ctx, r.Sender, r.Key)
	}
	if err != nil {
		return envelope.KeyRecord{}, s.answer("claim key", err)
	}
	return r, s.answer("claim key", nil)
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
	ctx, cancel := context.WithTimeout(ctx, keyMax)
	defer cancel()
	e, _, err := s.header(ctx, s.db, id)
	return e, s.answer("find "+string(id), err)
}
