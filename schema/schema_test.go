package schema_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/go-sql-driver/mysql"

	"hongbao/internal/cluster"
	"hongbao/schema"
)

// server is one mariadbd for all tests of the package; each test works in a SET
// of its own.
var server *cluster.MariaDB

// setsUsed numbers the tests' SETs.
var setsUsed atomic.Int64

func TestMain(m *testing.M) { os.Exit(runWithServer(m)) }

func runWithServer(m *testing.M) (code int) {
	dir, err := os.MkdirTemp("", "schema-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	ports, err := cluster.FreePorts(1)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	server, err = cluster.StartMariaDB(context.Background(), cluster.MariaDBConfig{
		Name: "schema", Dir: dir, Port: ports[0], ServerID: 1, AdminPassword: "admin",
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("database under test:", server.Program)
	code = m.Run()
	if err := server.Stop(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// setPlan is what a test's SET is made of.
type setPlan struct {
	Set         int
	Environment string
	Machines    []int
	Accounts    schema.Accounts
}

func (p setPlan) apply(t *testing.T) error {
	return schema.ApplySet(t.Context(), admin(t), p.Set, p.Accounts, p.Environment, p.Machines)
}

// newSet is the plan of a SET that does not exist yet. Its passwords
// hold what would end a string.
func newSet(t *testing.T) setPlan {
	t.Helper()
	set := int(setsUsed.Add(1))
	account := func(role string) schema.Credential {
		return schema.Credential{User: fmt.Sprintf("%s_%03d", role, set), Password: role + `'s "\secret`}
	}
	return setPlan{
		Set: set, Environment: "drill", Machines: []int{64, 65, 66},
		Accounts: schema.Accounts{
			Host: "127.0.0.1",
			App:  account("app"), Migrator: account("migrator"), Audit: account("audit"), Arbiter: account("arbiter"),
		},
	}
}

// madeSet is a SET that has been applied, with the tables of days 5 and 31.
func madeSet(t *testing.T) setPlan {
	t.Helper()
	cfg := newSet(t)
	if err := cfg.apply(t); err != nil {
		t.Fatal(err)
	}
	makeDays(t, cfg)
	return cfg
}

func makeDays(t *testing.T, cfg setPlan) {
	t.Helper()
	for _, day := range []int{5, 31} {
		if err := schema.MakeDayTables(t.Context(), as(t, cfg, cfg.Accounts.Migrator), cfg.Set, day); err != nil {
			t.Fatal(err)
		}
	}
}

func open(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func admin(t *testing.T) *sql.DB { return open(t, server.AdminDSN("")) }

// as connects to the SET's database under one of its accounts.
func as(t *testing.T, cfg setPlan, c schema.Credential) *sql.DB {
	return open(t, server.DSN(c.User, c.Password, schema.DatabaseName(cfg.Set)))
}

func do(t *testing.T, db *sql.DB, statement string, args ...any) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// refused checks that a statement fails with one of these error numbers.
func refused(t *testing.T, db *sql.DB, statement string, numbers ...uint16) {
	t.Helper()
	_, err := db.ExecContext(t.Context(), statement)
	got, ok := errors.AsType[*mysql.MySQLError](err)
	if !ok {
		t.Errorf("%s: error %v, want one of %v", statement, err, numbers)
		return
	}
	for _, number := range numbers {
		if got.Number == number {
			return
		}
	}
	t.Errorf("%s: error %v, want one of %v", statement, err, numbers)
}

// in replaces the braces of a statement by a SET's database.
func in(cfg setPlan, statement string) string {
	return strings.ReplaceAll(statement, "{}", schema.DatabaseName(cfg.Set))
}

func queryString(t *testing.T, db *sql.DB, query string, args ...any) string {
	t.Helper()
	var s string
	if err := db.QueryRowContext(t.Context(), query, args...).Scan(&s); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return s
}

// columns returns the rows of a query as text.
func columns(t *testing.T, db *sql.DB, query string) []string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for rows.Next() {
		values := make([]sql.NullString, len(names))
		into := make([]any, len(names))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprint(values))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}
