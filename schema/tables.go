package schema

import (
	"embed"
	"strconv"
	"strings"
)

//go:embed sql/*.sql
var files embed.FS

// table is one table of a SET, and the file that describes it.
type table struct {
	name, file string
}

// setInfo is the table that says what the database is.
func setInfo() table { return table{"set_info", "set_info.sql"} }

// controlTables are the tables a SET has once.
func controlTables() []table {
	return []table{
		setInfo(),
		{"machine_lease", "machine_lease.sql"},
		{"send_key", "send_key.sql"},
		{"outbox", "outbox.sql"},
		{"delivery", "delivery.sql"},
		{"transfer", "transfer.sql"},
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

// create is the statement that makes the table in a SET's database.
func (t table) create(set int) (string, error) {
	text, err := files.ReadFile("sql/" + t.file)
	if err != nil {
		return "", err
	}
	return strings.NewReplacer(
		"{database}", DatabaseName(set), "{table}", t.name, "{set}", strconv.Itoa(set),
	).Replace(string(text)), nil
}

// path is the table as statements name it.
func (t table) path(set int) string { return DatabaseName(set) + "." + t.name }
