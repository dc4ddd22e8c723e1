package orderset_test

import (
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"hongbao/envelope"
	"hongbao/internal/settest"
	"hongbao/orderset"
)

// servers are the databases of every test in this package.
var servers settest.Servers

func TestMain(m *testing.M) {
	// Parallel tests here wait, for leases and timeouts to end; they hardly compute.
	if err := flag.Set("test.parallel", "16"); err != nil {
		panic(err)
	}
	useMemory()
	os.Exit(servers.Main(m))
}

// useMemory puts the servers' files into memory where there is room: nothing
// here pulls the plug, and an fsync there costs nothing.
func useMemory() {
	const dir, room = "/dev/shm", 4 << 30
	var fs syscall.Statfs_t
	if os.Getenv("TMPDIR") == "" && syscall.Statfs(dir, &fs) == nil && fs.Bavail*uint64(fs.Bsize) > room {
		os.Setenv("TMPDIR", dir)
	}
}

// eventually waits until done, asking again and again.
func eventually(t testing.TB, max time.Duration, what string, done func() bool) {
	t.Helper()
	ask := time.NewTicker(2 * time.Millisecond)
	defer ask.Stop()
	for deadline := time.Now().Add(max); !done(); <-ask.C {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", max, what)
		}
	}
}

// clock is the real one, moved by as much as a test says. It counts its
// readers.
type clock struct{ offset, reads atomic.Int64 }

func (c *clock) Now() time.Time {
	c.reads.Add(1)
	return time.Now().Add(time.Duration(c.offset.Load()))
}

func (c *clock) move(offset time.Duration) { c.offset.Store(int64(offset)) }

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// configOf is a router's configuration in a world, before a test changes it.
func configOf(w *settest.World, owner string) orderset.Config {
	return orderset.Config{
		Topology: w.Topology, App: w.App, DrawKey: w.DrawKey, Owner: owner,
		Now: time.Now, Log: quiet(),
	}
}

// topologyOf is the world's topology after a change to the specs.
func topologyOf(t testing.TB, w *settest.World, change func(specs []orderset.SetSpec)) orderset.Topology {
	t.Helper()
	specs := w.Topology.Specs()
	change(specs)
	topology, err := orderset.NewTopology(specs)
	if err != nil {
		t.Fatal(err)
	}
	return topology
}

// drawKey is a key that no world draws with.
func drawKey(t testing.TB) envelope.DrawKey {
	t.Helper()
	key, err := envelope.NewDrawKey([]byte("a draw key of 32 bytes, at least"))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// newRouter is a router that leases nothing yet.
func newRouter(t testing.TB, cfg orderset.Config) *settest.Router {
	t.Helper()
	r, err := orderset.NewRouter(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return &settest.Router{Router: r}
}

// nobodyThere is an address at which connections are refused.
func nobodyThere(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// wantBusy fails unless err is a BusyError of the reason.
func wantBusy(t testing.TB, err error, reason envelope.Reason) {
	t.Helper()
	busy, ok := errors.AsType[*envelope.BusyError](err)
	if !ok || busy.Reason != reason || busy.RetryAfter <= 0 {
		t.Fatalf("got %v, want a BusyError %s with a time to retry after", err, reason)
	}
}

func isBusy(err error) bool {
	_, busy := errors.AsType[*envelope.BusyError](err)
	return busy
}

// crowd is n users.
func crowd(n int) []envelope.UserID {
	users := make([]envelope.UserID, n)
	for i := range users {
		users[i] = envelope.UserID(fmt.Sprintf("user-%03d", i))
	}
	return users
}

// requests are users who all want the same envelope.
func requests(id envelope.ID, users ...envelope.UserID) []envelope.OpenRequest {
	reqs := make([]envelope.OpenRequest, len(users))
	for i, u := range users {
		reqs[i] = envelope.OpenRequest{ID: id, User: u}
	}
	return reqs
}

// open is a batch that must be answered.
func open(t testing.TB, s *orderset.Set, reqs []envelope.OpenRequest) []envelope.Opening {
	t.Helper()
	openings, err := s.Open(t.Context(), reqs)
	if err != nil {
		t.Fatalf("open %d: %v", len(reqs), err)
	}
	if len(openings) != len(reqs) {
		t.Fatalf("%d answers to %d requests", len(openings), len(reqs))
	}
	return openings
}

// find is the envelope as the database has it.
func find(t testing.TB, w *settest.World, id envelope.ID) envelope.Snapshot {
	t.Helper()
	snap, err := w.Router.Find(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

// wantShares fails unless openers hold exactly the shares of the openings, each
// opened by one request.
func wantShares(t testing.TB, w *settest.World, id envelope.ID, openings []envelope.Opening) {
	t.Helper()
	snap := find(t, w, id)
	if len(snap.Shares) != len(openings) || snap.Envelope.OpenedCount != len(openings) {
		t.Fatalf("%d shares are stored and %d counted, want %d", len(snap.Shares), snap.Envelope.OpenedCount, len(openings))
	}
	for i, o := range openings {
		if o.Err != nil || o.Outcome != envelope.Opened {
			t.Errorf("request %d: %s, %v, want opened", i, o.Outcome, o.Err)
		}
		if !sameShare(o.Share, snap.Shares[o.Share.Seq-1]) {
			t.Errorf("request %d was answered %+v, stored is %+v", i, o.Share, snap.Shares[o.Share.Seq-1])
		}
	}
}

func sameShare(a, b envelope.Share) bool {
	return a.Seq == b.Seq && a.User == b.User && a.Amount == b.Amount
}

// exec runs statements on one connection.
func exec(t testing.TB, db *sql.DB, statements ...string) {
	t.Helper()
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, statement := range statements {
		if _, err := conn.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// count is the one number a query answers with.
func count(t testing.TB, db *sql.DB, query string, args ...any) (n int64) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// envelopes and shares are the tables an ID lives in.
func envelopes(id envelope.ID) string {
	return fmt.Sprintf("envelope_%d_%02d", id.TableDigit(), id.Day().OfMonth())
}

func shares(id envelope.ID) string {
	return fmt.Sprintf("share_%d_%02d", id.TableDigit(), id.Day().OfMonth())
}

// threadID is a transaction's connection in SHOW ENGINE INNODB STATUS.
var threadID = regexp.MustCompile(`thread id (\d+)`)

// transactions counts the open transactions on the world's database whose
// description contains a word. It asks the monitor, because innodb_trx is a
// cache that is not renewed while it is being read.
func transactions(t testing.TB, admin *sql.DB, word string) (n int64) {
	t.Helper()
	var kind, name, status string
	if err := admin.QueryRowContext(t.Context(), "SHOW ENGINE INNODB STATUS").Scan(&kind, &name, &status); err != nil {
		t.Fatal(err)
	}
	_, status, _ = strings.Cut(status, "LIST OF TRANSACTIONS FOR EACH SESSION")
	here := sessions(t, admin)
	for block := range strings.SplitSeq(status, "---TRANSACTION") {
		id := threadID.FindStringSubmatch(block)
		if id != nil && strings.Contains(block, "ACTIVE") && strings.Contains(block, word) && slices.ContainsFunc(here, func(s session) bool { return s.id == id[1] }) {
			n++
		}
	}
	return n
}

// session is a connection as its server sees it.
type session struct{ id, user, command string }

// sessions are those on the world's database. They are asked for with SHOW: MySQL's
// table of them cannot be read while a statement with bytes in it runs.
func sessions(t testing.TB, admin *sql.DB) (all []session) {
	t.Helper()
	var database string
	if err := admin.QueryRowContext(t.Context(), "SELECT DATABASE()").Scan(&database); err != nil {
		t.Fatal(err)
	}
	rows, err := admin.QueryContext(t.Context(), "SHOW PROCESSLIST")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns() // the products differ after the eighth
	for err == nil && rows.Next() {
		var s session
		var host string
		var db sql.NullString
		into := []any{&s.id, &s.user, &host, &db, &s.command}
		for len(into) < len(columns) {
			into = append(into, new(any))
		}
		if err = rows.Scan(into...); db.String == database {
			all = append(all, s)
		}
	}
	if err = errors.Join(err, rows.Err()); err != nil {
		t.Fatal(err)
	}
	return all
}

// awaitLockWait waits until a transaction in the database waits for a lock.
func awaitLockWait(t testing.TB, admin *sql.DB) {
	t.Helper()
	eventually(t, 5*time.Second, "somebody waits for a lock", func() bool { return transactions(t, admin, "LOCK WAIT") > 0 })
}

// wantHealthyPool fails when a transaction was left open, or when a connection
// in the pool is not fit for use: it takes all of them at the same time.
func wantHealthyPool(t testing.TB, w *settest.World, set int) {
	t.Helper()
	const pool = 32
	var wg sync.WaitGroup
	eventually(t, 10*time.Second, "there is a machine number", func() bool { _, err := w.Router.Mint(t.Context()); return err == nil })
	e := w.Active(t, set, envelope.Order{Total: 2 * pool, Count: 2 * pool})
	for _, u := range crowd(2 * pool) {
		wg.Go(func() {
			openings, err := w.Router.Sets()[set].Open(t.Context(), requests(e.ID, u))
			if err != nil || openings[0].Outcome != envelope.Opened {
				t.Errorf("a connection of the pool is not healthy: %v, %v", openings, err)
			}
		})
	}
	wg.Wait()
	admin := w.Admin(t, set)
	eventually(t, 5*time.Second, "no transaction is left open", func() bool { return transactions(t, admin, "ACTIVE") == 0 })
}
