package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"hongbao/internal/mariadb"
)

// machineMax is the last machine number that an order ID can carry.
const machineMax = 4095

// setDatabase is the database of a SET that was checked.
func setDatabase(set int, accounts []account) database {
	return database{
		name: DatabaseName(set),
		fill: strings.NewReplacer("{database}", DatabaseName(set), "{set}", strconv.Itoa(set)),
		mark: mark{
			table: setInfo(),
			place: fmt.Sprintf("SET %d", set),
			read:  "SELECT environment, CONCAT('SET ', set_number) FROM {database}.set_info",
			insert: `INSERT INTO {database}.set_info (set_number, environment, cluster_uuid)
				VALUES ({set}, ?, UUID()) ON DUPLICATE KEY UPDATE set_number = set_number`,
		},
		tables:   controlTables(),
		passing:  dayTableShape,
		accounts: accounts,
	}
}

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
	err := errors.Join(checkSet(set), checkEnvironment(environment), checkMachines(machines), accounts.check(), accounts.checkPasswords())
	if err != nil {
		return fmt.Errorf("schema of SET %03d: %w", set, err)
	}
	d := setDatabase(set, accounts.ofSet())
	err = inSession(ctx, db, func(conn *sql.Conn) error {
		if err := d.apply(ctx, conn, environment); err != nil {
			return err
		}
		return addMachines(ctx, conn, d, machines)
	})
	if err != nil {
		return fmt.Errorf("schema of %s: %w", d.name, err)
	}
	return nil
}

func checkMachines(machines []int) error {
	for _, machine := range machines {
		if machine < 0 || machine > machineMax {
			return fmt.Errorf("machine %d: want 0 <= machine <= %d", machine, machineMax)
		}
	}
	return nil
}

// addMachines adds the leases that are missing, free and never used.
func addMachines(ctx context.Context, conn *sql.Conn, d database, machines []int) error {
	if len(machines) == 0 {
		return nil
	}
	rows := make([]string, len(machines))
	for i, machine := range machines {
		rows[i] = "(" + strconv.Itoa(machine) + ")"
	}
	const insert = "INSERT INTO {database}.machine_lease (machine_id) VALUES {rows} ON DUPLICATE KEY UPDATE machine_id = machine_id"
	if _, err := conn.ExecContext(ctx, strings.ReplaceAll(d.fill.Replace(insert), "{rows}", strings.Join(rows, ","))); err != nil {
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
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer mariadb.Discard(conn)
	return MakeDayTablesOn(ctx, conn, set, day)
}

// MakeDayTablesOn is MakeDayTables on one connection, whose session is set up for it
// and should not be used for anything else afterwards.
func MakeDayTablesOn(ctx context.Context, conn *sql.Conn, set, day int) error {
	if err := errors.Join(checkSet(set), checkDay(day)); err != nil {
		return err
	}
	d := setDatabase(set, nil)
	err := impatient(ctx, conn)
	if err == nil {
		err = d.makeTables(ctx, conn, dayTables(day))
	}
	if err != nil {
		return fmt.Errorf("tables of day %02d in %s: %w", day, d.name, err)
	}
	return nil
}

// VerifySet compares the database of SET set (0–999) with what ApplySet, and
// MakeDayTables for each of days (1–31), would have made. Of accounts it needs
// no passwords. db is an administrator's connection; nothing is changed. Nil
// means no difference.
func VerifySet(ctx context.Context, db *sql.DB, set int, accounts Accounts, days []int) ([]Difference, error) {
	err := errors.Join(checkSet(set), accounts.check())
	for _, day := range days {
		err = errors.Join(err, checkDay(day))
	}
	if err != nil {
		return nil, fmt.Errorf("verify SET %03d: %w", set, err)
	}
	d := setDatabase(set, accounts.ofSet())
	for _, day := range days {
		d.tables = append(d.tables, dayTables(day)...)
	}
	return d.verify(ctx, db)
}
