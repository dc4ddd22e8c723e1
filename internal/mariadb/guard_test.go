package mariadb_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/go-sql-driver/mysql"

	"hongbao/internal/mariadb"
)

// watched is a pool behind a guard that counts what it is asked.
type watched struct {
	*sql.DB
	guard    *mariadb.Guard
	examined atomic.Int32
	changes  []error
	fit      string // the server's value of max_error_count: it differs between products
	want     string // the value that passes
}

func newWatched(t *testing.T, autocommit string) *watched {
	t.Helper()
	w := &watched{}
	if err := open(t, server.AdminDSN("")).QueryRowContext(t.Context(), "SELECT @@global.max_error_count").Scan(&w.fit); err != nil {
		t.Fatal(err)
	}
	w.want = w.fit
	cfg, err := mysql.ParseDSN(server.AdminDSN(""))
	if err != nil {
		t.Fatal(err)
	}
	cfg.Params["autocommit"] = autocommit
	inner, err := mysql.NewConnector(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w.guard = mariadb.NewGuard(mariadb.GuardConfig{Changed: func(err error) { w.changes = append(w.changes, err) }, Examine: func(ctx context.Context, db *sql.DB) error {
		w.examined.Add(1)
		var have string
		if err := db.QueryRowContext(ctx, "SELECT @@global.max_error_count FROM (SELECT ? AS one) AS any_table", 1).Scan(&have); err != nil {
			return err
		}
		if have != w.want {
			return fmt.Errorf("max_error_count is %s", have)
		}
		return nil
	}})
	w.DB = sql.OpenDB(w.guard.Connector(inner))
	w.SetMaxIdleConns(0) // every query connects
	t.Cleanup(func() { w.Close() })
	return w
}

func (w *watched) query(t *testing.T, statement string) error {
	t.Helper()
	_, err := w.ExecContext(t.Context(), statement)
	return err
}

// TestAServerIsExaminedBeforeItIsUsed is FS22: once for all connections to one
// server, and again when a setting for durability changes.
func TestAServerIsExaminedBeforeItIsUsed(t *testing.T) {
	for _, autocommit := range []string{"1", "0"} {
		w := newWatched(t, autocommit)
		for range 5 {
			if err := w.query(t, "DO 1"); err != nil {
				t.Fatal(err)
			}
		}
		if n := w.examined.Load(); n != 1 || w.guard.Finding() != nil {
			t.Errorf("examined %d times, finding %v, want once and nothing", n, w.guard.Finding())
		}
		admin := newWatched(t, "1")
		if err := admin.query(t, "SET GLOBAL sync_binlog = 0"); err != nil {
			t.Fatal(err)
		}
		w.want = "7"
		err := w.query(t, "DO 1")
		unfit, ok := errors.AsType[*mariadb.UnfitError](err)
		if !ok || unfit.Error() != "max_error_count is "+w.fit || !mariadb.Unavailable(err) || w.guard.Finding() == nil {
			t.Errorf("got %v, finding %v, want it unfit and unavailable", err, w.guard.Finding())
		}
		if err := w.query(t, "DO 1"); err == nil || w.examined.Load() != 2 {
			t.Errorf("asked again at once: %v, examined %d times, want refused without another look", err, w.examined.Load())
		}
		w.want = w.fit
		if err := admin.query(t, "SET GLOBAL sync_binlog = 1"); err != nil {
			t.Fatal(err)
		}
		if err := w.query(t, "DO 1"); err != nil || w.guard.Finding() != nil {
			t.Errorf("put right: %v, finding %v", err, w.guard.Finding())
		}
		if len(w.changes) != 2 || w.changes[0] == nil || w.changes[1] != nil {
			t.Errorf("said: %v, want the finding and its end, once each", w.changes)
		}
	}
}

// TestBrokenExaminationFindsNothing: a connection that breaks while it is
// examined is no finding about the server.
func TestBrokenExaminationFindsNothing(t *testing.T) {
	w := newWatched(t, "1")
	admin := newWatched(t, "1")
	fails := mariadb.NewGuard(mariadb.GuardConfig{Changed: func(err error) { t.Errorf("said %v", err) }, Examine: func(ctx context.Context, db *sql.DB) error {
		var id int
		if err := db.QueryRowContext(ctx, "SELECT CONNECTION_ID()").Scan(&id); err != nil {
			return err
		}
		if err := admin.query(t, fmt.Sprintf("KILL %d", id)); err != nil {
			return err
		}
		return db.PingContext(ctx)
	}})
	inner, err := mysql.NewConnector(must(mysql.ParseDSN(server.AdminDSN(""))))
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(fails.Connector(inner))
	defer db.Close()
	_, unfit := errors.AsType[*mariadb.UnfitError](db.PingContext(t.Context()))
	if unfit || fails.Finding() != nil {
		t.Errorf("a connection that broke made the server unfit: %v", fails.Finding())
	}
	if err := w.PingContext(t.Context()); err != nil {
		t.Error(err)
	}
}

func must(cfg *mysql.Config, err error) *mysql.Config {
	if err != nil {
		panic(err)
	}
	return cfg
}
