package layout

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
)

// HeaderColumns are what QueryHeaders reads, the clock last.
const HeaderColumns = headerFields + "UTC_TIMESTAMP(3)"

const (
	headerFields = "order_id, kind, state, ver, sender_id, group_id, COALESCE(recipient_id, ''), greeting, " +
		"total_fen, count, share_min_fen, share_max_fen, opened_fen, opened_count, refunded_fen, draw_commitment, " +
		"COALESCE(transaction_id, ''), created_at, paid_at, expires_at, finished_at, "
)

// SelectHeader reads one header.
func (t DayTable) SelectHeader() string {
	return "SELECT " + HeaderColumns + " FROM " + t.Envelopes() + " WHERE order_id = ?"
}

// SelectHeaders reads the headers of some envelopes, in the order of their IDs.
func (t DayTable) SelectHeaders(ids []envelope.ID) string {
	b := &Text{}
	b.Add("SELECT ", HeaderColumns, " FROM ", t.Envelopes(), " WHERE order_id IN (")
	b.IDs(ids)
	b.Add(") ORDER BY order_id")
	return b.String()
}

// LockHeader locks and reads one header, and the clock as it is when the lock is
// held: UTC_TIMESTAMP stands still from the statement's start.
func (t DayTable) LockHeader() string {
	return "SELECT " + headerFields + "SYSDATE(3) FROM " + t.Envelopes() + " WHERE order_id = ? FOR UPDATE"
}

// LockHeaders locks and reads the headers of some envelopes, in the order of
// their IDs: every transaction locks in that order, so none wait in a circle.
func (t DayTable) LockHeaders(ids []envelope.ID) string {
	return t.SelectHeaders(ids) + " FOR UPDATE"
}

// QueryHeaders reads headers and, with them, the database's clock.
func QueryHeaders(ctx context.Context, q mariadb.Queryer, query string, args ...any) (es []envelope.Envelope, now time.Time, err error) {
	err = mariadb.Each(ctx, q, func(rows *sql.Rows) error {
		e, clock, err := scanHeader(rows)
		es, now = append(es, e), clock
		return err
	}, query, args...)
	return es, now, err
}

// scanHeader reads one row of HeaderColumns.
func scanHeader(rows *sql.Rows) (e envelope.Envelope, now time.Time, err error) {
	var commitment []byte
	var paid, finished sql.NullTime
	err = rows.Scan(&e.ID, &e.Kind, &e.State, &e.Ver, &e.Sender, &e.Group, &e.Recipient, &e.Greeting,
		&e.Total, &e.Count, &e.ShareMin, &e.ShareMax, &e.Opened, &e.OpenedCount, &e.Refunded, &commitment,
		&e.TransactionID, &e.CreatedAt, &paid, &e.ExpiresAt, &finished, &now)
	if err == nil && copy(e.Commitment[:], commitment) != len(e.Commitment) {
		err = fmt.Errorf("envelope %s: draw_commitment has %d bytes", e.ID, len(commitment))
	}
	e.PaidAt, e.FinishedAt = paid.Time, finished.Time
	return e, now, err
}
