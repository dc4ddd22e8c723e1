package owed

import (
	"context"
	"database/sql"
	"slices"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
	"hongbao/orderset/layout"
)

// LockFinished locks the headers of those envelopes, given in the order of their
// IDs, that are finished and not settled: the ones that a posting can settle.
func LockFinished(ctx context.Context, c *sql.Conn, ids []envelope.ID) (finished []layout.HeaderState, err error) {
	unsettled, err := readUnsettled(ctx, c, ids)
	if err != nil {
		return nil, err
	}
	return lockHeadersOf(ctx, c, unsettled)
}

// lockFinishedSince locks the envelopes that finished after LockFinished had read
// them. It runs once their transfers are locked. An envelope that is not finished
// even now gets another transfer later; the transaction that posts that one waits for
// the locks held here, and settles the envelope (I8). Headers are locked after
// transfers here, against the order of locks: on a deadlock the transaction is
// retried, and LockFinished locks them first.
func lockFinishedSince(ctx context.Context, c *sql.Conn, ids []envelope.ID, locked []layout.HeaderState) ([]layout.HeaderState, error) {
	unsettled, err := readUnsettled(ctx, c, ids)
	if err != nil {
		return nil, err
	}
	late := slices.DeleteFunc(unsettled, func(id envelope.ID) bool {
		return slices.ContainsFunc(locked, func(s layout.HeaderState) bool { return s.ID == id })
	})
	finished, err := lockHeadersOf(ctx, c, late)
	return append(locked, finished...), err
}

// readUnsettled reads, without locks, which of some envelopes are finished and not
// settled.
func readUnsettled(ctx context.Context, c *sql.Conn, ids []envelope.ID) ([]envelope.ID, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	unsettled, err := mariadb.Column[envelope.ID](ctx, c, selectUnsettled(ids))
	if mariadb.NoSuchTable(err) { // a day has been moved away, and its envelopes with it
		unsettled, err = slices.Clone(ids), nil
	}
	slices.Sort(unsettled)
	return unsettled, err
}

func lockHeadersOf(ctx context.Context, c *sql.Conn, ids []envelope.ID) (locked []layout.HeaderState, err error) {
	for t, ids := range layout.ByTable(ids) {
		states, err := layout.QueryStates(ctx, c, t.SelectStates(ids, true))
		if mariadb.NoSuchTable(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		locked = append(locked, states...)
	}
	return locked, nil
}

func unsettled(s envelope.State) bool { return s == envelope.Empty || s == envelope.Expired }

// settle makes those envelopes settled whose transfers are all posted now. posted
// names, in order, those of which one has just been; locked are the headers that
// were finished before. Two transactions that post the last two transfers of an
// envelope meet at its header, or, where one of them saw it before it was finished,
// at the transfers: they are counted under a lock.
func Settle(ctx context.Context, c *sql.Conn, locked []layout.HeaderState, posted []envelope.ID) (settled []envelope.ID, err error) {
	finished, err := lockFinishedSince(ctx, c, posted, locked)
	if err != nil {
		return nil, err
	}
	wanted := map[envelope.ID]int{}
	var ids []envelope.ID
	for _, s := range finished {
		if _, just := slices.BinarySearch(posted, s.ID); just && unsettled(s.State) {
			ids = append(ids, s.ID)
			if wanted[s.ID] = s.OpenedCount; s.Refunded > 0 {
				wanted[s.ID]++
			}
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	slices.Sort(ids)
	err = mariadb.Each(ctx, c, func(rows *sql.Rows) error {
		var id envelope.ID
		var posted int
		err := rows.Scan(&id, &posted)
		if posted == wanted[id] {
			settled = append(settled, id)
		}
		return err
	}, countPosted(ids))
	if err != nil {
		return nil, err
	}
	for t, ids := range layout.ByTable(settled) {
		if _, err := c.ExecContext(ctx, updateSettled(t, ids)); err != nil {
			return nil, err
		}
	}
	return settled, nil
}
