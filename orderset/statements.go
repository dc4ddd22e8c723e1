package orderset

import (
	"strconv"
	"strings"

	"hongbao/envelope"
)

// This file, and its neighbours owedstatements.go, batchstatements.go and
// fillstatements.go, are the only places where SQL text is put together. What goes
// into the text is of four kinds only: table names made by schema from checked
// integers, integers, order IDs that ParseID or Body.In made (23 digits) with the
// transfer numbers made of them, and strings through quoted. Everything else is a
// placeholder.

const (
	headerFields = "order_id, kind, state, ver, sender_id, group_id, COALESCE(recipient_id, ''), greeting, " +
		"total_fen, count, share_min_fen, share_max_fen, opened_fen, opened_count, refunded_fen, draw_commitment, " +
		"COALESCE(transaction_id, ''), created_at, paid_at, expires_at, finished_at, "
	headerColumns = headerFields + "UTC_TIMESTAMP(3)"
)

const shareColumns = "order_id, seq, user_id, amount_fen, opened_at"

func (t DayTable) selectHeader() string {
	return "SELECT " + headerColumns + " FROM " + t.envelopes() + " WHERE order_id = ?"
}

func (t DayTable) selectHeaders(ids []envelope.ID) string {
	b := &text{}
	b.add("SELECT ", headerColumns, " FROM ", t.envelopes(), " WHERE order_id IN (")
	b.ids(ids)
	b.add(") ORDER BY order_id")
	return b.String()
}

func (t DayTable) selectSharesOf(ids []envelope.ID) string {
	b := &text{}
	b.add("SELECT ", shareColumns, " FROM ", t.shares(), " WHERE order_id IN (")
	b.ids(ids)
	b.add(") ORDER BY order_id, seq")
	return b.String()
}

func (t DayTable) selectShares() string {
	return "SELECT " + shareColumns + " FROM " + t.shares() + " WHERE order_id = ? ORDER BY seq"
}

func (t DayTable) selectShareOf() string {
	return "SELECT " + shareColumns + " FROM " + t.shares() + " WHERE order_id = ? AND user_id = ?"
}

func selectPaymentsOf(ids []envelope.ID) string {
	b := &text{}
	b.add("SELECT order_id, transaction_id FROM payment WHERE order_id IN (")
	b.ids(ids)
	b.add(") ORDER BY order_id")
	return b.String()
}

func (t DayTable) selectHeaderPage() string {
	return "SELECT " + headerColumns + " FROM " + t.envelopes() + " WHERE order_id > ? ORDER BY order_id LIMIT ?"
}

func (t DayTable) selectSharePage() string {
	return "SELECT " + shareColumns + " FROM " + t.shares() + " WHERE order_id > ? AND order_id <= ? ORDER BY order_id, seq"
}

func (t DayTable) insertEnvelope() string {
	return "INSERT INTO " + t.envelopes() + " (order_id, kind, state, ver, sender_id, group_id, recipient_id, greeting, " +
		"total_fen, count, share_min_fen, share_max_fen, draw_commitment, created_at, expires_at) " +
		"VALUES (?, ?, 'unpaid', 1, ?, ?, NULLIF(?, ''), ?, ?, ?, ?, ?, ?, ?, ?)"
}

func (t DayTable) updatePaid() string {
	return "UPDATE " + t.envelopes() + " SET state = 'active', ver = ?, transaction_id = ?, paid_at = ?, expires_at = ? " +
		"WHERE order_id = ? AND ver = ? AND state = 'unpaid'"
}

const (
	insertPayment = "INSERT INTO payment (transaction_id, order_id, created_at) VALUES (?, ?, UTC_TIMESTAMP(3))"
	selectPaidBy  = "SELECT order_id FROM payment WHERE transaction_id = ?"

	selectFreeLeases = "SELECT machine_id, term, leased_until_ms FROM machine_lease WHERE machine_id BETWEEN ? AND ? AND leased_until_ms < ? " +
		"ORDER BY leased_until_ms, machine_id LIMIT 16"
	takeLease = "UPDATE machine_lease SET owner = ?, term = term + 1, leased_until_ms = ? WHERE machine_id = ? AND term = ? AND leased_until_ms = ?"
	// A renewal that was given up may still arrive, late: it never takes time back.
	renewLease  = "UPDATE machine_lease SET leased_until_ms = ? WHERE machine_id = ? AND owner = ? AND term = ? AND leased_until_ms < ?"
	returnLease = "UPDATE machine_lease SET leased_until_ms = ? WHERE machine_id = ? AND owner = ? AND term = ?"
)

// lockHeaders locks and reads the headers of some envelopes, in the order of
// their IDs: every transaction locks in that order, so none wait in a circle.
func (t DayTable) lockHeaders(ids []envelope.ID) string {
	return t.selectHeaders(ids) + " FOR UPDATE"
}

// selectHoldings reads the shares that some openers already hold. One OR branch
// an envelope, because row-constructor IN lists do not use the unique key on
// MariaDB.
func (t DayTable) selectHoldings(ids []envelope.ID, users [][]envelope.UserID) string {
	b := &text{}
	b.add("SELECT ", shareColumns, " FROM ", t.shares(), " WHERE ")
	for i, id := range ids {
		if i > 0 {
			b.add(" OR ")
		}
		b.add("(order_id = '", string(id), "' AND user_id IN (")
		for j, u := range users[i] {
			if j > 0 {
				b.add(",")
			}
			b.quoted(string(u))
		}
		b.add("))")
	}
	return b.String()
}

// updateOpened moves several headers on, each only from the version that was
// decided on and only while it lives by the database's clock. That clock is
// SYSDATE, read when the row is at hand: UTC_TIMESTAMP stands still from the
// statement's start, which may lie a lock wait back. (Sessions are in UTC.) MySQL assigns from
// left to right, so state comes last: the others still see the old one.
func (t DayTable) updateOpened(b *text, next []envelope.Envelope) {
	b.add("UPDATE ", t.envelopes(), " e JOIN (")
	for i := range next {
		e := &next[i]
		if i > 0 {
			b.add(" UNION ALL ")
		}
		b.add("SELECT '", string(e.ID), "' AS id, ")
		b.int(e.Ver)
		b.add(" AS v, ")
		b.int(int64(e.Opened))
		b.add(" AS f, ")
		b.int(int64(e.OpenedCount))
		b.add(" AS n")
	}
	b.add(") x ON e.order_id = x.id SET e.ver = x.v, e.opened_fen = x.f, e.opened_count = x.n, " +
		"e.finished_at = IF(x.n = e.count, UTC_TIMESTAMP(3), NULL), e.state = IF(x.n = e.count, 'empty', 'active') " +
		"WHERE e.ver = x.v - 1 AND e.state = 'active' AND e.expires_at > SYSDATE(3)")
}

// newShare is a row to insert.
type newShare struct {
	id    envelope.ID
	share envelope.Share
}

func (t DayTable) insertShares(b *text, rows []newShare) {
	b.add("INSERT INTO ", t.shares(), " (", shareColumns, ") VALUES ")
	for i := range rows {
		r := &rows[i]
		if i > 0 {
			b.add(",")
		}
		b.add("('", string(r.id), "',")
		b.int(int64(r.share.Seq))
		b.add(",")
		b.quoted(string(r.share.User))
		b.add(",")
		b.int(int64(r.share.Amount))
		b.add(",UTC_TIMESTAMP(3))")
	}
}

// lockHeader locks and reads one header, and the clock as it is when the lock is
// held: UTC_TIMESTAMP stands still from the statement's start.
func (t DayTable) lockHeader() string {
	return "SELECT " + headerFields + "SYSDATE(3) FROM " + t.envelopes() + " WHERE order_id = ? FOR UPDATE"
}

func (t DayTable) updateExpired() string {
	return "UPDATE " + t.envelopes() + " SET state = 'expired', ver = ?, refunded_fen = ?, finished_at = ? " +
		"WHERE order_id = ? AND ver = ? AND state = 'active' AND expires_at <= SYSDATE(3)"
}

func (t DayTable) updateClosed() string {
	return "UPDATE " + t.envelopes() + " SET state = 'closed', ver = ? WHERE order_id = ? AND ver = ? AND state = 'unpaid'"
}

func (t DayTable) updatePaidLate() string {
	return "UPDATE " + t.envelopes() + " SET ver = ?, transaction_id = ?, paid_at = ?, refunded_fen = ? " +
		"WHERE order_id = ? AND ver = ? AND state = 'closed' AND transaction_id IS NULL"
}

func (t DayTable) selectStates(ids []envelope.ID, lock bool) string {
	b := &text{}
	b.add("SELECT order_id, state, opened_count, refunded_fen FROM ", t.envelopes(), " WHERE order_id IN (")
	b.ids(ids)
	b.add(") ORDER BY order_id")
	if lock {
		b.add(" FOR UPDATE")
	}
	return b.String()
}

func (t DayTable) updateSettled(ids []envelope.ID) string {
	b := &text{}
	// By state, the server would lock envelopes that are settled elsewhere.
	b.add("UPDATE ", t.envelopes(), " FORCE INDEX (PRIMARY) SET state = 'settled', ver = ver + 1 WHERE state IN ('empty', 'expired') AND order_id IN (")
	b.ids(ids)
	b.add(")")
	return b.String()
}

// selectDueExpiries lists envelopes whose life is over, the longest over first.
func selectDueExpiries(tables []DayTable) string {
	b := &text{}
	for i, t := range tables {
		if i > 0 {
			b.add(" UNION ALL ")
		}
		b.add("(SELECT order_id, expires_at FROM ", t.envelopes(), " WHERE state = 'active' AND expires_at <= UTC_TIMESTAMP(3) ORDER BY expires_at LIMIT ?)")
	}
	b.add(" ORDER BY expires_at LIMIT ?")
	return b.String()
}

// text builds one statement.
type text struct{ strings.Builder }

func (b *text) add(parts ...string) {
	for _, p := range parts {
		b.WriteString(p)
	}
}

func (b *text) int(v int64) {
	var buf [20]byte
	b.Write(strconv.AppendInt(buf[:0], v, 10))
}

func (b *text) ids(ids []envelope.ID) {
	for i, id := range ids {
		if i > 0 {
			b.add(",")
		}
		b.add("'", string(id), "'")
	}
}

// quoted writes a string literal. Names are visible ASCII (envelope.CheckName),
// so quote and backslash are all there is to escape; the session's sql_mode has
// no NO_BACKSLASH_ESCAPES, which Open asserts.
func (b *text) quoted(s string) {
	b.WriteByte('\'')
	for i := range len(s) {
		if s[i] == '\'' || s[i] == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	b.WriteByte('\'')
}
