package owed

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
	"hongbao/orderset/layout"
	"hongbao/orderset/setdb"
)

// Bounds of what relays ask for.
const (
	claimMax  = 1024 // deliveries or transfers in one claim
	finishMax = 512  // deliveries in one statement
	listMax   = 1000 // rows in one list for people
	// How long receivers are left alone about an envelope after they were told of
	// it: of a busy one they hear so often, however many shares are taken in it. The
	// IM backend has people waiting, the books have not.
	eventRest = time.Second
	bookRest  = 3 * time.Second
)

const selectDueDeliveries = "SELECT order_id, topic, stage, seq, wanted, attempts + 1, since FROM delivery " +
	"WHERE topic = ? AND state = 'pending' AND due_at <= UTC_TIMESTAMP(3) ORDER BY due_at LIMIT ? FOR UPDATE SKIP LOCKED"

func scanDelivery(rows *sql.Rows, more ...any) (d envelope.Delivery, err error) {
	err = rows.Scan(append([]any{&d.ID, &d.Topic, &d.At.Stage, &d.At.Seq, &d.Wanted, &d.Attempts, &d.Since}, more...)...)
	return d, err
}

// ClaimDeliveries takes up to max deliveries that are due, 1024 at most, the
// longest due first. No other claim gets them before the lease ends. Attempts
// counts this claim, and Since and Attempts together name it: what is said about
// a delivery after a later claim changes nothing.
func (s *Store) ClaimDeliveries(ctx context.Context, topic envelope.Topic, max int, lease time.Duration) (ds []envelope.Delivery, err error) {
	err = s.db.TxAgain(ctx, func(ctx context.Context, c *sql.Conn) error {
		ds = nil
		var ids []envelope.ID
		if topic == envelope.TopicCharge { // no other is ever parked for a time
			if _, err := c.ExecContext(ctx, unparkDue, topic, claimMax); err != nil {
				return err
			}
		}
		err := mariadb.Each(ctx, c, func(rows *sql.Rows) error {
			d, err := scanDelivery(rows)
			ds, ids = append(ds, d), append(ids, d.ID)
			return err
		}, selectDueDeliveries, topic, min(max, claimMax))
		if err != nil || len(ds) == 0 {
			return err
		}
		_, err = c.ExecContext(ctx, claimDeliveries(ids), layout.Wait(lease), topic)
		return err
	})
	return ds, s.db.Answer("claim deliveries of "+string(topic), err)
}

// FinishDeliveries records that receivers know what At says. A delivery whose
// envelope has moved on since the claim, or soon moves on, is due again after a
// rest: a second for events, three for the books.
func (s *Store) FinishDeliveries(ctx context.Context, ds []envelope.Delivery) error {
	sorted := slices.SortedFunc(slices.Values(ds), func(a, b envelope.Delivery) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Topic, b.Topic))
	})
	err := s.db.TxRepeat(ctx, func(ctx context.Context, c *sql.Conn) error {
		for chunk := range slices.Chunk(sorted, finishMax) {
			var update layout.Text
			finishDeliveries(&update, chunk)
			if _, err := c.ExecContext(ctx, update.String()); err != nil {
				return err
			}
		}
		return nil
	})
	return s.db.Answer(fmt.Sprintf("finish %d deliveries", len(ds)), err)
}

const (
	ofClaim = " WHERE order_id = ? AND topic = ? AND state = 'pending' AND attempts = ? AND since = ?"

	putOffDelivery = "UPDATE delivery SET stage = ?, seq = ?, due_at = UTC_TIMESTAMP(3) + INTERVAL ? MICROSECOND, reason = ?" + ofClaim
	// due_at says when it is pending again by itself: never is far off.
	parkDelivery = "UPDATE delivery SET stage = ?, seq = ?, state = 'parked', due_at = IF(? = 0, '9999-12-31', UTC_TIMESTAMP(3) + INTERVAL ? MICROSECOND), reason = ?" + ofClaim
	unparkDue    = "UPDATE delivery FORCE INDEX (due) SET state = 'pending', due_at = UTC_TIMESTAMP(3) WHERE topic = ? AND state = 'parked' AND due_at <= UTC_TIMESTAMP(3) LIMIT ?"
	// Since starts again, so that no earlier claim is taken for a later one.
	unparkDelivery = "UPDATE delivery SET state = 'pending', attempts = 0, due_at = UTC_TIMESTAMP(3), since = UTC_TIMESTAMP(3), reason = '' " +
		"WHERE order_id = ? AND topic = ? AND state = 'parked'"
	countDelivery = "SELECT COUNT(*) FROM delivery WHERE order_id = ? AND topic = ?"
	selectParked  = "SELECT order_id, topic, stage, seq, wanted, attempts, since, reason FROM delivery " +
		"WHERE topic IN ('charge', 'book', 'event') AND state = 'parked' ORDER BY since LIMIT ?"
)

// PutOffDelivery makes a claimed delivery due again after wait, a day at most. What
// its receiver has acknowledged by now, says At, and is not sent again.
func (s *Store) PutOffDelivery(ctx context.Context, d envelope.Delivery, wait time.Duration, reason string) error {
	return s.db.Update(ctx, "put off delivery of "+string(d.ID), putOffDelivery,
		d.At.Stage, d.At.Seq, layout.Wait(wait), layout.FitReason(reason), d.ID, d.Topic, d.Attempts, d.Since)
}

// ParkDelivery leaves a claimed delivery to people, with what its receiver has
// acknowledged by now. What happens to its envelope meanwhile is told when it is
// unparked: by people, or after wait, a day at most, if that is not 0.
func (s *Store) ParkDelivery(ctx context.Context, d envelope.Delivery, wait time.Duration, reason string) error {
	return s.db.Update(ctx, "park delivery of "+string(d.ID), parkDelivery,
		d.At.Stage, d.At.Seq, layout.Wait(wait), layout.Wait(wait), layout.FitReason(reason), d.ID, d.Topic, d.Attempts, d.Since)
}

// UnparkDelivery makes a parked delivery due at once, with no attempts counted.
// One that is not parked is an InvalidError: there was nothing to do. ErrNotFound:
// there is no such delivery.
func (s *Store) UnparkDelivery(ctx context.Context, id envelope.ID, topic envelope.Topic) error {
	made := false // by an earlier run of the transaction, whose commit was lost
	err := s.db.TxRepeat(ctx, func(ctx context.Context, c *sql.Conn) error {
		res, err := c.ExecContext(ctx, unparkDelivery, id, topic)
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		if made = made || n > 0; err != nil || made {
			return err
		}
		var there int
		if err := c.QueryRowContext(ctx, countDelivery, id, topic).Scan(&there); err != nil {
			return err
		}
		if there == 0 {
			return fmt.Errorf("delivery of %s to %.20q: %w", id, topic, envelope.ErrNotFound)
		}
		return &envelope.InvalidError{Field: "delivery", Why: "is not parked"}
	})
	return s.db.Decided("unpark delivery of"+" "+string(id), err)
}

// ParkedDelivery is one that people have to look at.
type ParkedDelivery struct {
	envelope.Delivery
	Reason string
}

// ParkedDeliveries lists up to max of them, 1000 at most, the oldest first.
func (s *Store) ParkedDeliveries(ctx context.Context, max int) (parked []ParkedDelivery, err error) {
	ctx, cancel := context.WithTimeout(ctx, setdb.TxMax)
	defer cancel()
	err = mariadb.Each(ctx, s.db, func(rows *sql.Rows) error {
		var reason string
		d, err := scanDelivery(rows, &reason)
		parked = append(parked, ParkedDelivery{Delivery: d, Reason: reason})
		return err
	}, selectParked, min(max, listMax))
	return parked, s.db.Answer("parked deliveries", err)
}
