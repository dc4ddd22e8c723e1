package faultproxy_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"testing"
	"time"

	"hongbao/internal/faultproxy"
	"hongbao/internal/settest"
	"hongbao/schema"
)

// servers are the databases of every test in this package.
var servers settest.Servers

func TestMain(m *testing.M) { os.Exit(servers.Main(m)) }

// bench is a world of one SET, a client behind its proxy and one beside it.
type bench struct {
	*settest.World
	proxy          *faultproxy.Proxy
	client, direct *sql.DB
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{World: servers.World(t, 1)}
	b.proxy, b.direct = b.Proxies[0].Proxy, b.Admin(t, 0)
	dsn := fmt.Sprintf("%s:%s@tcp(%s)/%s?interpolateParams=true", b.App.User, b.App.Password, b.proxy.Addr(), schema.DatabaseName(int(b.Specs[0].Number)))
	var err error
	if b.client, err = sql.Open("mysql", dsn); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.client.Close() })
	return b
}

// The rows that tests write; no other statement begins like that.
const (
	insertKey = "INSERT INTO send_key (order_id, sender_id, idempotency_key, request_hash, created_at) VALUES ('x', 'proxy', ?, REPEAT('x', 32), UTC_TIMESTAMP(3))"
	deleteAll = "DELETE FROM send_key WHERE sender_id = 'proxy'"
)

func (b *bench) insert(t *testing.T, key string) error {
	_, err := b.client.ExecContext(t.Context(), insertKey, key)
	return err
}

// stored looks past the proxy.
func (b *bench) stored(t *testing.T, key string) bool {
	t.Helper()
	var n int
	const query = "SELECT COUNT(*) FROM send_key WHERE sender_id = 'proxy' AND idempotency_key = ?"
	if err := b.direct.QueryRowContext(t.Context(), query, key).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n == 1
}

func TestLostBeforeHasNotHappened(t *testing.T) {
	b := newBench(t)
	b.proxy.Lose(faultproxy.LostBefore, "INSERT INTO send_key (order_id")
	if err := b.insert(t, "k"); err == nil {
		t.Error("the statement was answered")
	}
	if b.stored(t, "k") || b.proxy.Hits() != 1 {
		t.Errorf("it is stored, or the fault did not happen (%d did)", b.proxy.Hits())
	}
	if err := b.insert(t, "k"); err != nil || !b.stored(t, "k") {
		t.Errorf("the next one: %v", err)
	}
}

func TestLostAfterHasHappened(t *testing.T) {
	b := newBench(t)
	b.proxy.Lose(faultproxy.LostAfter, "INSERT INTO send_key (order_id")
	if err := b.insert(t, "k"); err == nil {
		t.Error("the statement was answered")
	}
	if !b.stored(t, "k") || b.proxy.Hits() != 1 {
		t.Errorf("it is not stored, or the fault did not happen (%d did)", b.proxy.Hits())
	}
	if err := b.insert(t, "other"); err != nil || !b.stored(t, "other") {
		t.Errorf("the next one: %v", err)
	}
}

func TestACommitCanBeLostBothWays(t *testing.T) {
	b := newBench(t)
	for fault, want := range map[faultproxy.Fault]bool{faultproxy.LostBefore: false, faultproxy.LostAfter: true} {
		key := fmt.Sprint("k", fault)
		tx, err := b.client.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.ExecContext(t.Context(), insertKey, key); err != nil {
			t.Fatal(err)
		}
		b.proxy.Lose(fault, "COMMIT")
		if err := tx.Commit(); err == nil {
			t.Error("the commit was answered")
		}
		if b.stored(t, key) != want {
			t.Errorf("fault %d: committed is %t, want %t", fault, !want, want)
		}
	}
}

func TestFaultsHappenInTheirOrderOnly(t *testing.T) {
	b := newBench(t)
	if _, err := b.direct.ExecContext(t.Context(), "GRANT DELETE ON send_key TO app@127.0.0.1"); err != nil {
		t.Fatal(err)
	}
	b.proxy.Lose(faultproxy.LostBefore, "DELETE FROM send_key")
	b.proxy.Lose(faultproxy.LostBefore, "INSERT INTO send_key (order_id")
	if err := b.insert(t, "k"); err != nil { // planned for later
		t.Errorf("a statement that comes before its turn: %v", err)
	}
	var n int
	if err := b.client.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM send_key WHERE sender_id = ?", "proxy").Scan(&n); err != nil || n != 1 {
		t.Errorf("a statement without a planned fault: %d, %v", n, err)
	}
	if _, err := b.client.ExecContext(t.Context(), deleteAll); err == nil {
		t.Error("the first planned fault did not happen")
	}
	if err := b.insert(t, "other"); err == nil {
		t.Error("the second planned fault did not happen")
	}
	if b.proxy.Hits() != 2 || !b.stored(t, "k") || b.stored(t, "other") {
		t.Errorf("%d faults happened, want 2", b.proxy.Hits())
	}
	if _, err := b.client.ExecContext(t.Context(), deleteAll); err != nil {
		t.Errorf("a fault happened twice: %v", err)
	}
}

func TestADelayHoldsEveryStatementBack(t *testing.T) {
	b := newBench(t)
	if err := b.insert(t, "warm"); err != nil {
		t.Fatal(err)
	}
	const delay = 100 * time.Millisecond
	b.proxy.Delay(delay, 0)
	start := time.Now()
	if err := b.insert(t, "k"); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took < delay {
		t.Errorf("it took %v, want %v at least", took, delay)
	}
}

func TestAFrozenProxyAnswersNothing(t *testing.T) {
	b := newBench(t)
	if err := b.insert(t, "warm"); err != nil {
		t.Fatal(err)
	}
	b.proxy.Freeze(true)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := b.client.ExecContext(ctx, insertKey, "k"); err == nil || ctx.Err() == nil {
		t.Errorf("a known connection: answered with %v", err)
	}
	again, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := b.client.ExecContext(again, insertKey, "k"); err == nil || again.Err() == nil {
		t.Errorf("a new connection: answered with %v", err)
	}
	if b.stored(t, "k") {
		t.Error("a statement got through")
	}
	b.proxy.Freeze(false)
	if err := b.insert(t, "k"); err != nil {
		t.Errorf("thawed: %v", err)
	}
}

func TestACutEndsTheConnectionsThereAre(t *testing.T) {
	b := newBench(t)
	tx, err := b.client.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(t.Context(), insertKey, "k"); err != nil {
		t.Fatal(err)
	}
	b.proxy.Cut()
	if err := tx.Commit(); err == nil {
		t.Error("a connection survived the cut")
	}
	if err := b.insert(t, "other"); err != nil {
		t.Errorf("a new connection: %v", err)
	}
	if b.stored(t, "k") || !b.stored(t, "other") {
		t.Error("the cut transaction is stored, or the new statement is not")
	}
}
