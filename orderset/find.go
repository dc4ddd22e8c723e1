package orderset

import (
	"context"
	"time"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
	"hongbao/orderset/layout"
)

// Find reads an envelope with its shares. The two reads are not one snapshot;
// shares of later openers than the header knows of are left out, so that the
// answer is one the envelope once had.
//
// A grab at this server is never answered from something older than what it has
// shown, so memory moves on with it.
func (s *Set) Find(ctx context.Context, id envelope.ID) (envelope.Snapshot, error) {
	known, asked := s.memory.Load(), s.now()
	snap, err := s.read(ctx, id)
	if err != nil {
		return snap, err
	}
	if r := known.Get(id); r != nil && r.OlderThan(snap.Envelope.Ver) {
		// With a wrong draw key memory stays as it was: show has its own answer to that.
		_, _ = s.remember(known, snap, asked)
	}
	return snap, nil
}

func (s *Set) read(ctx context.Context, id envelope.ID) (envelope.Snapshot, error) {
	snap, err := s.find(ctx, id, func(t layout.DayTable) ([]layout.ShareRow, error) {
		return layout.QueryShares(ctx, s.db, selectShares(t), id)
	})
	return snap, s.db.Answer("find "+string(id), err)
}

// peekRow reads an envelope and the share of one user.
func (s *Set) peekRow(ctx context.Context, id envelope.ID, user envelope.UserID) (envelope.Snapshot, error) {
	snap, err := s.find(ctx, id, func(t layout.DayTable) ([]layout.ShareRow, error) {
		return layout.QueryShares(ctx, s.db, selectShareOf(t), id, user)
	})
	return snap, s.db.Answer("peek "+string(id), err)
}

func (s *Set) find(ctx context.Context, id envelope.ID, shares func(layout.DayTable) ([]layout.ShareRow, error)) (envelope.Snapshot, error) {
	t := layout.TableOf(id)
	e, now, err := s.header(ctx, s.db, id)
	if err != nil {
		return envelope.Snapshot{}, err
	}
	snap := envelope.Snapshot{Envelope: e, Now: now}
	rows, err := shares(t)
	for _, r := range rows {
		if r.Share.Seq <= e.OpenedCount {
			snap.Shares = append(snap.Shares, r.Share)
		}
	}
	return snap, err
}

// header reads one header without a lock, and the database's clock.
func (s *Set) header(ctx context.Context, q mariadb.Queryer, id envelope.ID) (envelope.Envelope, time.Time, error) {
	es, now, err := layout.QueryHeaders(ctx, q, layout.TableOf(id).SelectHeader(), id)
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
