package books_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"hongbao/envelope"
	"hongbao/internal/books"
	"hongbao/internal/cluster"
	"hongbao/internal/settest"
	"hongbao/reconcile"
	"hongbao/schema"
)

// server holds all shards of every test; tests make them anew, one after the
// other.
var server *cluster.MariaDB

func TestMain(m *testing.M) { os.Exit(runWithServer(m)) }

func runWithServer(m *testing.M) (code int) {
	const memory, room = "/dev/shm", 1 << 30
	var fs syscall.Statfs_t
	if os.Getenv("TMPDIR") == "" && syscall.Statfs(memory, &fs) == nil && fs.Bavail*uint64(fs.Bsize) > room {
		os.Setenv("TMPDIR", memory) // nothing here pulls the plug
	}
	dir, err := os.MkdirTemp("", "books-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	ports, err := cluster.FreePorts(1)
	if err == nil {
		server, err = cluster.StartMariaDB(context.Background(), cluster.MariaDBConfig{
			Name: "books", Dir: dir, Port: ports[0], ServerID: 1, AdminPassword: "admin", BufferPoolMiB: 128, // as the playground's
		})
	}
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

func accounts() schema.Accounts {
	return schema.Accounts{
		Host:     "127.0.0.1",
		App:      schema.Credential{User: "app", Password: "app-test"},
		Migrator: schema.Credential{User: "migrator", Password: "migrator-test"},
		Audit:    schema.Credential{User: "audit", Password: "audit-test"},
		Arbiter:  schema.Credential{User: "arbiter", Password: "arbiter-test"},
	}
}

// library is the books of one test, each shard behind a proxy.
type library struct {
	*books.Books
	cfg     books.Config
	proxies []*settest.Proxy
	auditor *books.Auditor
}

// newLibrary makes n empty shards.
func newLibrary(t testing.TB, n int) *library {
	t.Helper()
	db := admin(t, "")
	l := &library{cfg: books.Config{App: books.Account{User: "app", Password: "app-test"}}}
	var dsns []string
	for i := range n {
		exec(t, db, "DROP DATABASE IF EXISTS "+schema.BooksDatabaseName(i))
		if err := schema.ApplyBooks(t.Context(), db, schema.BookShard{Number: i, Of: n}, accounts(), "drill"); err != nil {
			t.Fatal(err)
		}
		proxy := settest.NewProxy(t, server.Addr())
		l.proxies = append(l.proxies, proxy)
		l.cfg.Shards = append(l.cfg.Shards, books.Shard{Addr: proxy.Addr()})
		dsns = append(dsns, server.DSN("audit", "audit-test", schema.BooksDatabaseName(i)))
	}
	l.Books = open(t, l.cfg)
	var err error
	if l.auditor, err = books.NewAuditor(dsns); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.auditor.Close() })
	return l
}

func open(t testing.TB, cfg books.Config) *books.Books {
	t.Helper()
	b, err := books.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func admin(t testing.TB, database string) *sql.DB {
	t.Helper()
	db, err := sql.Open("mysql", server.AdminDSN(database))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func exec(t testing.TB, db *sql.DB, statement string, args ...any) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func (l *library) post(t testing.TB, facts ...envelope.Fact) {
	t.Helper()
	if err := l.Post(t.Context(), facts); err != nil {
		t.Fatal(err)
	}
}

// wantTruth audits the books and compares them with what happened.
func (l *library) wantTruth(t testing.TB, truth ...envelope.Statement) {
	t.Helper()
	found, err := l.compare(t, truth...)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range found {
		t.Error(d)
	}
}

// compare holds the books to their own rules and to what happened.
func (l *library) compare(t testing.TB, truth ...envelope.Statement) ([]reconcile.Difference, error) {
	t.Helper()
	c := l.auditor.Comparison()
	for i := range truth {
		c.Visit(&truth[i], nil)
	}
	return c.Compare(t.Context(), true)
}

func (l *library) summary(t testing.TB, user envelope.UserID, year int) envelope.BookSummary {
	t.Helper()
	sum, err := l.Summary(t.Context(), user, year)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

func noon() time.Time { return time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC) } // in UTC+08:00

func idOf(n int) envelope.ID {
	ms := noon().Sub(envelope.BodyEpoch()).Milliseconds() + int64(n)
	return envelope.Body(ms << (envelope.BodySequenceBits + envelope.BodyMachineBits)).In(3)
}

// gift is the n-th lucky envelope of a sender: paid, and opened by users within
// as many seconds for 1, 2, 3 … 40, 1 … fen. It has room for one more.
func gift(n int, sender envelope.UserID, users ...envelope.UserID) envelope.Statement {
	s := envelope.Statement{Snapshot: envelope.Snapshot{Envelope: envelope.Envelope{
		ID: idOf(n), Kind: envelope.Lucky, State: envelope.Active, Sender: sender, Total: 20_000, Count: len(users) + 1, ShareMax: 20_000,
		PaidAt: noon().Add(time.Duration(n) * time.Millisecond),
	}}}
	for i, u := range users {
		share := envelope.Share{Seq: i + 1, User: u, Amount: envelope.Fen(i%40 + 1), OpenedAt: s.Envelope.PaidAt.Add(time.Duration(i+1) * time.Second)}
		s.Shares = append(s.Shares, share)
		s.Envelope.Opened += share.Amount
		s.Envelope.OpenedCount++
	}
	return s
}

// expired is the gift after its life, its rest on the way back.
func expired(s envelope.Statement) envelope.Statement {
	s.Envelope.State, s.Envelope.Refunded = envelope.Expired, s.Envelope.Remaining()
	return s
}

// refunded is the expired gift after its rest has gone back.
func refunded(s envelope.Statement) envelope.Statement {
	s.Refund = envelope.Refund{Amount: s.Envelope.Refunded, PostedAt: noon().Add(24 * time.Hour)}
	return s
}

// told is all there is to tell of the statements.
func told(statements ...envelope.Statement) (facts []envelope.Fact) {
	for i := range statements {
		some, _ := envelope.Owed(&statements[i], envelope.Cursor{})
		facts = append(facts, some...)
	}
	return facts
}

// users are n names.
func users(n int) []envelope.UserID {
	all := make([]envelope.UserID, n)
	for i := range all {
		all[i] = envelope.UserID(fmt.Sprintf("user-%03d", i))
	}
	return all
}

func wantBusy(t testing.TB, err error, reason envelope.Reason) {
	t.Helper()
	busy, ok := errors.AsType[*envelope.BusyError](err)
	if !ok || busy.Reason != reason || busy.RetryAfter <= 0 {
		t.Fatalf("got %v, want a BusyError %s with a time to retry after", err, reason)
	}
}
