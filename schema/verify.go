package schema

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"hongbao/internal/mariadb"
)

// absent is what a Difference wants or got where there should be, or is, nothing.
const absent = "absent"

// Difference is one thing in a database that is not as this binary would make
// it.
type Difference struct {
	Object string `json:"object"` // "hb_003.outbox KEY `due`"
	Want   string `json:"want"`   // as SHOW CREATE TABLE would print it, or "absent"
	Got    string `json:"got"`    // as it is, or "absent"
}

func (d Difference) String() string {
	return fmt.Sprintf("%s: want %s, got %s", d.Object, d.Want, d.Got)
}

// verification collects how a database differs from what it is to be.
type verification struct {
	of    database
	conn  *sql.Conn
	found []Difference
}

// verify compares the database with what apply would have made.
func (d database) verify(ctx context.Context, db *sql.DB) ([]Difference, error) {
	v := &verification{of: d}
	err := inSession(ctx, db, func(conn *sql.Conn) error {
		v.conn = conn
		return v.run(ctx)
	})
	if err != nil {
		return nil, fmt.Errorf("verify %s: %w", d.name, err)
	}
	return v.found, nil
}

func (v *verification) add(object, want, got string) {
	v.found = append(v.found, Difference{Object: object, Want: want, Got: got})
}

// compare adds what differs between two descriptions of the same thing, part by
// part, each under its name.
func (v *verification) compare(prefix string, want, got map[string]string) {
	all := maps.Clone(want)
	maps.Copy(all, got)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if want[name] != got[name] {
			v.add(prefix+name, cmp.Or(want[name], absent), cmp.Or(got[name], absent))
		}
	}
}

func (v *verification) run(ctx context.Context) error {
	there, err := v.database(ctx)
	if err != nil || !there {
		return err
	}
	for _, t := range v.of.tables {
		if err := v.table(ctx, t); err != nil {
			return fmt.Errorf("table %s: %w", t.name, err)
		}
	}
	for _, check := range []func(context.Context) error{v.mark, v.otherDays, v.strangers, v.grants} {
		if err := check(ctx); err != nil {
			return err
		}
	}
	return nil
}

// database compares the database itself and reports whether there is one.
func (v *verification) database(ctx context.Context) (there bool, err error) {
	const want = "utf8mb4 utf8mb4_bin"
	got, err := v.column(ctx, `SELECT CONCAT(default_character_set_name, ' ', default_collation_name)
		FROM information_schema.schemata WHERE schema_name = ?`, v.of.name)
	if err != nil {
		return false, err
	}
	if is := strings.Join(got, ""); is != want {
		v.add("database "+v.of.name, want, cmp.Or(is, absent))
	}
	return len(got) > 0, nil
}

// mark compares what the database is marked as. Which environment that is was
// decided when it was made.
func (v *verification) mark(ctx context.Context) error {
	_, place, err := v.of.marked(ctx, v.conn)
	switch {
	case mariadb.NoSuchTable(err):
		return nil // which has been reported
	case err != nil && !errors.Is(err, sql.ErrNoRows):
		return err
	case place != v.of.mark.place:
		v.add(v.of.path(v.of.mark.table), v.of.mark.place, cmp.Or(place, absent))
	}
	return nil
}

// otherDays compares day tables that need not be there, and are, by their columns.
func (v *verification) otherDays(ctx context.Context) error {
	have, err := v.of.columnsThere(ctx, v.conn)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(have)) {
		t, passing := v.of.day(name)
		if !passing || slices.Contains(v.of.tables, t) {
			continue
		}
		want, err := t.columns()
		if err != nil {
			return err
		}
		v.compare(v.of.path(t)+" ", want, have[name])
	}
	return nil
}

// strangers looks for tables that nothing here makes, and for triggers, which
// change rows unseen by the service.
func (v *verification) strangers(ctx context.Context) error {
	tables, err := v.column(ctx, "SELECT table_name FROM information_schema.tables WHERE table_schema = ? ORDER BY 1", v.of.name)
	if err != nil {
		return err
	}
	for _, name := range tables {
		known := slices.ContainsFunc(v.of.tables, func(t table) bool { return t.name == name })
		if !known && (v.of.passing == nil || !v.of.passing.MatchString(name)) {
			v.add(v.of.name+"."+name, absent, "a table")
		}
	}
	triggers, err := v.column(ctx, `SELECT CONCAT(event_object_table, ' TRIGGER ', trigger_name)
		FROM information_schema.triggers WHERE trigger_schema = ? ORDER BY 1`, v.of.name)
	for _, name := range triggers {
		v.add(v.of.name+"."+name, absent, "a trigger")
	}
	return err
}

// column runs a query of one column.
func (v *verification) column(ctx context.Context, query string, args ...any) ([]string, error) {
	return mariadb.Column[string](ctx, v.conn, query, args...)
}
