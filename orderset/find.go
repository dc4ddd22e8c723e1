package orderset

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
)

// Find reads an envelope with its shares. The two reads are not one snapshot;
// shares of later openers than the header knows of are left out, so that the
// answer is one the envelope once had.
//
// A grab at this server is never answered from something older than what it has
// shown, so memory moves on with it.
func (s *Set) Find(ctx context.Context, id envelope.ID) (envelope.Snapshot, error) {
	memory, asked := s.memory.Load(), s.now()
	snap, err := s.read(ctx, id)
	if err != nil {
		return snap, err
	}
	if r := memory.get(id); r != nil && r.olderThan(snap.Envelope.Ver) {
		// With a wrong draw key memory stays as it was: show has its own answer to that.
		_, _ = s.remember(memory, snap, asked)
	}
	return snap, nil
}

func (s *Set) read(ctx context.Context, id envelope.ID) (envelope.Snapshot, error) {
	snap, err := s.find(ctx, id, func(t DayTable) ([]newShare, error) {
		return queryShares(ctx, s.db, t.selectShares(), id)
	})
	return snap, s.db.Answer("find "+string(id), err)
}

// peekRow reads an envelope and the share of one user.
func (s *Set) peekRow(ctx context.Context, id envelope.ID, user envelope.UserID) (envelope.Snapshot, error) {
	snap, err := s.find(ctx, id, func(t DayTable) ([]newShare, error) {
		return queryShares(ctx, s.db, t.selectShareOf(), id, user)
	})
	return snap, s.db.Answer("peek "+string(id), err)
}

func (s *Set) find(ctx context.Context, id envelope.ID, shares func(DayTable) ([]newShare, error)) (envelope.Snapshot, error) {
	t := TableOf(id)
	e, now, err := s.header(ctx, s.db, id)
	if err != nil {
		return envelope.Snapshot{}, err
	}
	snap := envelope.Snapshot{Envelope: e, Now: now}
	rows, err := shares(t)
	for _, r := range rows {
		if r.share.Seq <= e.OpenedCount {
			snap.Shares = append(snap.Shares, r.share)
		}
	}
	return snap, err
}

// header reads one header without a lock, and the database's clock.
func (s *Set) header(ctx context.Context, q mariadb.Queryer, id envelope.ID) (envelope.Envelope, time.Time, error) {
	es, now, err := queryHeaders(ctx, q, TableOf(id).selectHeader(), id)
	if mariadb.NoSuchTable(err) {
		return envelope.Envelope{}, now, envelope.ErrNotFound // nothing was ever minted on a day without tables
	}
	if err != nil {
		return envelope.Envelope{}, now, err
	}
	if len(es) == 0 {
		return envelope.Envelope{}, now, envelope.ErrNotFound
	}
	return es[0], now, nil
}

// queryHeaders reads headers and, with them, the database's clock.
func queryHeaders(ctx context.Context, q mariadb.Queryer, query string, args ...any) (es []envelope.Envelope, now time.Time, err error) {
	err = mariadb.Each(ctx, q, func(rows *sql.Rows) error {
		e, clock, err := scanHeader(rows)
		es, now = append(es, e), clock
		return err
	}, query, args...)
	return es, now, err
}

// scanHeader reads one row of headerColumns.
func scanHeader(rows *sql.Rows) (e envelope.Envelope, now time.Time, err error) {
	var commitment []byte
	var paid, finished sql.NullTime
	err = rows.Scan(&e.ID, &e.Kind, &e.State, &e.Ver, &e.Sender, &e.Group, &e.Recipient, &e.Greeting,
		&e.Total, &e.Count, &e.ShareMin, &e.ShareMax, &e.Opened, &e.OpenedCount, &e.Refunded, &commitment,
		&e.TransactionID, &e.CreatedAt, &paid, &e.ExpiresAt, &finished, &now)
	if err == nil && copy(e.Commitment[:], commitment) != len(e.Commitment) {
		err = fmt.Errorf("envelope %s: draw_commitment has %d bytes", e.ID, len(commitment))
	}
	e.PaidAt, e.FinishedAt = paid.Time, finished.Time
	return e, now, err
}

func queryShares(ctx context.Context, q mariadb.Queryer, query string, args ...any) (shares []newShare, err error) {
	err = mariadb.Each(ctx, q, func(rows *sql.Rows) error {
		var r newShare
		if err := rows.Scan(&r.id, &r.share.Seq, &r.share.User, &r.share.Amount, &r.share.OpenedAt); err != nil {
			return err
		}
		shares = append(shares, r)
		return nil
	}, query, args...)
	return shares, err
}
