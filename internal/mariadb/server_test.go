package mariadb_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"hongbao/internal/cluster"
)

const connectionsMax = 20

// server is one mariadbd for all tests of the package.
var server *cluster.MariaDB

func TestMain(m *testing.M) { os.Exit(runWithServer(m)) }

func runWithServer(m *testing.M) (code int) {
	complain := func(err error) int {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	dir, err := os.MkdirTemp("", "mariadb-test-")
	if err != nil {
		return complain(err)
	}
	defer os.RemoveAll(dir)
	ports, err := cluster.FreePorts(1)
	if err != nil {
		return complain(err)
	}
	server, err = cluster.StartMariaDB(context.Background(), cluster.MariaDBConfig{
		Name: "mariadb", Dir: dir, Port: ports[0], ServerID: 1, AdminPassword: "admin", MaxConnections: connectionsMax,
		Args: []string{"--loose-idle-write-transaction-timeout=0"}, // MariaDB's own, which MySQL has not
	})
	if err != nil {
		return complain(err)
	}
	fmt.Println("database under test:", server.Program)
	code = m.Run()
	if err := server.Stop(context.Background()); err != nil {
		return complain(err)
	}
	return code
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

// desk is a database with a table of two rows, for its owner: an account that
// read_only stops.
type desk struct{ admin, owner *sql.DB }

func newDesk(t *testing.T) desk {
	t.Helper()
	admin := open(t, server.AdminDSN(""))
	for _, statement := range []string{
		"DROP DATABASE IF EXISTS desk", "CREATE DATABASE desk", "DROP USER IF EXISTS owner@'127.0.0.1'", "CREATE USER owner@'127.0.0.1' IDENTIFIED BY 'owner'",
		"GRANT SELECT, INSERT, UPDATE ON desk.* TO owner@'127.0.0.1'",
		"CREATE TABLE desk.drawer (id INT PRIMARY KEY, n INT NOT NULL)", "INSERT INTO desk.drawer VALUES (1, 0), (2, 0)",
	} {
		do(t, admin, statement)
	}
	return desk{admin, open(t, server.DSN("owner", "owner", "desk"))}
}

// session is one connection of the owner, in a transaction.
func (d desk) session(t *testing.T, settings ...string) *sql.Conn {
	t.Helper()
	conn, err := d.owner.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	for _, statement := range append(settings, "START TRANSACTION WITH CONSISTENT SNAPSHOT") {
		do(t, conn, statement)
	}
	return conn
}

// query runs a statement and reads to its end, where a timeout may be told.
func query(t *testing.T, on *sql.DB, statement string) error {
	rows, err := on.QueryContext(t.Context(), statement)
	if err != nil {
		return err
	}
	for rows.Next() {
	}
	return errors.Join(rows.Err(), rows.Close())
}

type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

func run(t *testing.T, on execer, statement string) error {
	_, err := on.ExecContext(t.Context(), statement)
	return err
}

func do(t *testing.T, on execer, statement string) {
	t.Helper()
	if err := run(t, on, statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

const changeOne, changeTwo = "UPDATE drawer SET n = n + 1 WHERE id = 1", "UPDATE drawer SET n = n + 1 WHERE id = 2"

func TestServerReportsDuplicatesAndAbsence(t *testing.T) {
	d := newDesk(t)
	wantMeanings(t, run(t, d.owner, "INSERT INTO drawer VALUES (1, 0)"), "Duplicate")
	wantMeanings(t, run(t, d.owner, "UPDATE drawer SET id = 2 WHERE id = 1"), "Duplicate")
	wantMeanings(t, run(t, d.admin, "DO (SELECT 1 FROM desk.nothing)"), "NoSuchTable")
	wantMeanings(t, run(t, d.admin, "SHOW GRANTS FOR nobody@'127.0.0.1'"), "NoSuchAccount")
	wantMeanings(t, run(t, d.owner, "DELETE FROM drawer"), "")
}

func TestALockHeldByAnotherIsALostRace(t *testing.T) {
	d := newDesk(t)
	do(t, d.session(t), changeOne)
	wantMeanings(t, run(t, d.session(t, "SET innodb_lock_wait_timeout = 1"), changeOne), "LostRace")
	wantMeanings(t, run(t, d.session(t), "SELECT n FROM drawer WHERE id = 1 FOR UPDATE NOWAIT"), "LostRace") // FS37
}

// TestADeadlockIsALostRaceForOneOfTwo has two transactions want each other's row.
func TestADeadlockIsALostRaceForOneOfTwo(t *testing.T) {
	d := newDesk(t)
	one, two := d.session(t), d.session(t)
	do(t, one, changeOne)
	do(t, two, changeTwo)
	second := make(chan error, 1)
	go func() {
		err := run(t, one, changeTwo)
		if err == nil {
			err = run(t, one, "COMMIT")
		}
		second <- err
	}()
	lost := run(t, two, changeOne)
	if lost == nil {
		do(t, two, "COMMIT")
		lost = <-second
	}
	wantMeanings(t, lost, "LostRace CommitRefused")
}

func TestChangeUnderASnapshotIsALostRace(t *testing.T) {
	d := newDesk(t)
	settings := []string{"SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ", "SET innodb_snapshot_isolation = ON"}
	if server.Program.MySQL { // has no such protection: it takes the row as it is, which is why nothing of ours decides by a snapshot
		settings = settings[:1]
	}
	late := d.session(t, settings...)
	do(t, d.owner, changeOne)
	err := run(t, late, changeOne)
	if server.Program.MySQL && err == nil {
		return
	}
	wantMeanings(t, err, "LostRace")
}

// FC6: the refusal is true, since the row is as it was.
func TestReadOnlyServerRefusesTheCommit(t *testing.T) {
	d := newDesk(t)
	conn := d.session(t)
	do(t, conn, changeOne)
	do(t, d.admin, "SET GLOBAL read_only = 1")
	t.Cleanup(func() {
		if _, err := d.admin.ExecContext(context.Background(), "SET GLOBAL read_only = 0"); err != nil {
			t.Error(err)
		}
	})
	wantMeanings(t, run(t, conn, "COMMIT"), "CommitRefused Unavailable")
	do(t, conn, "ROLLBACK")
	var n int
	if err := d.admin.QueryRowContext(t.Context(), "SELECT n FROM desk.drawer WHERE id = 1").Scan(&n); err != nil || n != 0 {
		t.Errorf("n is %d, %v: want 0", n, err)
	}
	wantMeanings(t, run(t, d.owner, changeOne), "CommitRefused Unavailable")
}

func TestSlowStatementIsUnavailable(t *testing.T) {
	d := newDesk(t)
	slow := "SET STATEMENT max_statement_time = 0.01 FOR UPDATE drawer SET n = SLEEP(5)"
	if server.Program.MySQL { // bounds only what reads
		slow = "SELECT /*+ MAX_EXECUTION_TIME(10) */ a.id, SLEEP(1) FROM drawer a, drawer b, drawer c"
	}
	wantMeanings(t, query(t, d.owner, slow), "Unavailable")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err := d.owner.ExecContext(ctx, "DO SLEEP(5)")
	wantMeanings(t, err, "Unavailable")
}

func TestAKilledConnectionSaysUnavailable(t *testing.T) {
	conn := newDesk(t).session(t)
	wantMeanings(t, run(t, conn, "KILL CONNECTION_ID()"), "Unavailable")
	wantMeanings(t, run(t, conn, "COMMIT"), "Unavailable") // not refused: the server did not say so
}

func TestAFullServerSaysUnavailable(t *testing.T) {
	d := newDesk(t)
	for range connectionsMax {
		conn, err := d.owner.Conn(t.Context())
		if err != nil {
			wantMeanings(t, err, "Unavailable")
			return
		}
		defer conn.Close()
	}
	t.Errorf("%d connections are open at the same time as the administrator's", connectionsMax)
}

func TestAbsentServerIsUnavailable(t *testing.T) {
	ports, err := cluster.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	nobody := open(t, fmt.Sprintf("owner:owner@tcp(127.0.0.1:%d)/desk", ports[0]))
	wantMeanings(t, nobody.PingContext(t.Context()), "Unavailable")
}
