package orderset

import (
	"context"
	"database/sql"
	"slices"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
)

// lockFinished locks the headers of those envelopes, given in the order of their
// IDs, that are finished and not settled: the ones that a posting can settle.
func lockFinished(ctx context.Context, c *sql.Conn, ids []envelope.ID) (finished []headerState, err error) {
	if len(ids) == 0 {
		return nil, nil
	}
	unsettled, err := queryIDs(ctx, c, selectUnsettled(ids))
	if mariadb.NoSuchTable(err) { // a day has been moved away, and its envelopes with it
		unsettled, err = ids, nil
	}
	if err != nil {
		return nil, err
	}
	slices.Sort(unsettled)
	for t, ids := range byTable(unsettled) {
		states, err := queryStates(ctx, c, t.selectStates(ids, true))
		if mariadb.NoSuchTable(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		finished = append(finished, states...)
	}
	return finished, nil
}

func (s *headerState) unsettled() bool {
	return s.state == envelope.Empty || s.state == envelope.Expired
}

// settle makes those of the finished envelopes settled whose transfers are all
// posted now; posted names, in order, those of which one has just been. Two who
// post the last two of an envelope meet at its header; one who saw it before it
// was finished is met at the transfer, which is read under a lock.
func settle(ctx context.Context, c *sql.Conn, finished []headerState, posted []envelope.ID) (settled []envelope.ID, err error) {
	wanted := map[envelope.ID]int{}
	var ids []envelope.ID
	for _, s := range finished {
		if _, just := slices.BinarySearch(posted, s.id); just && s.unsettled() {
			ids = append(ids, s.id)
			if wanted[s.id] = s.openedCount; s.refunded > 0 {
				wanted[s.id]++
			}
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	slices.Sort(ids)
	err = each(ctx, c, func(rows *sql.Rows) error {
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
	for t, ids := range byTable(settled) {
		if _, err := c.ExecContext(ctx, t.updateSettled(ids)); err != nil {
			return nil, err
		}
	}
	return settled, nil
}
