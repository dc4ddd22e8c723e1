package decision

import (
	"context"
	"database/sql"
	"maps"
	"slices"
	"time"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
	"hongbao/orderset/layout"
	"hongbao/orderset/owed"
	"hongbao/orderset/setdb"
)

const selectDisputes = "SELECT kind, number, COALESCE(order_id, ''), what, amount_fen, created_at, resolved_at FROM dispute ORDER BY id DESC LIMIT ?"

// Dispute is something that the provider said and our rows deny. It changed
// nothing.
type Dispute struct {
	Kind   string       // payment or transfer
	Number string       // of the payment, the transfer or the batch
	ID     envelope.ID  // "" when it belongs to no envelope we know
	What   string       // for people
	Amount envelope.Fen // that the provider speaks of
	At     time.Time

	ResolvedAt time.Time // when two people settled or dismissed it; zero while it is open
}

// Disputes lists up to max of them, 1000 at most, the latest first.
func (s *Desk) Disputes(ctx context.Context, max int) (disputes []Dispute, err error) {
	ctx, cancel := context.WithTimeout(ctx, setdb.TxMax)
	defer cancel()
	err = mariadb.Each(ctx, s.db, func(rows *sql.Rows) error {
		var d Dispute
		var resolved sql.NullTime
		err := rows.Scan(&d.Kind, &d.Number, &d.ID, &d.What, &d.Amount, &d.At, &resolved)
		d.ResolvedAt = resolved.Time
		disputes = append(disputes, d)
		return err
	}, selectDisputes, min(max, listMax))
	return disputes, s.db.Answer("disputes", err)
}

// openDispute is one that is not resolved.
type openDispute struct {
	id      int64
	what    string
	ofBatch bool // about a batch that the transfer was in
}

// disputesOf are the open disputes about some transfers, the oldest first: about any
// number of theirs, or any batch that a round of theirs was in.
func disputesOf(ctx context.Context, q mariadb.Queryer, ts []owed.Stored) (map[layout.TransferKey][]openDispute, error) {
	keys := sortedKeys(ts)
	in := map[string][]layout.TransferKey{} // by the number of a batch
	for i := range ts {
		if ts[i].Batch != "" {
			in[ts[i].Batch] = append(in[ts[i].Batch], layout.KeyOf(&ts[i].Transfer))
		}
	}
	b := &layout.Text{}
	b.Add("SELECT order_id, seq, was_batch FROM decision WHERE was_batch <> '' AND state = 'approved' AND (")
	layout.AddKeys(b, keys)
	b.Add(")")
	err := mariadb.Each(ctx, q, func(rows *sql.Rows) error {
		var k layout.TransferKey
		var no string
		err := rows.Scan(&k.ID, &k.Seq, &no)
		in[no] = append(in[no], k)
		return err
	}, b.String())
	if err != nil {
		return nil, err
	}
	wanted := make(map[layout.TransferKey]bool, len(keys))
	for _, k := range keys {
		wanted[k] = true
	}
	found := map[layout.TransferKey][]openDispute{}
	err = mariadb.Each(ctx, q, func(rows *sql.Rows) error {
		var d openDispute
		var number string
		err := rows.Scan(&d.id, &number, &d.what)
		if id, seq, _, ours := envelope.ParseTransferNo(number); ours == nil && wanted[layout.TransferKey{ID: id, Seq: seq}] {
			found[layout.TransferKey{ID: id, Seq: seq}] = append(found[layout.TransferKey{ID: id, Seq: seq}], d)
		}
		for _, k := range in[number] {
			d.ofBatch = true
			if mine := found[k]; len(mine) == 0 || mine[len(mine)-1].id != d.id {
				found[k] = append(found[k], d)
			}
		}
		return err
	}, selectOpenDisputes(keys, slices.Sorted(maps.Keys(in))))
	return found, err
}

func selectOpenDisputes(keys []layout.TransferKey, batches []string) string {
	b := &layout.Text{}
	b.Add("SELECT id, number, what FROM dispute WHERE kind = 'transfer' AND resolved_at IS NULL AND (order_id IN (")
	for i, k := range keys {
		if i > 0 {
			b.Add(",")
		}
		b.Quoted(string(k.ID))
	}
	b.Add(")")
	if len(batches) > 0 {
		b.Add(" OR number IN (")
		owed.AddBatches(b, batches)
		b.Add(")")
	}
	b.Add(") ORDER BY id")
	return b.String()
}

const resolveDispute = "UPDATE dispute SET resolved_at = UTC_TIMESTAMP(3) WHERE id = ? AND resolved_at IS NULL"

// resolve ends disputes.
func resolve(ctx context.Context, c *sql.Conn, ds []openDispute) error {
	for _, d := range ds {
		if _, err := c.ExecContext(ctx, resolveDispute, d.id); err != nil {
			return err
		}
	}
	return nil
}

// countDisputes ends at countMax.
const countDisputes = "SELECT COUNT(*) FROM (SELECT 1 FROM dispute LIMIT ?) d"

// CountDisputes is how many disagreements with the provider are on record.
func (s *Desk) CountDisputes(ctx context.Context) (n int, err error) {
	err = s.db.QueryRowContext(ctx, countDisputes, countMax).Scan(&n)
	return n, s.db.Answer("count disputes", err)
}
