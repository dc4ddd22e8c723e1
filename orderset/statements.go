package orderset

import (
	"hongbao/envelope"
	"hongbao/orderset/layout"
)

// This file, and its neighbours owedstatements.go, batchstatements.go and
// fillstatements.go, are the only places where SQL text is put together. What goes
// into the text is of four kinds only: table names made by schema from checked
// integers, integers, order IDs that ParseID or Body.In made (23 digits) with the
// transfer numbers made of them, and strings through quoted. Everything else is a
// placeholder.

func selectShares(t layout.DayTable) string {
	return "SELECT " + layout.ShareColumns + " FROM " + t.Shares() + " WHERE order_id = ? ORDER BY seq"
}

func selectShareOf(t layout.DayTable) string {
	return "SELECT " + layout.ShareColumns + " FROM " + t.Shares() + " WHERE order_id = ? AND user_id = ?"
}

func insertEnvelope(t layout.DayTable) string {
	return "INSERT INTO " + t.Envelopes() + " (order_id, kind, state, ver, sender_id, group_id, recipient_id, greeting, " +
		"total_fen, count, share_min_fen, share_max_fen, draw_commitment, created_at, expires_at) " +
		"VALUES (?, ?, 'unpaid', 1, ?, ?, NULLIF(?, ''), ?, ?, ?, ?, ?, ?, ?, ?)"
}

func updatePaid(t layout.DayTable) string {
	return "UPDATE " + t.Envelopes() + " SET state = 'active', ver = ?, transaction_id = ?, paid_at = ?, expires_at = ? " +
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

// selectHoldings reads the shares that some openers already hold. One OR branch
// an envelope, because row-constructor IN lists do not use the unique key on
// MariaDB.
func selectHoldings(t layout.DayTable, ids []envelope.ID, users [][]envelope.UserID) string {
	b := &layout.Text{}
	b.Add("SELECT ", layout.ShareColumns, " FROM ", t.Shares(), " WHERE ")
	for i, id := range ids {
		if i > 0 {
			b.Add(" OR ")
		}
		b.Add("(order_id = '", string(id), "' AND user_id IN (")
		for j, u := range users[i] {
			if j > 0 {
				b.Add(",")
			}
			b.Quoted(string(u))
		}
		b.Add("))")
	}
	return b.String()
}

// updateOpened moves several headers on, each only from the version that was
// decided on and only while it lives by the database's clock. That clock is
// SYSDATE, read when the row is at hand: UTC_TIMESTAMP stands still from the
// statement's start, which may lie a lock wait back. (Sessions are in UTC.) MySQL assigns from
// left to right, so state comes last: the others still see the old one.
func updateOpened(t layout.DayTable, b *layout.Text, next []envelope.Envelope) {
	b.Add("UPDATE ", t.Envelopes(), " e JOIN (")
	for i := range next {
		e := &next[i]
		if i > 0 {
			b.Add(" UNION ALL ")
		}
		b.Add("SELECT '", string(e.ID), "' AS id, ")
		b.Int(e.Ver)
		b.Add(" AS v, ")
		b.Int(int64(e.Opened))
		b.Add(" AS f, ")
		b.Int(int64(e.OpenedCount))
		b.Add(" AS n")
	}
	b.Add(") x ON e.order_id = x.id SET e.ver = x.v, e.opened_fen = x.f, e.opened_count = x.n, " +
		"e.finished_at = IF(x.n = e.count, UTC_TIMESTAMP(3), NULL), e.state = IF(x.n = e.count, 'empty', 'active') " +
		"WHERE e.ver = x.v - 1 AND e.state = 'active' AND e.expires_at > SYSDATE(3)")
}

func updateExpired(t layout.DayTable) string {
	return "UPDATE " + t.Envelopes() + " SET state = 'expired', ver = ?, refunded_fen = ?, finished_at = ? " +
		"WHERE order_id = ? AND ver = ? AND state = 'active' AND expires_at <= SYSDATE(3)"
}

func updateClosed(t layout.DayTable) string {
	return "UPDATE " + t.Envelopes() + " SET state = 'closed', ver = ? WHERE order_id = ? AND ver = ? AND state = 'unpaid'"
}

func updatePaidLate(t layout.DayTable) string {
	return "UPDATE " + t.Envelopes() + " SET ver = ?, transaction_id = ?, paid_at = ?, refunded_fen = ? " +
		"WHERE order_id = ? AND ver = ? AND state = 'closed' AND transaction_id IS NULL"
}

// selectDueExpiries lists envelopes whose life is over, the longest over first.
func selectDueExpiries(tables []layout.DayTable) string {
	b := &layout.Text{}
	for i, t := range tables {
		if i > 0 {
			b.Add(" UNION ALL ")
		}
		b.Add("(SELECT order_id, expires_at FROM ", t.Envelopes(), " WHERE state = 'active' AND expires_at <= UTC_TIMESTAMP(3) ORDER BY expires_at LIMIT ?)")
	}
	b.Add(" ORDER BY expires_at LIMIT ?")
	return b.String()
}
