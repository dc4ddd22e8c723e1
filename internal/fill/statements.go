package fill

import (
	"strings"

	"hongbao/envelope"
	"hongbao/orderset/layout"
)

// The statements of a fill. Their text is made of table names from checked
// integers and of placeholders repeated row by row; the driver fills those in on
// our side, so the server's bound of 65,535 does not apply.

const (
	fillEnvelopeColumns = "order_id, kind, state, ver, sender_id, group_id, recipient_id, greeting, total_fen, count, share_min_fen, share_max_fen, " +
		"opened_fen, opened_count, refunded_fen, draw_commitment, transaction_id, created_at, paid_at, expires_at, finished_at"
	fillEnvelopeRow = "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
	fillShareRow    = "(?,?,?,?,?)"

	selectPlace      = "SELECT set_number, environment FROM set_info"
	selectTableNames = "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()"
	selectTableBytes = "SELECT COALESCE(SUM(data_length + index_length), 0) FROM information_schema.tables WHERE table_schema = DATABASE()"
)

// fillEnvelopes inserts n headers as they are given.
func fillEnvelopes(t layout.DayTable, n int) string {
	return "INSERT INTO " + t.Envelopes() + " (" + fillEnvelopeColumns + ") VALUES " + repeated(fillEnvelopeRow, n)
}

// fillPayments inserts the payments of those of some headers that are paid for.
func fillPayments(t layout.DayTable, ids []envelope.ID) string {
	b := &layout.Text{}
	b.Add("INSERT INTO payment (transaction_id, order_id, created_at) SELECT transaction_id, order_id, paid_at FROM ",
		t.Envelopes(), " WHERE transaction_id IS NOT NULL AND order_id IN (")
	b.IDs(ids)
	b.Add(")")
	return b.String()
}

// fillShares inserts n shares as they are given.
func fillShares(t layout.DayTable, n int) string {
	return "INSERT INTO " + t.Shares() + " (" + layout.ShareColumns + ") VALUES " + repeated(fillShareRow, n)
}

func repeated(row string, n int) string { return strings.Repeat(row+",", n-1) + row }

// analyzeTable makes the server count a table that it named itself.
func analyzeTable(name string) string { return "ANALYZE NO_WRITE_TO_BINLOG TABLE `" + name + "`" }

// insertPosted makes the transfers of all shares of some envelopes as if they had
// been carried out when the shares were taken.
func insertPosted(t layout.DayTable, ids []envelope.ID) string {
	b := &layout.Text{}
	b.Add("INSERT INTO transfer (order_id, seq, payee_id, amount_fen, charged_fen, state, placed, tier, created_at, due_at, posted_at) "+
		"SELECT s.order_id, s.seq, s.user_id, s.amount_fen, e.total_fen, 'posted', TRUE, "+layout.TierOfAmount+", s.opened_at, s.opened_at, s.opened_at FROM ",
		t.Shares(), " s JOIN ", t.Envelopes(), " e ON e.order_id = s.order_id WHERE s.order_id IN (")
	b.IDs(ids)
	b.Add(")")
	return b.String()
}
