package mariadb_test

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"hongbao/internal/mariadb"
)

func pool(t *testing.T, conns int) *sql.DB {
	t.Helper()
	db, err := mariadb.Open(mariadb.Account{User: "owner", Password: "owner"}.Config(server.Addr(), "desk"), conns)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// TestTheLocksOfASilentClientAreFreed holds FS37: a process that froze in the middle of
// a transaction keeps its connection, and for a bounded time its locks.
func TestTheLocksOfASilentClientAreFreed(t *testing.T) {
	d := newDesk(t)
	ctx := context.WithoutCancel(t.Context())
	silent, err := pool(t, 1).Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for _, statement := range []string{"START TRANSACTION", changeOne} {
		do(t, silent, statement)
	}
	since, others := time.Now(), pool(t, 2)
	lost := run(t, others, changeOne)
	wantMeanings(t, lost, "LostRace")
	for lost != nil && time.Since(since) < time.Minute {
		lost = run(t, others, changeOne)
	}
	if lost != nil {
		t.Fatalf("the lock is still held after %v: %v", time.Since(since), lost)
	}
	t.Logf("freed after %v", time.Since(since))
	wantMeanings(t, run(t, silent, "COMMIT"), "Unavailable")
	var n int
	if err := d.admin.QueryRowContext(ctx, "SELECT n FROM desk.drawer WHERE id = 1").Scan(&n); err != nil || n != 1 {
		t.Errorf("n is %d, %v: want the other's 1 alone", n, err)
	}
}

// TestPoolClosesBeforeTheServerDoes: one that the server is about to end would
// cost a caller an error.
func TestPoolClosesBeforeTheServerDoes(t *testing.T) {
	const conns = 3
	newDesk(t)
	db := pool(t, conns)
	var all [conns]*sql.Conn
	for i := range all {
		var err error
		if all[i], err = db.Conn(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, conn := range all {
		conn.Close()
	}
	for deadline := time.Now().Add(time.Minute); db.Stats().OpenConnections > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the pool still keeps connections: %+v", db.Stats())
		}
	}
	if closed := db.Stats().MaxIdleTimeClosed; closed != conns {
		t.Errorf("the pool has closed %d of %d idle connections", closed, conns)
	}
}
