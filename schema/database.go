package schema

import (
	"context"
	"database/sql"
	"regexp"
	"strings"
)

// database is what one database of ours is to be: that of a SET, or of a shard of
// the books. Whatever it is, it is made and verified in the same way.
type database struct {
	name     string
	fill     *strings.Replacer // puts its name and its numbers into SQL
	mark     mark
	tables   []table        // those that are always there, with that of the mark
	passing  *regexp.Regexp // names of tables that come and go; nil is none
	accounts []account      // that work on it, and what each may do there
}

// mark is the one row that says what a database is, for good.
type mark struct {
	table  table
	place  string // what it says besides the environment: "SET 3", "shard 7 of 100"
	read   string // selects environment and place
	insert string // takes the environment; a row that is there stays
}

// path is the table as statements name it.
func (d database) path(t table) string { return d.name + "." + t.name }

// create is the statement that makes the table.
func (d database) create(t table) (string, error) {
	text, err := files.ReadFile("sql/" + t.file)
	if err != nil {
		return "", err
	}
	return strings.ReplaceAll(d.fill.Replace(string(text)), "{table}", t.name), nil
}

// marked is what the mark says. Without a row that is sql.ErrNoRows.
func (d database) marked(ctx context.Context, conn *sql.Conn) (environment, place string, err error) {
	err = conn.QueryRowContext(ctx, d.fill.Replace(d.mark.read)).Scan(&environment, &place)
	return environment, place, err
}
