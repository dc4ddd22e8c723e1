package layout

import (
	"context"
	"database/sql"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
)

// ShareColumns are what QueryShares reads.
const ShareColumns = "order_id, seq, user_id, amount_fen, opened_at"

// ShareRow is a share and the envelope that it is of.
type ShareRow struct {
	ID    envelope.ID
	Share envelope.Share
}

// InsertShares inserts shares that are opened now.
func (t DayTable) InsertShares(b *Text, rows []ShareRow) {
	b.Add("INSERT INTO ", t.Shares(), " (", ShareColumns, ") VALUES ")
	for i := range rows {
		r := &rows[i]
		if i > 0 {
			b.Add(",")
		}
		b.Add("('", string(r.ID), "',")
		b.Int(int64(r.Share.Seq))
		b.Add(",")
		b.Quoted(string(r.Share.User))
		b.Add(",")
		b.Int(int64(r.Share.Amount))
		b.Add(",UTC_TIMESTAMP(3))")
	}
}

// SelectSharesOf reads all shares of some envelopes, in the order of their IDs and
// positions.
func (t DayTable) SelectSharesOf(ids []envelope.ID) string {
	b := &Text{}
	b.Add("SELECT ", ShareColumns, " FROM ", t.Shares(), " WHERE order_id IN (")
	b.IDs(ids)
	b.Add(") ORDER BY order_id, seq")
	return b.String()
}

// QueryShares reads rows of ShareColumns.
func QueryShares(ctx context.Context, q mariadb.Queryer, query string, args ...any) (shares []ShareRow, err error) {
	err = mariadb.Each(ctx, q, func(rows *sql.Rows) error {
		var r ShareRow
		if err := rows.Scan(&r.ID, &r.Share.Seq, &r.Share.User, &r.Share.Amount, &r.Share.OpenedAt); err != nil {
			return err
		}
		shares = append(shares, r)
		return nil
	}, query, args...)
	return shares, err
}
