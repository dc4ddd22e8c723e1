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

// chargeFirst is how long after a send the provider is first asked whether it was
// paid: its callbacks are not guaranteed (FF7).
const chargeFirst = 5 * time.Second

const insertChargeDelivery = "INSERT INTO delivery (order_id, topic, state, due_at, since) " +
	"VALUES (?, 'charge', 'pending', UTC_TIMESTAMP(3) + INTERVAL ? MICROSECOND, UTC_TIMESTAMP(3))"

// Create commits an unpaid envelope, the key it was sent under and the duty to
// ask about its payment, in one transaction: none of them exists without the
// others. When the key is there already, what the first send made is returned.
func (s *Set) Create(ctx context.Context, n envelope.Sending) (envelope.Sending, error) {
	e := &n.Envelope
	e.CreatedAt, e.ExpiresAt = asStored(e.CreatedAt), asStored(e.ExpiresAt)
	err := s.inTxAgain(ctx, func(ctx context.Context, c *sql.Conn) error {
		if _, err := c.ExecContext(ctx, insertSendKey, e.Sender, n.Key, n.Hash[:], e.ID, e.CreatedAt); err != nil {
			return err
		}
		_, err := c.ExecContext(ctx, TableOf(e.ID).insertEnvelope(), e.ID, e.Kind, e.Sender, e.Group, e.Recipient, e.Greeting,
			e.Total, e.Count, e.Bounds().Min, e.ShareMax, e.Commitment[:], e.CreatedAt, e.ExpiresAt)
		if err != nil {
			return err
		}
		_, err = c.ExecContext(ctx, insertChargeDelivery, e.ID, push(chargeFirst))
		return err
	})
	switch {
	case err == nil:
		return n, nil
	case mariadb.Duplicate(err):
		// A repeat: the key is taken. The first send's envelope is the answer.
		first, findErr := s.FindSent(ctx, e.Sender, n.Key)
		if !errors.Is(findErr, envelope.ErrNotFound) {
			return first, findErr
		}
		// It was the order ID: a body has been minted twice.
	case errors.Is(err, errCommitUnknown):
		// Reading tells only when it finds the key: an absent one may still
		// be on its way to the disk.
		if first, findErr := s.FindSent(ctx, e.Sender, n.Key); findErr == nil {
			return first, nil
		}
	}
	return envelope.Sending{}, s.answer("create "+string(e.ID), err)
}

// asStored is a time as DATETIME(3) keeps it, so that a send is answered with
// what its repeats will read.
func asStored(at time.Time) time.Time { return at.UTC().Truncate(time.Millisecond) }

// lookupMax bounds a look for a key: a send has other SETs to go to.
const lookupMax = time.Second

// FindSent is what an earlier send under the key made, or ErrNotFound.
func (s *Set) FindSent(ctx context.Context, sender envelope.UserID, key string) (envelope.Sending, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupMax)
	defer cancel()
	n := envelope.Sending{Key: key}
	var id string
	var hash []byte
	err := s.db.QueryRowContext(ctx, selectSendKey, sender, key).Scan(&id, &hash)
	if errors.Is(err, sql.ErrNoRows) {
		err = envelope.ErrNotFound
	}
	if err != nil {
		return n, s.answer("find key", err)
	}
	copy(n.Hash[:], hash)
	n.Envelope, _, err = s.header(ctx, s.db, envelope.ID(id))
	if errors.Is(err, envelope.ErrNotFound) {
		return n, fmt.Errorf("SET %v: key of %s names an envelope that is not there", s.number, id)
	}
	return n, s.answer("find key", err)
}
