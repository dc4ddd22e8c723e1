package orderset

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"hongbao/envelope"
)

// dispute is something the provider says and our rows deny.
type dispute struct {
	kind   string
	number string
	id     envelope.ID // "" if none is known
	what   string
	amount envelope.Fen
}

const disputeNumberMax = 64

const (
	disputePayment  = "payment"
	disputeTransfer = "transfer"
)

// A repeat of a callback is the dispute there is already.
const insertDispute = "INSERT INTO dispute (kind, number, order_id, what, amount_fen, created_at) " +
	"VALUES (?, ?, NULLIF(?, ''), ?, ?, UTC_TIMESTAMP(3)) ON DUPLICATE KEY UPDATE kind = dispute.kind"

const selectDisputes = "SELECT kind, number, COALESCE(order_id, ''), what, amount_fen, created_at FROM dispute ORDER BY id DESC LIMIT ?"

func (d dispute) insert(ctx context.Context, c *sql.Conn) error {
	number := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, d.number)
	_, err := c.ExecContext(ctx, insertDispute, d.kind, number[:min(len(number), disputeNumberMax)], d.id, fitReason(d.what), d.amount)
	return err
}

// Dispute is something that the provider said and our rows deny. It changed
// nothing.
type Dispute struct {
	Kind   string       // payment or transfer
	Number string       // of the payment, the transfer or the batch
	ID     envelope.ID  // "" when it belongs to no envelope we know
	What   string       // for people
	Amount envelope.Fen // that the provider speaks of
	At     time.Time
}

// Disputes lists up to max of them, 1000 at most, the latest first.
func (s *Set) Disputes(ctx context.Context, max int) (disputes []Dispute, err error) {
	ctx, cancel := context.WithTimeout(ctx, txMax)
	defer cancel()
	err = each(ctx, s.db, func(rows *sql.Rows) error {
		var d Dispute
		err := rows.Scan(&d.Kind, &d.Number, &d.ID, &d.What, &d.Amount, &d.At)
		disputes = append(disputes, d)
		return err
	}, selectDisputes, min(max, listMax))
	return disputes, s.answer("disputes", err)
}
