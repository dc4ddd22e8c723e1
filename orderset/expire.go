package orderset

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"time"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
	"hongbao/orderset/layout"
	"hongbao/orderset/owed"
	"hongbao/orderset/setdb"
)

// Expire ends an envelope whose life is over by the database's clock: what
// no opener took is owed back to the sender, in the same transaction (I6). Too
// early and too late are results: the envelope comes back as it is.
func (s *Set) Expire(ctx context.Context, id envelope.ID) (envelope.Envelope, error) {
	return s.end(ctx, "expire", id, func(ctx context.Context, c *sql.Conn, e *envelope.Envelope, now time.Time) error {
		next, ends := envelope.Expire(*e, now)
		if !ends {
			return nil
		}
		err := setdb.Move(ctx, c, updateExpired(layout.TableOf(id)), next.Ver, next.Refunded, next.FinishedAt, id, e.Ver)
		if err != nil {
			return err
		}
		*e = next
		return owed.InsertRefund(ctx, c, e)
	})
}

// CloseUnpaid ends an envelope that was not paid. The charge must have been closed
// at the provider before. One that is not unpaid comes back as it is.
func (s *Set) CloseUnpaid(ctx context.Context, id envelope.ID) (envelope.Envelope, error) {
	return s.end(ctx, "close", id, func(ctx context.Context, c *sql.Conn, e *envelope.Envelope, _ time.Time) error {
		next, ends := envelope.Close(*e)
		if !ends {
			return nil
		}
		err := setdb.Move(ctx, c, updateClosed(layout.TableOf(id)), next.Ver, id, e.Ver)
		*e = next
		return err
	})
}

// end runs a transaction that may move an envelope on. A lost commit is resolved
// by running it again: what has ended is a result.
func (s *Set) end(ctx context.Context, what string, id envelope.ID, decide func(context.Context, *sql.Conn, *envelope.Envelope, time.Time) error) (e envelope.Envelope, err error) {
	moved := false
	err = s.db.TxRepeat(ctx, func(ctx context.Context, c *sql.Conn) error {
		var now time.Time
		if e, now, err = s.locked(ctx, c, id); err != nil {
			return err
		}
		ver := e.Ver
		if err := decide(ctx, c, &e, now); err != nil || e.Ver == ver {
			return err
		}
		moved = true
		return owed.Enqueue(ctx, c, id)
	})
	if moved || err != nil {
		s.memory.Load().Forget(id)
	}
	if err != nil {
		return envelope.Envelope{}, s.db.Answer(what+" "+string(id), err)
	}
	if moved {
		s.owed.Touch()
		s.flows.entered(e.State, 1)
	}
	return e, nil
}

// locked locks one header, and reads it and the clock under the lock.
func (s *Set) locked(ctx context.Context, c *sql.Conn, id envelope.ID) (envelope.Envelope, time.Time, error) {
	es, now, err := layout.QueryHeaders(ctx, c, layout.TableOf(id).LockHeader(), id)
	if mariadb.NoSuchTable(err) || err == nil && len(es) == 0 {
		return envelope.Envelope{}, now, envelope.ErrNotFound
	}
	if err != nil {
		return envelope.Envelope{}, now, err
	}
	return es[0], now, nil
}

const (
	expiriesMax     = 10_000 // IDs in one answer
	expiryTablesMax = 100    // in one statement
)

// DueExpiries lists up to max active envelopes whose life is over, 10,000 at
// most, the longest over first. It goes by state and not by a span of time, so a
// sweep that did not run for hours misses nothing (FG15).
func (s *Set) DueExpiries(ctx context.Context, max int) ([]envelope.ID, error) {
	ctx, cancel := context.WithTimeout(ctx, setdb.TxMax)
	defer cancel()
	ids, err := s.dueExpiries(ctx, min(max, expiriesMax))
	return ids, s.db.Answer("due expiries", err)
}

func (s *Set) dueExpiries(ctx context.Context, max int) ([]envelope.ID, error) {
	tables, err := layout.DayTables(ctx, s.db)
	if err != nil {
		return nil, err
	}
	var due []expiry
	for chunk := range slices.Chunk(tables, expiryTablesMax) {
		args := make([]any, len(chunk)+1)
		for i := range args {
			args[i] = max
		}
		err := mariadb.Each(ctx, s.db, func(rows *sql.Rows) error {
			var e expiry
			err := rows.Scan(&e.id, &e.at)
			due = append(due, e)
			return err
		}, selectDueExpiries(chunk), args...)
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(due, func(a, b expiry) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.id, b.id)) })
	ids := make([]envelope.ID, min(len(due), max))
	for i := range ids {
		ids[i] = due[i].id
	}
	return ids, nil
}

type expiry struct {
	id envelope.ID
	at time.Time
}
