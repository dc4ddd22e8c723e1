package owed

import (
	"context"
	"database/sql"
	"slices"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
	"hongbao/orderset/layout"
)

// Bounds of the outbox and of one spread.
const (
	touchedMax = 60_000 // order IDs in one row: 1.4 MB of text
	spreadMax  = 1024   // rows of the outbox
	// spreadIDsMax ends a spread early when its rows name many envelopes, and
	// spreadSharesMax when these have many shares: its transaction is to end
	// well before setdb.TxMax.
	spreadIDsMax    = 4096
	spreadSharesMax = 20_000
	spreadChunk     = 512 // envelopes in one statement
)

// Enqueue inserts the outbox row of a transaction that has moved these
// envelopes. What they owe to whom follows from their rows.
func Enqueue(ctx context.Context, c *sql.Conn, ids ...envelope.ID) error {
	if len(ids) == 0 {
		return nil
	}
	var insert layout.Text
	AppendEnqueue(&insert, ids)
	_, err := c.ExecContext(ctx, insert.String())
	return err
}

// Touched signals that this process has committed something that can be spread.
// Other processes' commits are not heard: poll too.
func (s *Store) Touched() <-chan struct{} { return s.touches }

// Touch is called when this process has committed something that can be spread.
func (s *Store) Touch() {
	select {
	case s.touches <- struct{}{}:
	default: // it will look in any case
	}
}

// Spread turns up to max rows of the outbox, 1024 at most, into what is owed: for
// each envelope they name the transfers of its new shares, and a delivery to
// each receiver. It returns how many envelopes it has worked on; zero means that
// nothing was left to spread. Rows that another spreader is at are passed by.
func (s *Store) Spread(ctx context.Context, max int) (envelopes int, err error) {
	err = s.db.TxRepeat(ctx, func(ctx context.Context, c *sql.Conn) (err error) {
		envelopes, err = s.spread(ctx, c, min(max, spreadMax))
		return err
	})
	return envelopes, s.db.Answer("spread", err)
}

// spread is the body of the transaction. The row locks are the lease.
func (s *Store) spread(ctx context.Context, c *sql.Conn, max int) (envelopes int, err error) {
	rows, ids, err := lockPending(ctx, c, max)
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	begun, all, err := s.payOut(ctx, c, ids)
	if err != nil || !all {
		return len(ids), err // the rows stay pending: the next spread goes on from here
	}
	for chunk := range slices.Chunk(ids, spreadChunk) {
		if err := deliver(ctx, c, chunk, begun); err != nil {
			return 0, err
		}
	}
	_, err = c.ExecContext(ctx, updateSpread(rows))
	return len(ids), err
}

// deliver makes the deliveries of some envelopes due, one for each receiver. An
// envelope with earlier transfers was spread before: its deliveries exist and are
// updated. Those of others are inserted.
func deliver(ctx context.Context, c *sql.Conn, ids []envelope.ID, begun map[envelope.ID]bool) error {
	var there, others []envelope.ID
	for _, id := range ids {
		if begun[id] {
			there = append(there, id)
		} else {
			others = append(others, id)
		}
	}
	if len(there) > 0 {
		res, err := c.ExecContext(ctx, updateDeliveries(there))
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || int(n) < deliveriesEach*len(there) {
			others = ids // some are missing after all; making a delivery due is idempotent
		}
	}
	if len(others) == 0 {
		return nil
	}
	_, err := c.ExecContext(ctx, upsertDeliveries(others))
	return err
}

const deliveriesEach = 2 // of an envelope: to the books and to the IM backend

const selectPending = "SELECT id, touched FROM outbox WHERE state = 'pending' ORDER BY id LIMIT ? FOR UPDATE SKIP LOCKED"

// lockPending locks rows of the outbox and returns the envelopes they name, each
// once and in the order of their IDs.
func lockPending(ctx context.Context, c *sql.Conn, max int) (rows []int64, ids []envelope.ID, err error) {
	err = mariadb.Each(ctx, c, func(r *sql.Rows) error {
		var row int64
		var names string
		if err := r.Scan(&row, &names); err != nil || len(rows) > 0 && len(ids) >= spreadIDsMax {
			return err
		}
		rows = append(rows, row)
		ids, err = layout.AppendIDs(ids, names)
		return err
	}, selectPending, max)
	slices.Sort(ids)
	return rows, slices.Compact(ids), err
}
