package layout

import (
	"cmp"
	"context"
	"database/sql"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
)

// TransferColumns are what ScanTransfer reads.
const TransferColumns = "order_id, seq, round, payee_id, amount_fen, charged_fen, state, placed, attempts, " +
	"provider_no, hint, reason, created_at, placed_at, due_at"

// SelectTransfer reads one transfer.
const SelectTransfer = "SELECT " + TransferColumns + " FROM transfer WHERE order_id = ? AND seq = ?"

// TierOfAmount is the schema's rule for transfer.tier.
const TierOfAmount = "CASE WHEN amount_fen >= 10000 THEN 0 WHEN amount_fen >= 1000 THEN 1 ELSE 2 END"

// TransferKey names a transfer.
type TransferKey struct {
	ID  envelope.ID
	Seq int
}

// AddKeys is a condition on the primary key, in its order. One OR branch an
// envelope, because row-constructor IN lists do not use the key on MariaDB.
func AddKeys(b *Text, keys []TransferKey) {
	for i, k := range keys {
		switch {
		case i > 0 && keys[i-1].ID == k.ID:
			b.Add(",")
		case i > 0:
			b.Add(")) OR (order_id = '", string(k.ID), "' AND seq IN (")
		default:
			b.Add("(order_id = '", string(k.ID), "' AND seq IN (")
		}
		b.Int(int64(k.Seq))
	}
	b.Add("))")
}

// KeyOf is a transfer's key.
func KeyOf(t *envelope.Transfer) TransferKey { return TransferKey{ID: t.OrderNo, Seq: t.Seq} }

// CompareKeys is the order in which transfers are locked.
func CompareKeys(a, b TransferKey) int {
	return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Seq, b.Seq))
}

// ScanTransfer reads one row of TransferColumns, and more columns behind them.
func ScanTransfer(rows *sql.Rows, more ...any) (t envelope.Transfer, err error) {
	var placed sql.NullTime
	err = rows.Scan(append([]any{&t.OrderNo, &t.Seq, &t.Round, &t.Payee, &t.Amount, &t.Charged, &t.State, &t.Placed, &t.Attempts,
		&t.ProviderNo, &t.Hint, &t.Reason, &t.CreatedAt, &placed, &t.DueAt}, more...)...)
	t.PlacedAt = placed.Time
	return t, err
}

// QueryTransfers reads rows of TransferColumns.
func QueryTransfers(ctx context.Context, q mariadb.Queryer, query string, args ...any) (ts []envelope.Transfer, err error) {
	err = mariadb.Each(ctx, q, func(rows *sql.Rows) error {
		t, err := ScanTransfer(rows)
		ts = append(ts, t)
		return err
	}, query, args...)
	return ts, err
}
