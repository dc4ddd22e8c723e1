package schema

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// VerifyBooks compares the database of one shard with what ApplyBooks would have
// made. Of accounts it needs no passwords. db is an administrator's connection;
// nothing is changed. Nil means no difference.
func VerifyBooks(ctx context.Context, db *sql.DB, shard BookShard, accounts Accounts) ([]Difference, error) {
	if err := errors.Join(shard.check(), accounts.check()); err != nil {
		return nil, fmt.Errorf("verify the books: %w", err)
	}
	v := &bookVerification{shard: shard}
	v.accounts = accounts
	err := inSession(ctx, db, func(conn *sql.Conn) error {
		v.conn = conn
		return v.run(ctx)
	})
	if err != nil {
		return nil, fmt.Errorf("verify %s: %w", shard.database(), err)
	}
	return v.found, nil
}

// bookVerification collects what differs in one shard.
type bookVerification struct {
	verification
	shard BookShard
}

func (v *bookVerification) path(t table) string { return v.shard.database() + "." + t.name }

func (v *bookVerification) run(ctx context.Context) error {
	there, err := v.database(ctx)
	if err != nil || !there {
		return err
	}
	for _, t := range bookTables() {
		if err := v.table(ctx, t); err != nil {
			return fmt.Errorf("table %s: %w", t.name, err)
		}
	}
	for _, check := range []func(context.Context) error{v.mark, v.strangers, v.grants} {
		// A table that is not there has been reported.
		if err := check(ctx); err != nil && !isNumber(err, errNoSuchTable) {
			return err
		}
	}
	return nil
}

// database compares the database itself and reports whether there is one.
func (v *bookVerification) database(ctx context.Context) (there bool, err error) {
	const want = "utf8mb4 utf8mb4_bin"
	got, err := v.column(ctx, `SELECT CONCAT(default_character_set_name, ' ', default_collation_name)
		FROM information_schema.schemata WHERE schema_name = ?`, v.shard.database())
	if err != nil {
		return false, err
	}
	if have := strings.Join(got, ""); have != want {
		v.add("database "+v.shard.database(), want, cmp.Or(have, absent))
	}
	return len(got) > 0, nil
}

// table compares one table with a temporary one of the same name, which hides it
// in this session.
func (v *bookVerification) table(ctx context.Context, t table) error {
	got, err := v.describe(ctx, t)
	if isNumber(err, errNoSuchTable) {
		v.add(v.path(t), "a table", absent)
		return nil
	}
	if err != nil {
		return err
	}
	create, err := v.shard.create(t)
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
	if _, err := v.conn.ExecContext(ctx, "DROP TEMPORARY TABLE "+v.path(t)); err != nil {
		return err
	}
	v.compare(v.path(t)+" ", want, got)
	return nil
}

// describe returns the lines of SHOW CREATE TABLE by what they are about.
func (v *bookVerification) describe(ctx context.Context, t table) (map[string]string, error) {
	var name, text string
	if err := v.conn.QueryRowContext(ctx, "SHOW CREATE TABLE "+v.path(t)).Scan(&name, &text); err != nil {
		return nil, err
	}
	lines := map[string]string{}
	_, text, _ = strings.Cut(text, "\n") // CREATE … TABLE … (
	for line := range strings.Lines(text) {
		line = strings.TrimRight(strings.TrimSpace(line), ",")
		lines[lineName.FindString(line)] = line
	}
	return lines, nil
}

// mark looks for the mark of the database.
func (v *bookVerification) mark(ctx context.Context) error {
	marks, err := v.column(ctx, "SELECT environment FROM "+v.path(bookInfo())+" WHERE shard_number = ? AND shard_count = ?", v.shard.Number, v.shard.Of)
	if err == nil && len(marks) == 0 {
		v.add(v.path(bookInfo()), "a row", absent)
	}
	return err
}

// strangers looks for tables that nothing here makes, and for triggers.
func (v *bookVerification) strangers(ctx context.Context) error {
	tables, err := v.column(ctx, "SELECT table_name FROM information_schema.tables WHERE table_schema = ? ORDER BY 1", v.shard.database())
	if err != nil {
		return err
	}
	for _, name := range tables {
		if !slices.ContainsFunc(bookTables(), func(t table) bool { return t.name == name }) {
			v.add(v.shard.database()+"."+name, absent, "a table")
		}
	}
	triggers, err := v.column(ctx, `SELECT CONCAT(event_object_table, ' TRIGGER ', trigger_name)
		FROM information_schema.triggers WHERE trigger_schema = ? ORDER BY 1`, v.shard.database())
	for _, name := range triggers {
		v.add(v.shard.database()+"."+name, absent, "a trigger")
	}
	return err
}

// otherObject is the grantObject of any SET and of any shard of the books.
var otherObject = regexp.MustCompile("^`hb\\\\_([0-9]{3}|books\\\\_[0-9]{2})`\\.\\*$")

// grants compares what the accounts may do with what they should. What an
// account may do in SETs and other shards is for the verification of those.
func (v *bookVerification) grants(ctx context.Context) error {
	for _, a := range v.accounts.ofBooks() {
		object := "account " + a.name()
		lines, err := v.column(ctx, "SHOW GRANTS FOR "+a.name())
		if isNumber(err, errNoSuchGrant) {
			v.add(object, "an account", absent)
			continue
		}
		if err != nil {
			return fmt.Errorf("grants of %s: %w", a.name(), err)
		}
		want := map[string]string{"*.*": "USAGE", bookObject(v.shard): privilegeList(a.set)}
		v.compare(object+" on ", want, v.granted(lines))
	}
	return nil
}

// granted returns privileges by what they are for.
func (v *bookVerification) granted(lines []string) map[string]string {
	privileges := map[string]string{}
	for _, line := range lines {
		m := grantLine.FindStringSubmatch(line)
		switch {
		case m == nil: // a role, a proxy: never ours
			privileges[line] = line
		case otherObject.MatchString(m[2]) && m[2] != bookObject(v.shard):
		default:
			privileges[m[2]] = privilegeList(m[1]) + m[3]
		}
	}
	return privileges
}
