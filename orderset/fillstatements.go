package orderset

import (
	"strings"

	"hongbao/envelope"
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
func (t DayTable) fillEnvelopes(n int) string {
	return "INSERT INTO " + t.envelopes() + " (" + fillEnvelopeColumns + ") VALUES " + repeated(fillEnvelopeRow, n)
}

// fillPayments inserts the payments of those of some headers that are paid for.
func (t DayTable) fillPayments(ids []envelope.ID) string {
	b := &text{}
	b.add("INSERT INTO payment (transaction_id, order_id, created_at) SELECT transaction_id, order_id, paid_at FROM ",
		t.envelopes(), " WHERE transaction_id IS NOT NULL AND order_id IN (")
	b.ids(ids)
	b.add(")")
	return b.String()
}

// fillShares inserts n shares as they are given.
func (t DayTable) fillShares(n int) string {
	return "INSERT INTO " + t.shares() + " (" + shareColumns + ") VALUES " + repeated(fillShareRow, n)
}

func repeated(row string, n int) string { return strings.Repeat(row+",", n-1) + row }

// analyzeTable makes the server count a table that it named itself.
func analyzeTable(name string) string { return "ANALYZE NO_WRITE_TO_BINLOG TABLE `" + name + "`" }
