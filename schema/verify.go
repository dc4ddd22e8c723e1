package schema

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/go-sql-driver/mysql"
)

// absent is what a Difference wants or got where there should be, or is, nothing.
const absent = "absent"

// MySQL's numbers for "there is none".
const (
	errNoSuchTable = 1146
	errNoSuchGrant = 1141
)

func isNumber(err error, number uint16) bool {
	refused, ok := errors.AsType[*mysql.MySQLError](err)
	return ok && refused.Number == number
}

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

// VerifySet compares the database of SET set (0–999) with what ApplySet, and
// MakeDayTables for each of days (1–31), would have made. Of accounts it needs
// no passwords. db is an administrator's connection; nothing is changed. Nil
// means no difference.
func VerifySet(ctx context.Context, db *sql.DB, set int, accounts Accounts, days []int) ([]Difference, error) {
	err := errors.Join(checkSet(set), accounts.check())
	tables := controlTables()
	for _, day := range days {
		if err = errors.Join(err, checkDay(day)); err == nil {
			tables = append(tables, dayTables(day)...)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("verify SET %03d: %w", set, err)
	}
	v := &verification{set: set, accounts: accounts}
	err = inSession(ctx, db, func(conn *sql.Conn) error {
		v.conn = conn
		return v.run(ctx, tables)
	})
	if err != nil {
		return nil, fmt.Errorf("verify %s: %w", DatabaseName(set), err)
	}
	return v.found, nil
}

// verification collects what differs in one SET.
type verification struct {
	set      int
	accounts Accounts
	conn     *sql.Conn
	found    []Difference
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

func (v *verification) run(ctx context.Context, tables []table) error {
	there, err := v.database(ctx)
	if err != nil || !there {
		return err
	}
	for _, t := range tables {
		if err := v.table(ctx, t); err != nil {
			return fmt.Errorf("table %s: %w", t.name, err)
		}
	}
	for _, check := range []func(context.Context) error{v.mark, v.strangers, v.grants} {
		// A control table that is not there has been reported.
		if err := check(ctx); err != nil && !isNumber(err, errNoSuchTable) {
			return err
		}
	}
	return nil
}

// database compares the database itself and reports whether there is one.
func (v *verification) database(ctx context.Context) (there bool, err error) {
	const want = "utf8mb4 utf8mb4_bin"
	var got string
	err = v.conn.QueryRowContext(ctx, `SELECT CONCAT(default_character_set_name, ' ', default_collation_name)
		FROM information_schema.schemata WHERE schema_name = ?`, DatabaseName(v.set)).Scan(&got)
	if errors.Is(err, sql.ErrNoRows) {
		v.add("database "+DatabaseName(v.set), want, absent)
		return false, nil
	}
	if err == nil && got != want {
		v.add("database "+DatabaseName(v.set), want, got)
	}
	return err == nil, err
}

// mark looks for the mark of the database.
func (v *verification) mark(ctx context.Context) error {
	name := DatabaseName(v.set) + ".set_info"
	marks, err := v.column(ctx, "SELECT environment FROM "+name+" WHERE set_number = ?", v.set)
	if err == nil && len(marks) == 0 {
		v.add(name, "a row", absent)
	}
	return err
}

// strangers looks for tables that nothing here makes, and for triggers, which
// change rows behind everybody's back.
func (v *verification) strangers(ctx context.Context) error {
	database := DatabaseName(v.set)
	tables, err := v.column(ctx, "SELECT table_name FROM information_schema.tables WHERE table_schema = ? ORDER BY 1", database)
	if err != nil {
		return err
	}
	for _, name := range tables {
		known := slices.ContainsFunc(controlTables(), func(t table) bool { return t.name == name })
		if !known && !dayTableShape.MatchString(name) {
			v.add(database+"."+name, absent, "a table")
		}
	}
	triggers, err := v.column(ctx, `SELECT CONCAT(event_object_table, ' TRIGGER ', trigger_name)
		FROM information_schema.triggers WHERE trigger_schema = ? ORDER BY 1`, database)
	for _, name := range triggers {
		v.add(database+"."+name, absent, "a trigger")
	}
	return err
}

// column runs a query of one column.
func (v *verification) column(ctx context.Context, query string, args ...any) ([]string, error) {
	rows, err := v.conn.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var values []string
	for rows.Next() {
		var value string
		if err := rows.Scan(&value); err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	return values, rows.Err()
}
