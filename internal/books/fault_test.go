package books_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hongbao/envelope"
	"hongbao/internal/books"
	"hongbao/internal/settest"
	"hongbao/schema"
)

func busy(err error) (*envelope.BusyError, bool) { return errors.AsType[*envelope.BusyError](err) }

// FA1: TestPostWithALostCommitIsRepeated loses it before and after the server
// has it. The client cannot tell these apart; the sums must be right in both.
func TestPostWithALostCommitIsRepeated(t *testing.T) {
	for name, fault := range map[string]settest.Fault{"before": settest.LostBefore, "after": settest.LostAfter} {
		t.Run(name, func(t *testing.T) {
			l := newLibrary(t, 1)
			e := refunded(expired(gift(1, "alice", users(30)...)))
			l.proxies[0].Lose(fault, "COMMIT")
			l.post(t, told(e)...)
			if hits := l.proxies[0].Hits(); hits != 1 {
				t.Fatalf("%d faults happened, want 1", hits)
			}
			l.wantTruth(t, e)
			if n := metric(t, l, "hongbao_books_commit_unknown_total"); n != 1 {
				t.Errorf("%v commits without an answer are counted, want 1", n)
			}
		})
	}
}

// FA1: TestPostThatGivesUpMayBeRepeated loses every answer until Post gives up.
func TestPostThatGivesUpMayBeRepeated(t *testing.T) {
	for name, fault := range map[string]settest.Fault{"before": settest.LostBefore, "after": settest.LostAfter} {
		t.Run(name, func(t *testing.T) {
			l := newLibrary(t, 1)
			e := refunded(expired(gift(1, "alice", users(30)...)))
			for range 3 {
				l.proxies[0].Lose(fault, "COMMIT")
			}
			if err := l.Post(t.Context(), told(e)); !errors.Is(err, envelope.ErrUnknownOutcome) {
				t.Fatalf("got %v, want an unknown outcome", err)
			}
			l.post(t, told(e)...)
			if hits := l.proxies[0].Hits(); hits != 3 {
				t.Fatalf("%d faults happened, want 3", hits)
			}
			l.wantTruth(t, e)
		})
	}
}

// FA1: any statement of a post may be lost; the repeat leaves the sums right.
func TestLostConnectionLeavesTheSumsRight(t *testing.T) {
	l := newLibrary(t, 1)
	var truth []envelope.Statement
	for i, statement := range []string{"START TRANSACTION", "INSERT INTO summary", "SELECT user_id", "INSERT INTO received", "INSERT INTO sent"} {
		for j, fault := range []settest.Fault{settest.LostBefore, settest.LostAfter} {
			e := refunded(expired(gift(2*i+j, "alice", users(10)...)))
			truth = append(truth, e)
			l.proxies[0].Lose(fault, statement)
			wantBusy(t, l.Post(t.Context(), told(e)), envelope.ReasonBooksUnavailable)
			l.post(t, told(e)...)
			l.wantTruth(t, truth...)
		}
	}
	if hits := l.proxies[0].Hits(); hits != len(truth) {
		t.Fatalf("%d faults happened, want %d", hits, len(truth))
	}
}

// FA9: TestPostRetriesAfterALockWait holds a user's sums for longer than one
// lock wait.
func TestPostRetriesAfterALockWait(t *testing.T) {
	l := newLibrary(t, 1)
	e := gift(1, "alice", "bob")
	l.post(t, told(e)...)
	tx, err := admin(t, schema.BooksDatabaseName(0)).BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(t.Context(), "SELECT * FROM summary WHERE user_id = 'bob' FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	posted := make(chan error, 1)
	e = expired(e)
	go func() { posted <- l.Post(t.Context(), told(e)) }()
	ask := time.NewTicker(5 * time.Millisecond)
	defer ask.Stop()
	for metric(t, l, "hongbao_books_again_total") == 0 {
		select {
		case err := <-posted:
			t.Fatalf("the post did not wait: %v", err)
		case <-ask.C:
		}
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-posted; err != nil {
		t.Fatal(err)
	}
	l.wantTruth(t, e)
}

// metric sums a metric over the shards.
func metric(t testing.TB, l *library, name string) (sum float64) {
	t.Helper()
	reg := prometheus.NewRegistry()
	if err := l.Register(reg); err != nil {
		t.Fatal(err)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

// nobodyThere is an address at which connections are refused.
func nobodyThere(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func TestDownShardFailsOnlyItsUsers(t *testing.T) {
	l := newLibrary(t, 3)
	const down = 1
	cfg := l.cfg
	cfg.Shards = slices.Clone(cfg.Shards)
	cfg.Shards[down].Addr = nobodyThere(t)
	crippled := open(t, cfg)
	err := crippled.Check(t.Context())
	wantBusy(t, err, envelope.ReasonBooksUnavailable)
	if errors.Is(err, books.ErrWrongShard) {
		t.Errorf("a shard that is down is called wrong: %v", err)
	}
	there, gone := usersOf(t, l, cfg.Shards, down)
	e := gift(1, there[0], there[1:]...)
	if err := crippled.Post(t.Context(), told(e)); err != nil {
		t.Errorf("a post that does not need the shard: %v", err)
	}
	l.wantTruth(t, e)
	if _, err := crippled.Summary(t.Context(), there[0], 2026); err != nil {
		t.Errorf("a read that does not need it: %v", err)
	}
	mixed := gift(2, there[0], append(there[1:], gone...)...)
	wantBusy(t, crippled.Post(t.Context(), told(mixed)), envelope.ReasonBooksUnavailable)
	_, err = crippled.Summary(t.Context(), gone[0], 2026)
	wantBusy(t, err, envelope.ReasonBooksUnavailable)
	_, _, err = crippled.Sent(t.Context(), gone[0], 2026, "")
	wantBusy(t, err, envelope.ReasonBooksUnavailable)
	if got, err := crippled.Summary(t.Context(), there[0], 2026); err != nil || got.SentCount != 2 {
		t.Errorf("the shards that are up were not written: %+v, %v", got, err)
	}
	l.post(t, told(mixed)...) // the shard is back
	l.wantTruth(t, e, mixed)
}

// usersOf tells users of one shard from the others by where a post has put them.
func usersOf(t testing.TB, l *library, shards []books.Shard, shard int) (elsewhere, there []envelope.UserID) {
	t.Helper()
	e := gift(999, "nobody", users(40)...)
	l.post(t, told(e)...)
	db := admin(t, "")
	rows, err := db.QueryContext(t.Context(), "SELECT user_id FROM "+schema.BooksDatabaseName(shard)+".received")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var user envelope.UserID
		if err := rows.Scan(&user); err != nil {
			t.Fatal(err)
		}
		there = append(there, user)
	}
	for _, user := range users(40) {
		if !slices.Contains(there, user) {
			elsewhere = append(elsewhere, user)
		}
	}
	if len(there) < 3 || len(elsewhere) < 3 {
		t.Fatalf("%d users in shard %d, %d elsewhere", len(there), shard, len(elsewhere))
	}
	for i := range shards {
		for _, table := range []string{"received", "sent", "summary"} {
			exec(t, db, "DELETE FROM "+schema.BooksDatabaseName(i)+"."+table)
		}
	}
	return elsewhere, there
}

// TestUnsafeShardKeepsNoBooks holds FS21.
func TestUnsafeShardKeepsNoBooks(t *testing.T) {
	l := newLibrary(t, 2)
	db := admin(t, "")
	for _, c := range []struct{ spoil, mend, want string }{
		{"SET GLOBAL sync_binlog = 0", "SET GLOBAL sync_binlog = 1", `sync_binlog is "0", want "1"`},
		{
			"ALTER TABLE " + schema.BooksDatabaseName(1) + ".received ADD note TEXT", "ALTER TABLE " + schema.BooksDatabaseName(1) + ".received DROP note",
			"hb_books_01 was made by another version of this program: hb_books_01.received `note`: want absent, got text",
		},
	} {
		exec(t, db, c.spoil)
		spoiled := open(t, l.cfg)
		err := spoiled.Check(t.Context())
		post := spoiled.Post(t.Context(), told(gift(1, "alice", users(40)...)))
		exec(t, db, c.mend)
		if _, temporary := busy(err); err == nil || temporary || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
		// What is posted waits until it is put right, however long that is.
		if _, temporary := busy(post); !temporary || !strings.Contains(post.Error(), c.want) {
			t.Errorf("post: %v, want it put off because %q", post, c.want)
		}
		mended := time.Now()
		for spoiled.Check(t.Context()) != nil && time.Since(mended) < 10*time.Second {
			<-time.After(50 * time.Millisecond)
		}
		if err := spoiled.Check(t.Context()); err != nil {
			t.Errorf("mended: %v", err)
		}
	}
}

func TestReorderedShardsAreNotUsed(t *testing.T) {
	l := newLibrary(t, 3)
	if err := l.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	named := slices.Clone(l.cfg.Shards)
	for i := range named {
		named[i].Database = schema.BooksDatabaseName(i)
	}
	for name, shards := range map[string][]books.Shard{
		"swapped": {named[1], named[0], named[2]}, "too few": named[:2], "one alone": {named[2]},
	} {
		wrong := open(t, books.Config{Shards: shards, App: l.cfg.App})
		if err := wrong.Check(t.Context()); !errors.Is(err, books.ErrWrongShard) {
			t.Errorf("%s: %v, want to hear that the list is wrong", name, err)
		}
		err := wrong.Post(t.Context(), told(gift(1, "alice", users(40)...)))
		if _, temporary := busy(err); !errors.Is(err, books.ErrWrongShard) || !temporary {
			t.Errorf("%s: post: %v, want it put off and to hear that the list is wrong", name, err)
		}
		refused := 0
		for _, user := range users(40) {
			if _, err := wrong.Summary(t.Context(), user, 2026); err != nil {
				refused++
			}
		}
		if refused < 10 {
			t.Errorf("%s: only %d of 40 users were not read", name, refused)
		}
	}
	for i := range 2 { // the third is where it should be in one of the lists
		var rows int
		if err := admin(t, schema.BooksDatabaseName(i)).QueryRowContext(t.Context(), "SELECT COUNT(*) FROM summary").Scan(&rows); err != nil || rows > 0 {
			t.Errorf("shard %d has %d rows, %v", i, rows, err)
		}
	}
}

func TestCanceledCallIsBusy(t *testing.T) {
	l := newLibrary(t, 1)
	l.post(t, told(gift(1, "alice"))...)
	ctx, leave := context.WithCancel(t.Context())
	leave()
	_, err := l.Summary(ctx, "alice", 2026)
	wantBusy(t, err, "canceled")
	wantBusy(t, l.Post(ctx, told(gift(2, "alice"))), "canceled")
}

func TestInvalidConfigIsRefused(t *testing.T) {
	app := books.Account{User: "app"}
	for want, cfg := range map[string]books.Config{
		"1 <= shards":         {App: app},
		"shards <= 100":       {App: app, Shards: make([]books.Shard, 101)},
		"account is required": {Shards: []books.Shard{{Addr: "127.0.0.1:1"}}},
		"want an address":     {App: app, Shards: []books.Shard{{Addr: "127.0.0.1:1"}, {}}},
		"no database twice":   {App: app, Shards: []books.Shard{{Addr: "a:1", Database: "x"}, {Addr: "a:1", Database: "x"}}},
	} {
		if _, err := books.Open(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
