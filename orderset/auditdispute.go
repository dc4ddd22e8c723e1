package orderset

import (
	"context"
	"database/sql"
	"fmt"

	"hongbao/internal/mariadb"
)

const selectDisputesFrom = "SELECT id, kind, number, COALESCE(order_id, ''), what, amount_fen, created_at FROM dispute WHERE id > ? ORDER BY id LIMIT ?"

// Disputes visits every dispute of the SET, the oldest first.
func (a *Auditor) Disputes(ctx context.Context, visit func(Dispute)) error {
	last := int64(0)
	for n := listMax; n == listMax; {
		n = 0
		err := mariadb.Each(ctx, a.db, func(rows *sql.Rows) error {
			var d Dispute
			err := rows.Scan(&last, &d.Kind, &d.Number, &d.ID, &d.What, &d.Amount, &d.At)
			n++
			visit(d)
			return err
		}, selectDisputesFrom, last, listMax)
		if err != nil {
			return fmt.Errorf("disputes: %w", err)
		}
	}
	return nil
}
