package setdb_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
	"hongbao/internal/settest"
	"hongbao/orderset/setdb"
)

// servers are the databases of every test in this package.
var servers settest.Servers

func TestMain(m *testing.M) { os.Exit(servers.Main(m)) }

// bench is a SET's database at one address, and the same server at another one.
type bench struct {
	*setdb.DB
	old, next *settest.Proxy
	admin     *sql.DB
}

func newBench(t *testing.T) *bench {
	t.Helper()
	w := servers.World(t, 1)
	b := &bench{old: w.Proxies[0], admin: w.Admin(t, 0)}
	var port int
	if err := b.admin.QueryRowContext(t.Context(), "SELECT @@port").Scan(&port); err != nil {
		t.Fatal(err)
	}
	b.next = settest.NewProxy(t, fmt.Sprintf("127.0.0.1:%d", port))
	var err error
	b.DB, err = setdb.Open(setdb.Config{Number: w.Specs[0].Number, Primary: setdb.Primary{Addr: b.old.Addr()}, Account: w.App, Pool: 4, Warm: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

const insertPause = "INSERT INTO pause (topic, paused, reason, paused_at) VALUES (?, TRUE, 'test', UTC_TIMESTAMP(3)) ON DUPLICATE KEY UPDATE reason = 'again'"

// write is a transaction of one row; before is called in it, when the row is written.
func (b *bench) write(ctx context.Context, topic string, before func()) error {
	return b.Tx(ctx, func(ctx context.Context, c *sql.Conn) error {
		_, err := c.ExecContext(ctx, insertPause, topic)
		before()
		return err
	})
}

func (b *bench) wantRow(t *testing.T, topic string, want bool) {
	t.Helper()
	var n int
	if err := b.admin.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM pause WHERE topic = ?", topic).Scan(&n); err != nil {
		t.Fatal(err)
	}
	if (n == 1) != want {
		t.Errorf("the row of %s is there: %v, want %v", topic, n == 1, want)
	}
}

func (b *bench) promote(t *testing.T) {
	t.Helper()
	if err := b.Promote(context.Background(), setdb.Primary{Addr: b.next.Addr(), Reign: 1}); err != nil {
		t.Error(err)
	}
}

func TestATransactionOfAnOldReignIsFenced(t *testing.T) {
	b := newBench(t)
	err := b.write(t.Context(), "event", func() { b.promote(t) })
	if !errors.Is(err, setdb.ErrFenced) || !errors.Is(err, mariadb.ErrNotCommitted) {
		t.Fatalf("got %v, want it fenced and not committed", err)
	}
	busy, ok := errors.AsType[*envelope.BusyError](b.Answer("write", err))
	if !ok || busy.Reason != envelope.ReasonSetUnavailable || busy.RetryAfter <= 0 {
		t.Errorf("a caller gets %v, want to be told to come back", b.Answer("write", err))
	}
	b.wantRow(t, "event", false)
	if err := b.write(t.Context(), "event", func() {}); err != nil {
		t.Fatal(err)
	}
	b.wantRow(t, "event", true)
}

// TestWithoutTheBarACommitSlipsThrough is the negative control of the fence: the same
// transaction, and a promotion that bars nothing.
func TestWithoutTheBarACommitSlipsThrough(t *testing.T) {
	b := newBench(t)
	b.old.Lose(settest.LostAfter, "COMMIT")
	err := b.write(t.Context(), "event", func() {
		if err := b.PromoteWithoutBar(setdb.Primary{Addr: b.next.Addr(), Reign: 1}); err != nil {
			t.Error(err)
		}
	})
	if b.old.Hits() != 1 || errors.Is(err, setdb.ErrFenced) {
		t.Fatalf("%d COMMITs reached the old primary, %v: the control shows nothing", b.old.Hits(), err)
	}
	b.wantRow(t, "event", true)
}

// awaitBar writes until that is fenced, while a promotion waits.
func awaitBar(t *testing.T, write func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if err = write(); errors.Is(err, setdb.ErrFenced) {
			return
		}
	}
	t.Errorf("a write that began meanwhile: %v, want it fenced", err)
}

func TestPromotionWaitsForASentCommit(t *testing.T) {
	b := newBench(t)
	sent := b.old.Stall(t, "COMMIT")
	written, promoted := make(chan error, 1), make(chan struct{})
	go func() { written <- b.write(context.Background(), "book", func() {}) }()
	<-sent.Reached()
	go func() { b.promote(t); close(promoted) }()
	select {
	case <-promoted:
		t.Fatal("promoted while a COMMIT is on its way to the old primary")
	case <-time.After(300 * time.Millisecond):
	}
	awaitBar(t, func() error { return b.write(t.Context(), "event", func() {}) })
	sent.Release()
	<-promoted
	if err := <-written; err != nil {
		t.Errorf("the COMMIT that was sent: %v", err)
	}
	b.wantRow(t, "book", true)
}

func TestTransactionRetriesInTheNextReign(t *testing.T) {
	b := newBench(t)
	runs := 0
	err := b.TxAgain(t.Context(), func(ctx context.Context, c *sql.Conn) error {
		if runs++; runs == 1 {
			b.promote(t)
		}
		_, err := c.ExecContext(ctx, insertPause, "charge")
		return err
	})
	if err != nil || runs != 2 || b.Primary().Reign != 1 {
		t.Errorf("%d runs, reign %d, %v: want a second one in reign 1", runs, b.Primary().Reign, err)
	}
	b.wantRow(t, "charge", true)
}

func TestWarmWritesBelongToTheReignTheyName(t *testing.T) {
	b := newBench(t)
	write := func(ctx context.Context, c *sql.Conn) error {
		_, err := c.ExecContext(ctx, insertPause, "outbox")
		return err
	}
	if err := b.Warm(t.Context(), 0, write); err != nil {
		t.Fatal(err)
	}
	b.promote(t)
	if err := b.Warm(t.Context(), 0, write); !errors.Is(err, setdb.ErrFenced) {
		t.Errorf("got %v, want what was decided in the old reign fenced", err)
	}
	if err := b.Warm(t.Context(), 1, write); err != nil {
		t.Error(err)
	}
}

// TestOneStatementPassesTheBarToo is for writes without START TRANSACTION.
func TestOneStatementPassesTheBarToo(t *testing.T) {
	b := newBench(t)
	sent := b.old.Stall(t, "INSERT INTO pause")
	written, promoted := make(chan error, 1), make(chan struct{})
	go func() {
		_, err := b.ExecContext(context.Background(), insertPause, "transfer")
		written <- err
	}()
	<-sent.Reached()
	go func() { b.promote(t); close(promoted) }()
	awaitBar(t, func() error {
		_, err := b.ExecContext(t.Context(), insertPause, "event")
		return err
	})
	select {
	case <-promoted:
		t.Fatal("promoted while a write is on its way to the old primary")
	default:
	}
	sent.Release()
	<-promoted
	if err := <-written; err != nil {
		t.Error(err)
	}
}

func TestALockEndsWithItsReign(t *testing.T) {
	b := newBench(t)
	mine, other := b.NewLock("test"), b.NewLock("test")
	t.Cleanup(mine.Close)
	t.Cleanup(other.Close)
	held := func(l *setdb.Lock, want bool) {
		t.Helper()
		if got, err := l.Held(t.Context()); err != nil || got != want {
			t.Errorf("held: %v, %v, want %v", got, err, want)
		}
	}
	held(mine, true)
	held(other, false)
	b.promote(t)
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if got, err := mine.Held(t.Context()); err != nil || got { // the server is the same, and may end the old connection late
			break
		}
	}
	held(mine, true)
	held(other, false)
}

func TestReadsGoOnThroughAPromotion(t *testing.T) {
	b := newBench(t)
	stop := make(chan struct{})
	read := make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				read <- nil
				return
			default:
			}
			var n int
			if err := b.QueryRowContext(context.Background(), "SELECT COUNT(*) FROM pause").Scan(&n); err != nil {
				read <- err
				return
			}
			if _, err := mariadb.Column[int](context.Background(), b, "SELECT 1"); err != nil {
				read <- err
				return
			}
		}
	}()
	addrs := []string{b.next.Addr(), b.old.Addr()}
	for reign := range setdb.Reign(6) {
		if err := b.Promote(t.Context(), setdb.Primary{Addr: addrs[reign%2], Reign: reign + 1}); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	if err := <-read; err != nil {
		t.Error(err)
	}
}
