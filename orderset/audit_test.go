package orderset_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"hongbao/envelope"
	"hongbao/internal/settest"
	"hongbao/orderset"
)

// ledger is a world with one envelope of every kind and state, and a way to
// damage its rows and put them back.
type ledger struct {
	w     *settest.World
	admin *sql.Conn // on which no CHECK is made

	half, full, equal, exclusive, unpaid envelope.ID // 5 of 10, 10 of 10, 2 of 4, 1 of 1, none
	tables                               []string
}

func newLedger(t *testing.T) *ledger {
	t.Helper()
	l := &ledger{w: servers.World(t, 1)}
	set := l.w.Router.Sets()[0]
	opened := func(o envelope.Order, users int) envelope.ID {
		e := l.w.Active(t, 0, o)
		open(t, set, requests(e.ID, crowd(users)...))
		return e.ID
	}
	l.half = opened(envelope.Order{Total: 10000, Count: 10}, 5)
	for l.full == "" || find(t, l.w, l.full).Shares[0].Amount == find(t, l.w, l.full).Shares[1].Amount { // which may change places unseen
		l.full = opened(envelope.Order{Total: 10000, Count: 10}, 10)
	}
	l.equal = opened(envelope.Order{Kind: envelope.Equal, Share: 50, Count: 4}, 2)
	l.exclusive = opened(envelope.Order{Kind: envelope.Exclusive, Total: 99, Recipient: "user-000"}, 1)
	l.unpaid = l.w.Unpaid(t, 0, envelope.Order{Total: 500, Count: 5}).ID
	var err error
	if l.admin, err = l.w.Admin(t, 0).Conn(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.admin.Close() })
	l.run(t, "SET SESSION check_constraint_checks = 0")
	for _, id := range []envelope.ID{l.half, l.full, l.equal, l.exclusive, l.unpaid, idOnDay(l.half, -1)} {
		l.tables = append(l.tables, envelopes(id), shares(id))
	}
	slices.Sort(l.tables)
	l.tables = slices.Compact(l.tables)
	for _, table := range l.tables {
		l.run(t, "CREATE TABLE kept_"+table+" LIKE "+table, "INSERT INTO kept_"+table+" SELECT * FROM "+table)
	}
	return l
}

func (l *ledger) run(t *testing.T, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := l.admin.ExecContext(context.WithoutCancel(t.Context()), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// restore puts every row back.
func (l *ledger) restore(t *testing.T) {
	t.Helper()
	for _, table := range l.tables {
		l.run(t, "DELETE FROM "+table, "INSERT INTO "+table+" SELECT * FROM kept_"+table)
	}
}

// damage is one way in which rows can be wrong. In its statements E and S are
// the tables of the envelope, Y and Z those of the same digit a day earlier, ID
// and OTHER quoted order IDs.
type damage struct {
	name       string
	of         func(*ledger) envelope.ID
	statements string // separated by semicolons
	breaks     string // the invariant that must be named
}

func half(l *ledger) envelope.ID      { return l.half }
func full(l *ledger) envelope.ID      { return l.full }
func equal(l *ledger) envelope.ID     { return l.equal }
func exclusive(l *ledger) envelope.ID { return l.exclusive }
func unpaid(l *ledger) envelope.ID    { return l.unpaid }

var damages = []damage{
	{"the header has a fen too many opened", half, "UPDATE E SET opened_fen = opened_fen + 1 WHERE order_id = ID", "I1"},
	{"the header has a fen too few opened", half, "UPDATE E SET opened_fen = opened_fen - 1 WHERE order_id = ID", "I1"},
	{"the header counts a share too many", half, "UPDATE E SET opened_count = opened_count + 1 WHERE order_id = ID", "I1"},
	{"the header counts a share too few", half, "UPDATE E SET opened_count = opened_count - 1 WHERE order_id = ID", "I1"},
	{"a share has a fen too many", half, "UPDATE S SET amount_fen = amount_fen + 1 WHERE order_id = ID AND seq = 2", "I1"},
	{"a share has a fen too few", full, "UPDATE S SET amount_fen = amount_fen - 1 WHERE order_id = ID AND seq = 9", "I1"},
	{"a share of nothing", half, "UPDATE S SET amount_fen = 0 WHERE order_id = ID AND seq = 1", "I5"},
	{"a share beyond the cap", half, "UPDATE S SET amount_fen = 20001 WHERE order_id = ID AND seq = 1", "I5"},
	{"a share in the middle is gone", half, "DELETE FROM S WHERE order_id = ID AND seq = 3", "I4"},
	{"the last share is gone", full, "DELETE FROM S WHERE order_id = ID AND seq = 10", "I1"},
	{"all shares are gone", full, "DELETE FROM S WHERE order_id = ID", "I1"},
	{"two openers have changed places", full, "UPDATE S SET seq = 500 WHERE order_id = ID AND seq = 1;" +
		"UPDATE S SET seq = 1 WHERE order_id = ID AND seq = 2; UPDATE S SET seq = 2 WHERE order_id = ID AND seq = 500", "draw"},
	{"a position is left out", half, "UPDATE S SET seq = 6 WHERE order_id = ID AND seq = 5", "I4"},
	{"two shares have a fen more and less", half, "UPDATE S SET amount_fen = amount_fen + 1 WHERE order_id = ID AND seq = 1;" +
		"UPDATE S SET amount_fen = amount_fen - 1 WHERE order_id = ID AND seq = 2", "draw"},
	{"two equal shares have a fen more and less", equal, "UPDATE S SET amount_fen = 51 WHERE order_id = ID AND seq = 1;" +
		"UPDATE S SET amount_fen = 49 WHERE order_id = ID AND seq = 2", "draw"},
	{"row and header have a fen too many alike", half, "UPDATE S SET amount_fen = amount_fen + 1 WHERE order_id = ID AND seq = 5;" +
		"UPDATE E SET opened_fen = opened_fen + 1 WHERE order_id = ID", "draw"},
	{"somebody has a share that nobody opened", half, "INSERT INTO S VALUES (ID, 6, 'thief', 1, UTC_TIMESTAMP(3))", "I1"},
	{"the share of another envelope", half, "UPDATE S SET order_id = OTHER WHERE order_id = ID AND seq = 5", "I1"},
	{"a share without its envelope", half, "UPDATE S SET order_id = '00000000000000000000000' WHERE order_id = ID AND seq = 5", "I1"},
	{"the envelope is gone", half, "DELETE FROM E WHERE order_id = ID", "I1"},
	{"a share in another day's table", half, "INSERT INTO Z SELECT * FROM S WHERE order_id = ID AND seq = 5; DELETE FROM S WHERE order_id = ID AND seq = 5", "I1"},
	{"the envelope in another day's table", half, "INSERT INTO Y SELECT * FROM E WHERE order_id = ID; INSERT INTO Z SELECT * FROM S WHERE order_id = ID;" +
		"DELETE FROM E WHERE order_id = ID; DELETE FROM S WHERE order_id = ID", "I9"},
	{"a copy in another day's table", half, "INSERT INTO Y SELECT * FROM E WHERE order_id = ID; INSERT INTO Z SELECT * FROM S WHERE order_id = ID", "I9"},
	{"empty with shares left", half, "UPDATE E SET state = 'empty' WHERE order_id = ID", "I8"},
	{"active with no share left", full, "UPDATE E SET state = 'active' WHERE order_id = ID", "I8"},
	{"opened but never paid", half, "UPDATE E SET state = 'unpaid' WHERE order_id = ID", "I8"},
	{"opened but closed", half, "UPDATE E SET state = 'closed' WHERE order_id = ID", "I8"},
	{"active without a payment", half, "UPDATE E SET transaction_id = NULL WHERE order_id = ID", "I8"},
	{"active, paid at no time", half, "UPDATE E SET paid_at = NULL WHERE order_id = ID", "I8"},
	{"an unpaid one made active", unpaid, "UPDATE E SET state = 'active' WHERE order_id = ID", "I8"},
	{"refunded while it lives", half, "UPDATE E SET refunded_fen = 1 WHERE order_id = ID", "I8"},
	{"refunded though it is empty", full, "UPDATE E SET refunded_fen = 1 WHERE order_id = ID", "I8"},
	{"less than nothing refunded", half, "UPDATE E SET refunded_fen = -1 WHERE order_id = ID", "I8"},
	{"settled with money left", half, "UPDATE E SET state = 'settled', finished_at = UTC_TIMESTAMP(3) WHERE order_id = ID", "I8"},
	{"finished at no time", full, "UPDATE E SET finished_at = NULL WHERE order_id = ID", "I8"},
	{"more was paid than drawn from", full, "UPDATE E SET total_fen = total_fen + 1 WHERE order_id = ID", "I5"},
	{"one opener more was promised", half, "UPDATE E SET count = count + 1 WHERE order_id = ID", "draw"},
	{"another cap was promised", full, "UPDATE E SET share_max_fen = 1000 WHERE order_id = ID", "draw"},
	{"another draw was promised", unpaid, "UPDATE E SET draw_commitment = REPEAT('x', 32) WHERE order_id = ID", "draw"},
	{"lucky has become equal", half, "UPDATE E SET kind = 'equal' WHERE order_id = ID", "draw"},
	{"equal has become lucky", equal, "UPDATE E SET kind = 'lucky' WHERE order_id = ID", "draw"},
	{"the named opener is another", exclusive, "UPDATE E SET recipient_id = 'user-001' WHERE order_id = ID", "I2"},
	{"one user holds two shares", half, "ALTER TABLE S DROP INDEX one_share_per_user; UPDATE S SET user_id = 'user-000' WHERE order_id = ID AND seq = 2", "I2"},
	{"opened after the end", half, "UPDATE E SET expires_at = expires_at - INTERVAL 2 DAY WHERE order_id = ID", "I6"},
	{"opened before the payment", half, "UPDATE S SET opened_at = opened_at - INTERVAL 1 DAY WHERE order_id = ID AND seq = 1", "I6"},
}

func TestI10EveryPlantedDamageIsFound(t *testing.T) {
	l := newLedger(t)
	l.w.CheckBooks(t) // nothing that is right is reported
	for _, d := range damages {
		id := d.of(l)
		fill := strings.NewReplacer("ID", "'"+string(id)+"'", "OTHER", "'"+string(l.equal)+"'", " E ", " "+envelopes(id)+" ",
			" S ", " "+shares(id)+" ", " Y ", " "+envelopes(idOnDay(id, -1))+" ", " Z ", " "+shares(idOnDay(id, -1))+" ")
		for statement := range strings.SplitSeq(d.statements, ";") {
			statement = strings.ReplaceAll(statement, "order_id", "\x00") // no placeholder
			l.run(t, strings.ReplaceAll(fill.Replace(statement), "\x00", "order_id"))
		}
		books := l.w.Audit(t)[0]
		if !slices.ContainsFunc(books.Violations, func(v orderset.Violation) bool { return v.Invariant == d.breaks }) {
			t.Errorf("%s: %s was not found broken: %v", d.name, d.breaks, books)
		}
		l.restore(t)
		if strings.Contains(d.statements, "DROP INDEX") {
			l.run(t, "ALTER TABLE "+shares(id)+" ADD UNIQUE KEY one_share_per_user (order_id, user_id)")
		}
		if books := l.w.Audit(t)[0]; len(books.Violations) > 0 {
			t.Fatalf("%s: not restored: %v", d.name, books)
		}
	}
}

func TestTheAuditAddsUpEverything(t *testing.T) {
	l := newLedger(t)
	books := l.w.CheckBooks(t)[0]
	if books.Set != l.w.Specs[0].Number.String() || books.Envelopes < 5 || books.Shares < 18 {
		t.Errorf("got %v, want 5 envelopes with 18 shares at least", books)
	}
	if books.Paid%10000 != 200+99 || books.Opened+books.Remaining != books.Paid || books.Refunded != 0 {
		t.Errorf("got %v, want 202.99 paid", books)
	}
	if line := books.String(); !strings.Contains(line, "paid "+books.Paid.String()+" = opened ") || !strings.Contains(line, "0 violations") {
		t.Errorf("printed as %q", line)
	}
}

func TestTheAuditReadsPastOnePage(t *testing.T) {
	w := servers.World(t, 1)
	admin := w.Admin(t, 0)
	const rows = 4100 // more than two pages
	at, serial := time.Now(), 0
	var ids []envelope.ID
	for len(ids) < rows { // of one table
		b := envelope.Body(at.Sub(envelope.BodyEpoch()).Milliseconds()<<22 | int64(serial))
		serial++
		if b.TableDigit() == 4 {
			ids = append(ids, b.In(w.Specs[0].Number))
		}
	}
	var text strings.Builder
	fmt.Fprintf(&text, "INSERT INTO %s (order_id, kind, state, ver, sender_id, group_id, greeting, total_fen, count, share_max_fen, "+
		"draw_commitment, created_at, expires_at) VALUES ", envelopes(ids[0]))
	for i, id := range ids {
		if i > 0 {
			text.WriteString(",")
		}
		fmt.Fprintf(&text, "('%s','lucky','unpaid',1,'ann','g','',100,10,20000,X'%s',UTC_TIMESTAMP(3),UTC_TIMESTAMP(3))",
			id, w.DrawKey.Seed(id).Commitment().Hex())
	}
	exec(t, admin, text.String())
	if books := w.CheckBooks(t)[0]; books.Envelopes != rows {
		t.Errorf("%d envelopes were audited, want %d", books.Envelopes, rows)
	}
	for _, at := range []int{0, 1999, 2000, 3999, 4000, rows - 1} {
		exec(t, admin, fmt.Sprintf("INSERT INTO %s VALUES ('%s', 1, 'thief', 1, UTC_TIMESTAMP(3))", shares(ids[at]), ids[at]))
		books := w.Audit(t)[0]
		if len(books.Violations) == 0 || books.Violations[0].ID != ids[at] {
			t.Errorf("the share planted at row %d was not found: %v", at, books)
		}
		exec(t, admin, fmt.Sprintf("DELETE FROM %s WHERE order_id = '%s'", shares(ids[at]), ids[at]))
	}
}

func TestTheAuditReportsAThousandViolationsAndNoMore(t *testing.T) {
	w := servers.World(t, 1)
	e := w.Active(t, 0, envelope.Order{Total: 1000, Count: 10})
	admin := w.Admin(t, 0)
	plant := fmt.Sprintf("INSERT INTO %s SELECT LPAD(seq, 23, '0'), 1, 'thief', 1, UTC_TIMESTAMP(3) FROM seq_1_to_1500", shares(e.ID))
	exec(t, admin, plant)
	if books := w.Audit(t)[0]; len(books.Violations) != 1000 {
		t.Errorf("%d violations are reported, want 1000", len(books.Violations))
	}
	exec(t, admin, fmt.Sprintf("DELETE FROM %s", shares(e.ID)))
}

func TestAnAuditNeedsADSNThatIsOne(t *testing.T) {
	for _, dsn := range []string{"nonsense", "audit@nowhere"} {
		if _, err := orderset.NewAuditor(dsn, envelope.DrawKey{}); err == nil {
			t.Errorf("%q was taken for a DSN", dsn)
		}
	}
	a, err := orderset.NewAuditor("audit:x@tcp("+nobodyThere(t)+")/hb_000", envelope.DrawKey{})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if _, err := a.Audit(t.Context()); err == nil {
		t.Error("a database that is not there was audited")
	}
}
