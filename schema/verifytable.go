package schema

import (
	"context"
	"regexp"
	"strings"

	"hongbao/internal/mariadb"
)

// table compares one table with a temporary one of the same name, which hides
// it in this session: so the server itself writes down both in the same way,
// and the names of CHECKs need no change.
func (v *verification) table(ctx context.Context, t table) error {
	got, err := v.describe(ctx, t)
	if mariadb.NoSuchTable(err) {
		v.add(v.of.path(t), "a table", absent)
		return nil
	}
	if err != nil {
		return err
	}
	create, err := v.of.create(t)
	if err != nil {
		return err
	}
	create = strings.Replace(create, "CREATE TABLE IF NOT EXISTS", "CREATE TEMPORARY TABLE", 1)
	if _, err := v.conn.ExecContext(ctx, create); err != nil {
		return err
	}
	want, err := v.describe(ctx, t)
	if err != nil {
		return err
	}
	if _, err := v.conn.ExecContext(ctx, "DROP TEMPORARY TABLE "+v.of.path(t)); err != nil {
		return err
	}
	v.compare(v.of.path(t)+" ", want, got)
	return nil
}

var (
	// autoIncrement is how far a table has counted, which is no difference.
	autoIncrement = regexp.MustCompile(` AUTO_INCREMENT=\d+`)
	// introducer is the character set that MySQL writes before a text in a CHECK: the
	// one of the connection, and after any ALTER that of the column.
	introducer = regexp.MustCompile(`([ (,=])_(?:utf8mb4|utf8mb3|ascii|binary|latin1)'`)
	// lineName is what a line of SHOW CREATE TABLE is about: "`amount_fen`",
	// "UNIQUE KEY `said_once`", "PRIMARY KEY", ")" for the table's own options.
	lineName = regexp.MustCompile("^(PRIMARY KEY|[A-Z ]*`[^`]*`|\\))")
)

// describe returns the lines of SHOW CREATE TABLE by what they are about.
func (v *verification) describe(ctx context.Context, t table) (map[string]string, error) {
	var name, text string
	err := v.conn.QueryRowContext(ctx, "SHOW CREATE TABLE "+v.of.path(t)).Scan(&name, &text)
	if err != nil {
		return nil, err
	}
	lines := map[string]string{}
	_, text, _ = strings.Cut(autoIncrement.ReplaceAllString(text, ""), "\n") // CREATE … TABLE … (
	for line := range strings.Lines(text) {
		line = introducer.ReplaceAllString(strings.TrimRight(strings.TrimSpace(line), ","), "$1'")
		lines[lineName.FindString(line)] = line
	}
	return lines, nil
}
