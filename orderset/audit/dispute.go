package audit

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
)

const selectDisputesFrom = "SELECT id, kind, number, COALESCE(order_id, ''), what, amount_fen, created_at FROM dispute WHERE id > ? ORDER BY id LIMIT ?"

// disputePage is how many disputes are read at a time.
const disputePage = 1000

// Dispute is something that the provider said and the rows deny.
type Dispute struct {
	Kind   string       // payment or transfer
	Number string       // of the payment, the transfer or the batch
	ID     envelope.ID  // "" when it belongs to no envelope we know
	What   string       // for people
	Amount envelope.Fen // that the provider speaks of
	At     time.Time
}

// Disputes visits every dispute of the SET, the oldest first.
func (a *Auditor) Disputes(ctx context.Context, visit func(Dispute)) error {
	last := int64(0)
	for n := disputePage; n == disputePage; {
		n = 0
		err := mariadb.Each(ctx, a.db, func(rows *sql.Rows) error {
			var d Dispute
			err := rows.Scan(&last, &d.Kind, &d.Number, &d.ID, &d.What, &d.Amount, &d.At)
			n++
			visit(d)
			return err
		}, selectDisputesFrom, last, disputePage)
		if err != nil {
			return fmt.Errorf("disputes: %w", err)
		}
	}
	return nil
}
