package orderset

import (
	"context"
	"database/sql"
	"maps"
	"slices"
	"strings"
	"time"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
	"hongbao/orderset/setdb"
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

const selectDisputes = "SELECT kind, number, COALESCE(order_id, ''), what, amount_fen, created_at, resolved_at FROM dispute ORDER BY id DESC LIMIT ?"

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

	ResolvedAt time.Time // when two people settled or dismissed it; zero while it is open
}

// Disputes lists up to max of them, 1000 at most, the latest first.
func (s *Set) Disputes(ctx context.Context, max int) (disputes []Dispute, err error) {
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
func disputesOf(ctx context.Context, q mariadb.Queryer, ts []heard) (map[transferKey][]openDispute, error) {
	keys := sortedKeys(ts)
	in := map[string][]transferKey{} // by the number of a batch
	for i := range ts {
		if ts[i].batch != "" {
			in[ts[i].batch] = append(in[ts[i].batch], keyOf(&ts[i].Transfer))
		}
	}
	b := &text{}
	b.add("SELECT order_id, seq, was_batch FROM decision WHERE was_batch <> '' AND state = 'approved' AND (")
	addKeys(b, keys)
	b.add(")")
	err := mariadb.Each(ctx, q, func(rows *sql.Rows) error {
		var k transferKey
		var no string
		err := rows.Scan(&k.id, &k.seq, &no)
		in[no] = append(in[no], k)
		return err
	}, b.String())
	if err != nil {
		return nil, err
	}
	wanted := make(map[transferKey]bool, len(keys))
	for _, k := range keys {
		wanted[k] = true
	}
	found := map[transferKey][]openDispute{}
	err = mariadb.Each(ctx, q, func(rows *sql.Rows) error {
		var d openDispute
		var number string
		err := rows.Scan(&d.id, &number, &d.what)
		if id, seq, _, ours := envelope.ParseTransferNo(number); ours == nil && wanted[transferKey{id, seq}] {
			found[transferKey{id, seq}] = append(found[transferKey{id, seq}], d)
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

func selectOpenDisputes(keys []transferKey, batches []string) string {
	b := &text{}
	b.add("SELECT id, number, what FROM dispute WHERE kind = 'transfer' AND resolved_at IS NULL AND (order_id IN (")
	for i, k := range keys {
		if i > 0 {
			b.add(",")
		}
		b.quoted(string(k.id))
	}
	b.add(")")
	if len(batches) > 0 {
		b.add(" OR number IN (")
		b.batches(batches)
		b.add(")")
	}
	b.add(") ORDER BY id")
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

// countDisputes ends at waitingMax, as every count does.
const countDisputes = "SELECT COUNT(*) FROM (SELECT 1 FROM dispute LIMIT ?) d"

// CountDisputes is how many disagreements with the provider are on record.
func (s *Set) CountDisputes(ctx context.Context) (n int, err error) {
	err = s.db.QueryRowContext(ctx, countDisputes, waitingMax).Scan(&n)
	return n, s.db.Answer("count disputes", err)
}
