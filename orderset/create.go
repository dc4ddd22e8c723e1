package orderset

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
	"hongbao/internal/sendkey"
	"hongbao/orderset/layout"
)

// chargeFirst is how long after a send the provider is first asked whether it was
// paid: its callbacks are not guaranteed (FF7).
const chargeFirst = 5 * time.Second

const insertChargeDelivery = "INSERT INTO delivery (order_id, topic, state, due_at, since) " +
	"VALUES (?, 'charge', 'pending', UTC_TIMESTAMP(3) + INTERVAL ? MICROSECOND, UTC_TIMESTAMP(3))"

// Create commits an unpaid envelope, the key's record of it and the duty to ask
// about its payment, in one transaction: none of them exists without the others.
// When the SET has a record of the key already, that is returned and nothing is made.
func (s *Set) Create(ctx context.Context, n envelope.Sending) (envelope.KeyRecord, error) {
	e, r := &n.Envelope, n.Record()
	e.CreatedAt, e.ExpiresAt = layout.AsStored(e.CreatedAt), layout.AsStored(e.ExpiresAt)
	err := s.db.TxAgain(ctx, func(ctx context.Context, c *sql.Conn) error {
		if err := sendkey.Insert(ctx, c, r); err != nil {
			return err
		}
		_, err := c.ExecContext(ctx, insertEnvelope(layout.TableOf(e.ID)), e.ID, e.Kind, e.Sender, e.Group, e.Recipient, e.Greeting,
			e.Total, e.Count, e.Bounds().Min, e.ShareMax, e.Commitment[:], e.CreatedAt, e.ExpiresAt)
		if err != nil {
			return err
		}
		_, err = c.ExecContext(ctx, insertChargeDelivery, e.ID, layout.Wait(chargeFirst))
		return err
	})
	switch {
	case err == nil:
		s.flows.entered(envelope.Unpaid, 1)
		return r, nil
	case mariadb.Duplicate(err):
		// A repeat: the key is taken. The first send's envelope is the answer.
		first, findErr := s.FindKey(ctx, r.Sender, r.Key)
		if !errors.Is(findErr, envelope.ErrNotFound) {
			return first, findErr
		}
		// It was the order ID: a body has been minted twice.
	case errors.Is(err, mariadb.ErrCommitUnknown):
		// Reading tells only when it finds the key: an absent one may still
		// be on its way to the disk.
		if first, findErr := s.FindKey(ctx, r.Sender, r.Key); findErr == nil {
			return first, nil
		}
	}
	return envelope.KeyRecord{}, s.db.Answer("create "+string(e.ID), err)
}
