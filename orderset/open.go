package orderset

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
	"hongbao/orderset/layout"
	"hongbao/orderset/owed"
	"hongbao/orderset/setdb"
)

// Open lets a batch of openers take their shares in one transaction. With a
// memory it writes what memory lets it decide, guarded by ver; when that loses,
// or without a memory, it locks the headers, reads the shares of these openers,
// lets the domain decide and writes that. The answers stand in the order of the
// requests.
//
// An error means that none of the requests has an answer: nothing took effect,
// or, wrapping [envelope.ErrUnknownOutcome], the outcome is unknown.
func (s *Set) Open(ctx context.Context, reqs []envelope.OpenRequest) ([]envelope.Opening, error) {
	b := newBatch(reqs)
	s.counts.batches.Add(1)
	s.counts.requests.Add(uint64(len(reqs)))
	err, known := setdb.ErrConflict, s.memory.Load()
	if known != nil {
		err = s.openWarm(ctx, known, b)
	}
	if !errors.Is(err, mariadb.ErrCommitUnknown) && (mariadb.Duplicate(err) || setdb.Retry(err) || errors.Is(err, setdb.ErrFenced)) {
		if known != nil {
			s.counts.conflicts.Add(1)
		}
		err = s.openUnderLocks(ctx, b)
	} else if errors.Is(err, mariadb.ErrCommitUnknown) {
		err = s.resolve(ctx, b, err)
	}
	if err != nil {
		return nil, s.db.Answer(fmt.Sprintf("open %d", len(reqs)), err)
	}
	if len(b.touched) > 0 {
		s.owed.Touch()
		s.flows.openedBy(b)
	}
	return b.openings, nil
}

// openUnderLocks opens a batch under the headers' locks.
func (s *Set) openUnderLocks(ctx context.Context, b *batch) error {
	err := s.db.TxAgain(ctx, func(ctx context.Context, c *sql.Conn) error { return s.openLocked(ctx, c, b) })
	if errors.Is(err, mariadb.ErrCommitUnknown) {
		err = s.resolve(ctx, b, err)
	}
	return err
}

// openLocked is the body of the transaction.
func (s *Set) openLocked(ctx context.Context, c *sql.Conn, b *batch) error {
	b.touched, b.emptied = nil, 0
	known := s.memory.Load()
	err := b.tables(func(t layout.DayTable, groups []group) error {
		headers, now, err := lockHeaders(ctx, c, t, groups)
		if err != nil {
			return err
		}
		held, err := holdings(ctx, c, t, groups)
		if err != nil {
			return err
		}
		var next []envelope.Envelope
		var rows []layout.ShareRow
		for i := range groups {
			g := &groups[i]
			e, exists := headers[g.id]
			if !exists {
				b.refuse(g, envelope.ErrNotFound)
				continue
			}
			seed, err := s.seed(&e)
			if err != nil {
				return err
			}
			had := func(u envelope.UserID) (envelope.Share, bool) {
				share, ok := held[envelope.OpenRequest{ID: g.id, User: u}]
				return share, ok
			}
			known.Confirm(&e, now) // else it was wrong, or is about to be
			after, openings := envelope.Decide(e, seed, g.users, had, now)
			b.answer(g, openings)
			if after.Ver != e.Ver {
				next = append(next, after)
				rows = appendNew(rows, g.id, openings)
				b.touched = append(b.touched, g.id)
				if after.State == envelope.Empty {
					b.emptied++
				}
			}
		}
		return persist(ctx, c, t, next, rows)
	})
	if err != nil {
		return err
	}
	return owed.Enqueue(ctx, c, b.touched...)
}

// persist writes what was decided. A header that moved meanwhile, or whose life
// ended in this very millisecond, is a conflict: everything is rolled back.
func persist(ctx context.Context, c *sql.Conn, t layout.DayTable, next []envelope.Envelope, rows []layout.ShareRow) error {
	if len(next) == 0 {
		return nil
	}
	var update, insert layout.Text
	updateOpened(t, &update, next)
	t.InsertShares(&insert, rows)
	res, err := c.ExecContext(ctx, update.String())
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n != int64(len(next)) {
		return errors.Join(setdb.ErrConflict, err)
	}
	_, err = c.ExecContext(ctx, insert.String())
	return err
}

func appendNew(rows []layout.ShareRow, id envelope.ID, openings []envelope.Opening) []layout.ShareRow {
	for _, o := range openings {
		if o.Outcome == envelope.Opened {
			rows = append(rows, layout.ShareRow{ID: id, Share: o.Share})
		}
	}
	return rows
}

// seed of the envelope's draw, checked against what was promised at send: with
// a wrong draw key nothing is paid.
func (s *Set) seed(e *envelope.Envelope) (envelope.Seed, error) {
	seed := s.drawKey.Seed(e.ID)
	if seed.Commitment() != e.Commitment {
		return seed, fmt.Errorf("envelope %s: the draw key is not the one it was sent under", e.ID)
	}
	return seed, nil
}

func lockHeaders(ctx context.Context, c *sql.Conn, t layout.DayTable, groups []group) (map[envelope.ID]envelope.Envelope, time.Time, error) {
	ids := make([]envelope.ID, len(groups))
	for i := range groups {
		ids[i] = groups[i].id
	}
	es, now, err := layout.QueryHeaders(ctx, c, t.LockHeaders(ids))
	headers := make(map[envelope.ID]envelope.Envelope, len(es))
	for _, e := range es {
		headers[e.ID] = e
	}
	return headers, now, err
}

func holdings(ctx context.Context, c *sql.Conn, t layout.DayTable, groups []group) (map[envelope.OpenRequest]envelope.Share, error) {
	ids := make([]envelope.ID, len(groups))
	users := make([][]envelope.UserID, len(groups))
	for i := range groups {
		ids[i], users[i] = groups[i].id, groups[i].users
	}
	rows, err := layout.QueryShares(ctx, c, selectHoldings(t, ids, users))
	held := make(map[envelope.OpenRequest]envelope.Share, len(rows))
	for _, r := range rows {
		held[envelope.OpenRequest{ID: r.ID, User: r.Share.User}] = r.Share
	}
	return held, err
}

// resolve answers a batch whose COMMIT was lost. It runs the batch again, under
// the headers' locks: the lock waits for the lost transaction to end one way or
// the other, and a share that is there by then is its outcome. Openers who hold
// exactly what was decided for them opened it with this request.
func (s *Set) resolve(ctx context.Context, b *batch, unknown error) error {
	s.db.CountUnknown()
	decided := b.openings
	b.openings = make([]envelope.Opening, len(b.reqs))
	err := s.db.TxAgain(ctx, func(ctx context.Context, c *sql.Conn) error { return s.openLocked(ctx, c, b) })
	if err != nil {
		return errors.Join(unknown, err)
	}
	for i, d := range decided {
		now := &b.openings[i]
		if d.Outcome == envelope.Opened && now.Outcome == envelope.AlreadyOpened && now.Share.Seq == d.Share.Seq && now.Share.Amount == d.Share.Amount {
			now.Outcome = envelope.Opened
		}
	}
	return nil
}
