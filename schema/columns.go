package schema

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"hongbao/internal/mariadb"
)

// OutdatedError says that a database has not the columns that this program works
// with. What a program of another version made stays as it is until it is migrated.
type OutdatedError struct {
	Database    string
	Differences []Difference // at least one
}

func (e *OutdatedError) Error() string {
	text := fmt.Sprintf("%s was made by another version of this program: %v", e.Database, e.Differences[0])
	if more := len(e.Differences) - 1; more > 0 {
		text += fmt.Sprintf(" (and %d more)", more)
	}
	return text + "; hongbaoctl schema verify lists all"
}

// CheckSet is an *[OutdatedError] if the tables of SET set (0–999) have not the
// columns that this program reads and writes: all control tables, and those day
// tables that exist. db may be of any account of the SET; nothing is changed. Keys,
// CHECKs and grants are for VerifySet, which takes an administrator.
func CheckSet(ctx context.Context, db *sql.DB, set int) error {
	if err := checkSet(set); err != nil {
		return err
	}
	return setDatabase(set, nil).check(ctx, db)
}

// CheckBooks is CheckSet for a shard of the books.
func CheckBooks(ctx context.Context, db *sql.DB, shard BookShard) error {
	if err := shard.check(); err != nil {
		return err
	}
	return booksDatabase(shard, nil).check(ctx, db)
}

func (d database) check(ctx context.Context, db *sql.DB) error {
	v := &verification{of: d}
	if err := v.columns(ctx, db); err != nil {
		return fmt.Errorf("columns of %s: %w", d.name, err)
	}
	if len(v.found) > 0 {
		return &OutdatedError{Database: d.name, Differences: v.found}
	}
	return nil
}

// columns compares the columns of all tables, with one query.
func (v *verification) columns(ctx context.Context, db mariadb.Queryer) error {
	have, err := v.of.columnsThere(ctx, db)
	if err != nil {
		return err
	}
	tables := v.of.tables
	for _, name := range slices.Sorted(maps.Keys(have)) {
		if t, ok := v.of.day(name); ok {
			tables = append(tables[:len(tables):len(tables)], t)
		}
	}
	for _, t := range tables {
		want, err := t.columns()
		if err != nil {
			return err
		}
		if have[t.name] == nil {
			v.add(v.of.path(t), "a table", absent)
			continue
		}
		v.compare(v.of.path(t)+" ", want, have[t.name])
	}
	return nil
}

// day is the day table of that name, if the database may have one.
func (d database) day(name string) (t table, ok bool) {
	if d.passing == nil || !d.passing.MatchString(name) {
		return table{}, false
	}
	kind, _, _ := strings.Cut(name, "_")
	return table{name, kind + ".sql"}, true
}

// columnsThere are the columns of the database's tables, as columnLine writes them.
func (d database) columnsThere(ctx context.Context, db mariadb.Queryer) (map[string]map[string]string, error) {
	have := map[string]map[string]string{}
	err := mariadb.Each(ctx, db, func(rows *sql.Rows) error {
		var table, column, kind, nullable, collation string
		if err := rows.Scan(&table, &column, &kind, &nullable, &collation); err != nil {
			return err
		}
		if have[table] == nil {
			have[table] = map[string]string{}
		}
		have[table]["`"+column+"`"] = columnLine(kind, collation, nullable == "YES")
		return nil
	}, `SELECT table_name, column_name, column_type, is_nullable, COALESCE(collation_name, '')
		FROM information_schema.columns WHERE table_schema = ?`, d.name)
	return have, err
}

var (
	// columnShape is a line of a file in sql/ that describes a column: name, type,
	// signedness, and the rest.
	columnShape = regexp.MustCompile("(?m)^  `?([a-z_]+)`? +([A-Z]+(?:\\([^)]*\\))?(?: UNSIGNED)?)(.*)$")
	collation   = regexp.MustCompile(`COLLATE (\w+)`)
	// displayWidth is what MariaDB writes behind an integer and MySQL does not.
	displayWidth = regexp.MustCompile(`^(\w*int)\(\d+\)`)
)

// columns are those of the table's file.
func (t table) columns() (map[string]string, error) {
	text, err := files.ReadFile("sql/" + t.file)
	if err != nil {
		return nil, err
	}
	want := map[string]string{}
	for _, m := range columnShape.FindAllStringSubmatch(string(text), -1) {
		rest, _, _ := strings.Cut(m[3], "--")
		name := strings.TrimPrefix(collation.FindString(rest), "COLLATE ")
		want["`"+m[1]+"`"] = columnLine(m[2], name, !strings.Contains(rest, "NOT NULL"))
	}
	return want, nil
}

// columnLine describes a column as any server and any file of ours would.
func columnLine(kind, collation string, nullable bool) string {
	words := []string{displayWidth.ReplaceAllString(strings.ToLower(strings.Replace(kind, "BOOLEAN", "tinyint", 1)), "$1")}
	if collation != "" {
		words = append(words, "COLLATE "+collation)
	}
	if !nullable {
		words = append(words, "NOT NULL")
	}
	return strings.Join(words, " ")
}
