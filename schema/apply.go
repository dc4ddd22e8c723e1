package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"

	"hongbao/internal/mariadb"
)

var environmentShape = regexp.MustCompile(`^[a-z]{1,16}$`)

// checkEnvironment refuses a mark that cannot be compared with anything.
func checkEnvironment(environment string) error {
	if !environmentShape.MatchString(environment) {
		return fmt.Errorf("environment %q: does not match %v", environment, environmentShape)
	}
	return nil
}

// apply makes what is missing. The mark comes before anything that it might
// forbid.
func (d database) apply(ctx context.Context, conn *sql.Conn, environment string) error {
	const create = "CREATE DATABASE IF NOT EXISTS {database} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
	if _, err := conn.ExecContext(ctx, d.fill.Replace(create)); err != nil {
		return fmt.Errorf("create database: %w", err)
	}
	if err := d.markAs(ctx, conn, environment); err != nil {
		return err
	}
	if err := d.makeTables(ctx, conn, d.tables); err != nil {
		return err
	}
	return d.makeAccounts(ctx, conn)
}

// markAs writes what the database is for, or compares what was written before.
func (d database) markAs(ctx context.Context, conn *sql.Conn, environment string) error {
	if err := d.makeTables(ctx, conn, []table{d.mark.table}); err != nil {
		return err
	}
	was, place, err := d.marked(ctx, conn)
	if errors.Is(err, sql.ErrNoRows) {
		if _, err = conn.ExecContext(ctx, d.fill.Replace(d.mark.insert), environment); err == nil {
			was, place, err = d.marked(ctx, conn) // what was written meanwhile stays
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", d.mark.table.name, err)
	}
	if was != environment || place != d.mark.place {
		return fmt.Errorf("the database is marked %q for %s, not %q for %s: nothing was changed",
			was, place, environment, d.mark.place)
	}
	return nil
}

func (d database) makeTables(ctx context.Context, conn *sql.Conn, tables []table) error {
	for _, t := range tables {
		create, err := d.create(t)
		if err != nil {
			return err
		}
		if _, err := conn.ExecContext(ctx, create); err != nil {
			return fmt.Errorf("create %s: %w", t.name, err)
		}
	}
	return nil
}

func (d database) makeAccounts(ctx context.Context, conn *sql.Conn) error {
	speaks, err := dialectOf(ctx, conn)
	if err != nil {
		return err
	}
	for _, a := range d.accounts {
		for _, statement := range a.statements(speaks, d.name) {
			if _, err := conn.ExecContext(ctx, statement); err != nil {
				return fmt.Errorf("account %s: %w", a.name(), err)
			}
		}
	}
	return nil
}

// inSession runs do on a connection of its own, on which DDL gives up after one
// second behind a metadata lock: behind DDL that waits, every statement
// waits (FC19). The connection is thrown away with all it was set to.
func inSession(ctx context.Context, db *sql.DB, do func(*sql.Conn) error) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer mariadb.Discard(conn)
	if err := impatient(ctx, conn); err != nil {
		return err
	}
	return do(conn)
}

// impatient bounds how long the session's DDL waits for metadata locks.
func impatient(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(ctx, "SET SESSION lock_wait_timeout = 1")
	return err
}
