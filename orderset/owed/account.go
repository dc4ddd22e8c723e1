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

// Statements is what the receivers of some deliveries may be told, in their
// order: each envelope with the shares after the cursor, all of them once it is
// finished, and its refund once that is posted. Headers are read first; shares
// of later openers than they know of are left out.
func (s *Store) Statements(ctx context.Context, ds []envelope.Delivery) ([]envelope.Statement, error) {
	if len(ds) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, setdb.TxMax)
	defer cancel()
	statements := make([]envelope.Statement, len(ds))
	at := make(map[envelope.ID][]int, len(ds))
	ids := make([]envelope.ID, len(ds))
	for i, d := range ds {
		at[d.ID] = append(at[d.ID], i)
		ids[i] = d.ID
	}
	slices.Sort(ids)
	err := s.statements(ctx, slices.Compact(ids), func(id envelope.ID, fill func(*envelope.Statement, envelope.Cursor)) {
		for _, i := range at[id] {
			fill(&statements[i], ds[i].At)
		}
	})
	if err != nil {
		return nil, s.db.Answer(fmt.Sprintf("read %d statements", len(ds)), err)
	}
	for i := range statements {
		if statements[i].Envelope.ID == "" {
			return nil, fmt.Errorf("SET %v: a delivery names envelope %s: %w", s.db.Number(), ds[i].ID, envelope.ErrNotFound)
		}
	}
	return statements, nil
}

// statements reads those of some envelopes. of calls fill with every statement of
// an envelope and its receiver's cursor.
func (s *Store) statements(ctx context.Context, ids []envelope.ID, of func(envelope.ID, func(*envelope.Statement, envelope.Cursor))) error {
	headers, now, err := layout.QueryHeaders(ctx, s.db, selectHeadersOf(ids))
	if err != nil {
		return err
	}
	var ranges []newSharesOf
	var refunded []envelope.ID
	for _, e := range headers {
		from := e.OpenedCount + 1
		of(e.ID, func(st *envelope.Statement, at envelope.Cursor) {
			st.Envelope, st.Now = e, now
			from = min(from, firstOwed(&e, at))
		})
		if from <= e.OpenedCount {
			ranges = append(ranges, newSharesOf{id: e.ID, from: from, to: e.OpenedCount})
		}
		if e.Refunded > 0 {
			refunded = append(refunded, e.ID)
		}
	}
	if len(ranges) > 0 {
		shares, err := layout.QueryShares(ctx, s.db, selectShareRanges(ranges))
		if err != nil {
			return err
		}
		slices.SortFunc(shares, func(a, b layout.ShareRow) int {
			return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Share.Seq, b.Share.Seq))
		})
		for _, r := range shares {
			of(r.ID, func(st *envelope.Statement, at envelope.Cursor) {
				if r.Share.Seq >= firstOwed(&st.Envelope, at) {
					st.Shares = append(st.Shares, r.Share)
				}
			})
		}
	}
	if len(refunded) == 0 {
		return nil
	}
	return mariadb.Each(ctx, s.db, func(rows *sql.Rows) error {
		var id envelope.ID
		var amount envelope.Fen
		var posted time.Time
		err := rows.Scan(&id, &amount, &posted)
		of(id, func(st *envelope.Statement, _ envelope.Cursor) {
			st.Refund = envelope.Refund{Amount: amount, PostedAt: posted}
		})
		return err
	}, selectRefunds(refunded))
}

// firstOwed is the position of the first share that goes into a statement: all
// do when the receiver is to be told that the envelope is finished.
func firstOwed(e *envelope.Envelope, at envelope.Cursor) int {
	if e.State.Finished() && at.Stage < envelope.StageFinished {
		return 1
	}
	return at.Seq + 1
}
