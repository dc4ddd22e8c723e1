package owed

import (
	"context"
	"database/sql"
	"strings"

	"hongbao/envelope"
	"hongbao/orderset/layout"
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

func (d dispute) insert(ctx context.Context, c *sql.Conn) error {
	number := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, d.number)
	_, err := c.ExecContext(ctx, insertDispute, d.kind, number[:min(len(number), disputeNumberMax)], d.id, layout.FitReason(d.what), d.amount)
	return err
}

// DisputePayment keeps a payment that is not an envelope's for people to look at, and
// answers why. While it cannot be kept the answer is that: the provider says it again.
func (s *Store) DisputePayment(ctx context.Context, p envelope.Payment, why error) error {
	d := dispute{kind: disputePayment, number: p.TransactionID, id: p.OrderNo, what: why.Error(), amount: p.Amount}
	if err := s.db.TxRepeat(ctx, func(ctx context.Context, c *sql.Conn) error { return d.insert(ctx, c) }); err != nil {
		return s.db.Answer("keep the dispute about payment "+p.TransactionID, err)
	}
	return why
}
