package schema

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// machineMax is the last machine number that an order ID can carry.
const machineMax = 4095

var environmentShape = regexp.MustCompile(`^[a-z]{1,16}$`)

// ApplySet makes the database of SET set (0–999): its control tables, its
// machine leases, its accounts and their grants. What is there already stays;
// passwords become those of accounts. It does not make day tables.
//
// environment, such as "playground", "drill" or "production", marks the
// database for good: 1 to 16 lower-case letters. What may be broken where is
// decided by this mark. machines are the machine numbers (0–4095) that this SET
// leases to processes that mint order IDs; no two SETs may share one.
//
// db is an administrator's connection, without a database. A database marked
// with another environment is an error and is not touched.
func ApplySet(ctx context.Context, db *sql.DB, set int, accounts Accounts, environment string, machines []int) error {
	p := plan{set: set, accounts: accounts, environment: environment, machines: machines}
	if err := p.check(); err != nil {
		return fmt.Errorf("schema of SET %03d: %w", set, err)
	}
	err := inSession(ctx, db, func(conn *sql.Conn) error { return p.apply(ctx, conn) })
	if err != nil {
		return fmt.Errorf("schema of %s: %w", DatabaseName(set), err)
	}
	return nil
}

// plan is what one SET's database is to be.
type plan struct {
	set         int
	accounts    Accounts
	environment string
	machines    []int
}

// check refuses what must not get into SQL and what could not work.
func (p plan) check() error {
	if !environmentShape.MatchString(p.environment) {
		return fmt.Errorf("environment %q: does not match %v", p.environment, environmentShape)
	}
	for _, machine := range p.machines {
		if machine < 0 || machine > machineMax {
			return fmt.Errorf("machine %d: want 0 <= machine <= %d", machine, machineMax)
		}
	}
	return errors.Join(checkSet(p.set), p.accounts.check(), p.accounts.checkPasswords())
}

// apply makes the mark before anything that it might forbid.
func (p plan) apply(ctx context.Context, conn *sql.Conn) error {
	for _, step := range []func(context.Context, *sql.Conn) error{
		p.makeDatabase, p.mark, p.makeControlTables, p.addMachines, p.makeAccounts,
	} {
		if err := step(ctx, conn); err != nil {
			return err
		}
	}
	return nil
}

func (p plan) makeDatabase(ctx context.Context, conn *sql.Conn) error {
	const create = "CREATE DATABASE IF NOT EXISTS {database} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
	if _, err := conn.ExecContext(ctx, strings.ReplaceAll(create, "{database}", DatabaseName(p.set))); err != nil {
		return fmt.Errorf("create database: %w", err)
	}
	return nil
}

// mark writes what the database is for, or compares what was written before.
func (p plan) mark(ctx context.Context, conn *sql.Conn) error {
	if err := makeTables(ctx, conn, p.set, []table{setInfo()}); err != nil {
		return err
	}
	name := strings.NewReplacer("{database}", DatabaseName(p.set))
	insert := name.Replace(`INSERT INTO {database}.set_info (set_number, environment, cluster_uuid)
		VALUES (?, ?, UUID()) ON DUPLICATE KEY UPDATE set_number = set_number`)
	if _, err := conn.ExecContext(ctx, insert, p.set, p.environment); err != nil {
		return fmt.Errorf("set_info: %w", err)
	}
	var environment string
	read := name.Replace("SELECT environment FROM {database}.set_info WHERE set_number = ?")
	if err := conn.QueryRowContext(ctx, read, p.set).Scan(&environment); err != nil {
		return fmt.Errorf("set_info: %w", err)
	}
	if environment != p.environment {
		return fmt.Errorf("the database is marked %q, not %q: nothing was changed", environment, p.environment)
	}
	return nil
}

func (p plan) makeControlTables(ctx context.Context, conn *sql.Conn) error {
	return makeTables(ctx, conn, p.set, controlTables())
}

// addMachines adds the leases that are missing, free and never used.
func (p plan) addMachines(ctx context.Context, conn *sql.Conn) error {
	if len(p.machines) == 0 {
		return nil
	}
	rows := make([]string, len(p.machines))
	for i, machine := range p.machines {
		rows[i] = "(" + strconv.Itoa(machine) + ")"
	}
	insert := strings.NewReplacer("{database}", DatabaseName(p.set), "{rows}", strings.Join(rows, ",")).Replace(
		`INSERT INTO {database}.machine_lease (machine_id) VALUES {rows} ON DUPLICATE KEY UPDATE machine_id = machine_id`)
	if _, err := conn.ExecContext(ctx, insert); err != nil {
		return fmt.Errorf("machine_lease: %w", err)
	}
	return nil
}

// MakeDayTables makes the ten pairs of tables of a day of the month (1–31) in a
// SET. Those that exist stay, with their rows. It is for a job ahead of the day
// and never for a request: DDL waits for every transaction on the table.
//
// db is the migrator's or an administrator's connection.
func MakeDayTables(ctx context.Context, db *sql.DB, set, day int) error {
	if err := checkSet(set); err != nil {
		return err
	}
	if err := checkDay(day); err != nil {
		return err
	}
	err := inSession(ctx, db, func(conn *sql.Conn) error { return makeTables(ctx, conn, set, dayTables(day)) })
	if err != nil {
		return fmt.Errorf("tables of day %02d in %s: %w", day, DatabaseName(set), err)
	}
	return nil
}

func makeTables(ctx context.Context, conn *sql.Conn, set int, tables []table) error {
	for _, t := range tables {
		create, err := t.create(set)
		if err != nil {
			return err
		}
		if _, err := conn.ExecContext(ctx, create); err != nil {
			return fmt.Errorf("create %s: %w", t.name, err)
		}
	}
	return nil
}

// inSession runs do on a connection of its own, on which DDL gives up after one
// second behind somebody's metadata lock: behind DDL that waits, everybody
// waits (FC19). The connection is thrown away with all it was set to.
func inSession(ctx context.Context, db *sql.DB, do func(*sql.Conn) error) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer conn.Raw(func(any) error { return driver.ErrBadConn })
	if _, err := conn.ExecContext(ctx, "SET SESSION lock_wait_timeout = 1"); err != nil {
		return err
	}
	return do(conn)
}
