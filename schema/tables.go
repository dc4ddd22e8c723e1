package schema

import "embed"

//go:embed sql/*.sql
var files embed.FS

// table is one table of a database, and the file that describes it.
type table struct {
	name, file string
}

// setInfo is the table that says which SET the database is.
func setInfo() table { return table{"set_info", "set_info.sql"} }

// controlTables are the tables a SET has once.
func controlTables() []table {
	return []table{
		setInfo(),
		{"known_set", "known_set.sql"},
		{"machine_lease", "machine_lease.sql"},
		{"send_key", "send_key.sql"},
		{"payment", "payment.sql"},
		{"outbox", "outbox.sql"},
		{"delivery", "delivery.sql"},
		{"transfer", "transfer.sql"},
		{"payout_batch", "payout_batch.sql"},
		{"decision", "decision.sql"},
		{"dispute", "dispute.sql"},
		{"pause", "pause.sql"},
	}
}

// dayTables are the ten pairs of tables of a day of the month.
func dayTables(day int) []table {
	var tables []table
	for digit := range DigitMax + 1 {
		tables = append(tables,
			table{EnvelopeTable(digit, day), "envelope.sql"},
			table{ShareTable(digit, day), "share.sql"})
	}
	return tables
}

// bookInfo is the table that says which shard the database is.
func bookInfo() table { return table{"book_info", "book_info.sql"} }

// bookTables are all tables of a shard of the books.
func bookTables() []table {
	return []table{
		bookInfo(),
		{"received", "book_received.sql"},
		{"sent", "book_sent.sql"},
		{"summary", "book_summary.sql"},
		{"send_key", "send_key.sql"},
	}
}
