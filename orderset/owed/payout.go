package owed

import (
	"context"
	"database/sql"
	"errors"
	"slices"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
	"hongbao/orderset/layout"
	"hongbao/orderset/setdb"
)

// payouts makes the transfers of one spread.
type payouts struct {
	budget int // how many more this spread makes
	// The batch under way is named after the payout at its head, or "" when payouts
	// stay by themselves; room is how many more it takes.
	head  string
	room  int
	heads []string // of all batches

	begun map[envelope.ID]bool // had transfers of shares before
}

// payOut makes the transfers of the shares that have none yet, and reports whether
// that was all of them, and which envelopes had some before. Positions have no
// gaps and transfers are made in their order, so what is missing is what comes
// after the last one.
func (s *Store) payOut(ctx context.Context, c *sql.Conn, ids []envelope.ID) (begun map[envelope.ID]bool, all bool, err error) {
	p := payouts{budget: spreadSharesMax, begun: make(map[envelope.ID]bool, len(ids))}
	if !s.cfg.Batches {
		p.room = spreadSharesMax
	}
	for chunk := range slices.Chunk(layout.InTableOrder(ids), spreadChunk) {
		if err := p.makeTransfers(ctx, c, chunk); err != nil {
			return nil, false, err
		}
		if p.budget == 0 {
			break
		}
	}
	return p.begun, p.budget > 0, MakeBatches(ctx, c, p.heads)
}

// makeTransfers makes those of some envelopes, table by table.
func (p *payouts) makeTransfers(ctx context.Context, c *sql.Conn, ids []envelope.ID) error {
	missing := make(map[envelope.ID]newSharesOf, len(ids))
	err := mariadb.Each(ctx, c, func(r *sql.Rows) error {
		var m newSharesOf
		err := r.Scan(&m.id, &m.from, &m.to)
		missing[m.id] = m
		p.begun[m.id] = m.from > 1
		return err
	}, selectUnspread(ids))
	if err != nil {
		return err
	}
	var ranges []newSharesOf
	insert := func() error {
		if len(ranges) == 0 {
			return nil
		}
		_, err := c.ExecContext(ctx, insertPayouts(p.head, ranges))
		ranges = ranges[:0]
		return err
	}
	for _, id := range ids {
		from, to := missing[id].from, min(missing[id].to, missing[id].from+p.budget-1)
		for from > 0 && from <= to {
			if p.room == 0 {
				if err := insert(); err != nil {
					return err
				}
				p.head, p.room = envelope.TransferNo(id, from, 1), envelope.PayoutBatchMax
				p.heads = append(p.heads, p.head)
			}
			n := min(to-from+1, p.room)
			ranges = append(ranges, newSharesOf{id: id, from: from, to: from + n - 1})
			from, p.room, p.budget = from+n, p.room-n, p.budget-n
		}
	}
	return insert()
}

// MakeBatches makes the batches of the transfers that were just put into them. Two
// spreaders that name batches after the same payout meet at it; the one that comes
// second has put what is newer into a batch that is there already, and must decide
// anew (I7).
func MakeBatches(ctx context.Context, c *sql.Conn, heads []string) error {
	if len(heads) == 0 {
		return nil
	}
	_, err := c.ExecContext(ctx, insertBatches(heads))
	if mariadb.Duplicate(err) {
		return errors.Join(setdb.ErrConflict, err)
	}
	return err
}
