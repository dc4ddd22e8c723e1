package orderset_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hongbao/envelope"
	"hongbao/internal/settest"
	"hongbao/orderset/audit"
	"hongbao/reconcile"
)

// ledger is a world with one envelope of every kind and state, and a way to
// damage its rows and put them back.
type ledger struct {
	w     *settest.World
	admin *sql.Conn // on which no CHECK is made

	half, full, equal, exclusive, unpaid envelope.ID // 5 of 10, 10 of 10, 2 of 4, 1 of 1, none
	settled, gone, late                  envelope.ID // 2 of 2; 3 of 10, expired, the refund not posted; closed and then paid
	unspread                             envelope.ID // 4 of 10, and no transfer yet
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
	l.settled = opened(envelope.Order{Total: 200, Count: 2}, 2)
	carryOut(t, set)
	l.gone = expired(t, l.w, envelope.Order{Total: 1000, Count: 10}, crowd(3)...).ID
	late := l.w.Unpaid(t, 0, envelope.Order{Total: 300, Count: 3})
	l.late = late.ID
	if _, err := set.CloseUnpaid(t.Context(), late.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := set.Pay(t.Context(), payment(late, "tx-late")); err != nil {
		t.Fatal(err)
	}
	spread(t, set)
	l.unspread = opened(envelope.Order{Total: 1000, Count: 10}, 4)
	var err error
	if l.admin, err = l.w.Admin(t, 0).Conn(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.admin.Close() })
	withoutChecks(t, l.admin)
	l.tables = []string{"transfer", "decision", "payment", "payout_batch", "outbox"}
	for _, id := range []envelope.ID{l.half, l.full, l.equal, l.exclusive, l.unpaid, l.settled, l.gone, l.late, l.unspread, idOnDay(l.half, -1)} {
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
func settled(l *ledger) envelope.ID   { return l.settled }
func gone(l *ledger) envelope.ID      { return l.gone }
func late(l *ledger) envelope.ID      { return l.late }
func unspread(l *ledger) envelope.ID  { return l.unspread }

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
	{"a larger least share was promised", full, "UPDATE E SET share_min_fen = 300 WHERE order_id = ID", "draw"},
	{"a least share that was not given", settled, "UPDATE E SET share_min_fen = 101 WHERE order_id = ID", "I5"},
	{"another draw was promised", unpaid, "UPDATE E SET draw_commitment = REPEAT('x', 32) WHERE order_id = ID", "draw"},
	{"lucky has become equal", half, "UPDATE E SET kind = 'equal' WHERE order_id = ID", "draw"},
	{"equal has become lucky", equal, "UPDATE E SET kind = 'lucky' WHERE order_id = ID", "draw"},
	{"the named opener is another", exclusive, "UPDATE E SET recipient_id = 'user-001' WHERE order_id = ID", "I2"},
	{"one user holds two shares", half, "ALTER TABLE S DROP INDEX one_share_per_user; UPDATE S SET user_id = 'user-000' WHERE order_id = ID AND seq = 2", "I2"},
	{"opened after the end", half, "UPDATE E SET expires_at = expires_at - INTERVAL 2 DAY WHERE order_id = ID", "I6"},
	{"a payout is gone", settled, "DELETE FROM transfer WHERE order_id = ID AND seq = 2", "C3"},
	{"every payout is gone", half, "DELETE FROM transfer WHERE order_id = ID", "C3"},
	{"a payout is a fen too large", settled, "UPDATE transfer SET amount_fen = amount_fen + 1 WHERE order_id = ID AND seq = 1", "C3"},
	{"a payout is a fen too small", half, "UPDATE transfer SET amount_fen = amount_fen - 1 WHERE order_id = ID AND seq = 3", "C3"},
	{"a payout out of another charge", half, "UPDATE transfer SET charged_fen = charged_fen - 1 WHERE order_id = ID AND seq = 3", "C3"},
	{"a payout goes to another", half, "UPDATE transfer SET payee_id = 'thief' WHERE order_id = ID AND seq = 3", "C3"},
	{"a payout of a share that nobody has", half, "INSERT INTO transfer SELECT order_id, 6, round, 'thief', amount_fen, charged_fen, state, placed, placed_at, attempts, batch, tier, " +
		"provider_no, hint, reason, created_at, due_at, posted_at FROM transfer WHERE order_id = ID AND seq = 1", "C3"},
	{"a round that nobody has decided to begin", half, "UPDATE transfer SET round = 2 WHERE order_id = ID AND seq = 3", "I8"},
	{"a payout goes to another in a round that nobody has decided to begin", half, "UPDATE transfer SET round = 2, payee_id = 'thief' WHERE order_id = ID AND seq = 3", "C3"},
	{"a release that was only proposed has begun a round", half, "INSERT INTO decision (order_id, seq, round, action, payee_id, dispute_id, was_payee, was_batch, proposed_by, proposed_at, state, decided_by, decided_at) VALUES (ID, 3, 1, 'release', NULL, 0, 'x', '', 'ann', UTC_TIMESTAMP(3), 'withdrawn', 'bob', UTC_TIMESTAMP(3)); " +
		"UPDATE transfer SET round = 2 WHERE order_id = ID AND seq = 3", "I8"},
	{"a released payout goes to another", half, "INSERT INTO decision (order_id, seq, round, action, payee_id, dispute_id, was_payee, was_batch, proposed_by, proposed_at, state, decided_by, decided_at) VALUES (ID, 3, 1, 'release', NULL, 0, 'x', '', 'ann', UTC_TIMESTAMP(3), 'approved', 'bob', UTC_TIMESTAMP(3)); " +
		"UPDATE transfer SET round = 2, payee_id = 'thief' WHERE order_id = ID AND seq = 3", "C3"},
	{"a redirected payout goes to yet another", half, "INSERT INTO decision (order_id, seq, round, action, payee_id, dispute_id, was_payee, was_batch, proposed_by, proposed_at, state, decided_by, decided_at) VALUES (ID, 3, 1, 'redirect', 'heir', 0, 'x', '', 'ann', UTC_TIMESTAMP(3), 'approved', 'bob', UTC_TIMESTAMP(3)); " +
		"UPDATE transfer SET round = 2, payee_id = 'thief' WHERE order_id = ID AND seq = 3", "C3"},
	{"a refund in a round that nobody has decided to begin", gone, "UPDATE transfer SET round = 2 WHERE order_id = ID AND seq = 0", "I8"},
	{"a payout without its envelope", half, "UPDATE transfer SET order_id = '00000000000000000000000' WHERE order_id = ID AND seq = 2", "C3"},
	{"a payout of an envelope that was never sent", half, "INSERT INTO transfer SELECT NOBODY, seq, round, payee_id, amount_fen, charged_fen, state, placed, placed_at, attempts, batch, tier, " +
		"provider_no, hint, reason, created_at, due_at, posted_at FROM transfer WHERE order_id = ID AND seq = 1", "C3"},
	{"the outbox has lost a row", unspread, "UPDATE outbox SET state = 'spread' WHERE touched = ID", "C3"},
	{"the outbox row is gone", unspread, "DELETE FROM outbox WHERE touched = ID", "C3"},
	{"settled with a payout pending", settled, "UPDATE transfer SET state = 'pending', posted_at = NULL WHERE order_id = ID AND seq = 2", "I8"},
	{"settled with a payout held", settled, "UPDATE transfer SET state = 'held', posted_at = NULL WHERE order_id = ID AND seq = 2", "I8"},
	{"everything posted and not settled", settled, "UPDATE E SET state = 'empty' WHERE order_id = ID", "I8"},
	{"the refund is gone", gone, "DELETE FROM transfer WHERE order_id = ID AND seq = 0", "X1"},
	{"the refund is doubled", gone, "UPDATE transfer SET amount_fen = 2 * amount_fen WHERE order_id = ID AND seq = 0", "X1"},
	{"the refund is a fen too small", gone, "UPDATE transfer SET amount_fen = amount_fen - 1 WHERE order_id = ID AND seq = 0", "X1"},
	{"the refund goes to another", gone, "UPDATE transfer SET payee_id = 'thief' WHERE order_id = ID AND seq = 0", "X1"},
	{"a refund of what lives", half, "INSERT INTO transfer SELECT order_id, 0, round, 'sender', amount_fen, charged_fen, state, placed, placed_at, attempts, batch, tier, " +
		"provider_no, hint, reason, created_at, due_at, posted_at FROM transfer WHERE order_id = ID AND seq = 1", "X1"},
	{"a fen of the rest is forgotten", gone, "UPDATE E SET refunded_fen = refunded_fen - 1 WHERE order_id = ID; UPDATE transfer SET amount_fen = amount_fen - 1 WHERE order_id = ID AND seq = 0", "I8"},
	{"expired and nothing refunded", gone, "UPDATE E SET refunded_fen = 0 WHERE order_id = ID; DELETE FROM transfer WHERE order_id = ID AND seq = 0", "I8"},
	{"its life is over and nobody has noticed", unspread, "UPDATE E SET expires_at = UTC_TIMESTAMP(3) - INTERVAL 11 MINUTE WHERE order_id = ID", "X1"},
	{"paid late and kept", late, "UPDATE E SET refunded_fen = 0 WHERE order_id = ID; DELETE FROM transfer WHERE order_id = ID", "I8"},
	{"refunded though nobody paid", late, "UPDATE E SET transaction_id = NULL, paid_at = NULL WHERE order_id = ID", "I8"},
	{"the payment is in no list of the SET's", half, "DELETE FROM payment WHERE order_id = ID", "I7"},
	{"the list has another payment", half, "UPDATE payment SET transaction_id = 'tx-other' WHERE order_id = ID", "I7"},
	{"the header has another payment", half, "UPDATE E SET transaction_id = 'tx-other' WHERE order_id = ID", "I7"},
	{"a payment of what was never paid", unpaid, "INSERT INTO payment VALUES ('tx-other', ID, UTC_TIMESTAMP(3))", "I7"},
	{"two headers were paid by one number", settled, "UPDATE E SET transaction_id = 'tx-late' WHERE order_id = ID", "I7"},
	{"a payment of what cannot be an envelope", half, "UPDATE payment SET order_id = '00000000000000000000000' WHERE order_id = ID", "I7"},
	{"a payment of an envelope that was never sent", half, "INSERT INTO payment VALUES ('tx-other', NOBODY, UTC_TIMESTAMP(3))", "I7"},
	{"opened before the payment", half, "UPDATE S SET opened_at = opened_at - INTERVAL 1 DAY WHERE order_id = ID AND seq = 1", "I6"},
}

// I10: every rule of the audit finds the damage that is planted for it.
func TestEveryPlantedDamageIsFound(t *testing.T) {
	l := newLedger(t)
	l.w.CheckBooks(t) // nothing that is right is reported
	nobody := l.w.Sending(t, 0, envelope.Order{Total: 100, Count: 1}).Envelope.ID
	for _, d := range damages {
		id := d.of(l)
		fill := strings.NewReplacer(" ID", " '"+string(id)+"'", "(ID", "('"+string(id)+"'", "NOBODY", "'"+string(nobody)+"'", "OTHER", "'"+string(l.equal)+"'", " E ", " "+envelopes(id)+" ",
			" S ", " "+shares(id)+" ", " Y ", " "+envelopes(idOnDay(id, -1))+" ", " Z ", " "+shares(idOnDay(id, -1))+" ")
		for statement := range strings.SplitSeq(d.statements, ";") {
			statement = strings.ReplaceAll(statement, "order_id", "\x00") // no placeholder
			l.run(t, strings.ReplaceAll(fill.Replace(statement), "\x00", "order_id"))
		}
		books := l.w.Audit(t)[0]
		if !slices.ContainsFunc(books.Violations, func(v reconcile.Difference) bool { return v.Rule == d.breaks }) {
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
	if books.Set != l.w.Specs[0].Number.String() || books.Envelopes < 9 || books.Shares < 27 {
		t.Errorf("got %v, want 9 envelopes with 27 shares at least", books)
	}
	if books.Paid%10000 != 200+99+200+1000+300+1000 || books.Opened+books.Refunded+books.Remaining != books.Paid {
		t.Errorf("got %v, want 227.99 paid, and what else was full", books)
	}
	unspread := find(t, l.w, l.unspread).Envelope.Opened
	if books.Posted+books.Pending+unspread != books.Opened+books.Refunded || books.Held != 0 || books.Posted == 0 || books.PendingCount != 3+1+1 {
		t.Errorf("got %v, want what is opened and refunded posted, pending or yet to be spread (%v)", books, unspread)
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
		if len(books.Violations) == 0 || books.Violations[0].Key != string(ids[at]) {
			t.Errorf("the share planted at row %d was not found: %v", at, books)
		}
		exec(t, admin, fmt.Sprintf("DELETE FROM %s WHERE order_id = '%s'", shares(ids[at]), ids[at]))
	}
}

func TestAuditReportsAThousandAtMost(t *testing.T) {
	w := servers.World(t, 1)
	e := w.Active(t, 0, envelope.Order{Total: 1000, Count: 10})
	admin := w.Admin(t, 0)
	plant := fmt.Sprintf("INSERT INTO %s SELECT LPAD(seq, 23, '0'), 1, 'thief', 1, UTC_TIMESTAMP(3) FROM %s", shares(e.ID), upTo(1500))
	exec(t, admin, plant)
	if books := w.Audit(t)[0]; len(books.Violations) != 1000 {
		t.Errorf("%d violations are reported, want 1000", len(books.Violations))
	}
	exec(t, admin, fmt.Sprintf("DELETE FROM %s", shares(e.ID)))
}

func TestAnAuditNeedsADSNThatIsOne(t *testing.T) {
	for _, dsn := range []string{"nonsense", "audit@nowhere"} {
		if _, err := audit.OpenDSN(dsn, envelope.DrawKey{}); err == nil {
			t.Errorf("%q was taken for a DSN", dsn)
		}
	}
	a, err := audit.OpenDSN("audit:x@tcp("+nobodyThere(t)+")/hb_000", envelope.DrawKey{})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if _, err := a.Audit(t.Context()); err == nil {
		t.Error("a database that is not there was audited")
	}
}

// FG19: an audit while everything moves raises no false alarm.
func TestAuditUnderLoadRaisesNoFalseAlarm(t *testing.T) {
	w := servers.World(t, 1)
	s := w.Router.Sets()[0]
	var es []envelope.Envelope
	for i := range 40 {
		es = append(es, living(t, w, time.Duration(200+20*i)*time.Millisecond, envelope.Order{Total: 30000, Count: 300}))
	}
	stop := make(chan struct{})
	var moving sync.WaitGroup
	for o := range 3 {
		moving.Go(func() {
			for round := 0; ; round++ {
				select {
				case <-stop:
					return
				default:
				}
				var reqs []envelope.OpenRequest
				for i := range es {
					reqs = append(reqs, envelope.OpenRequest{ID: es[i].ID, User: envelope.UserID(fmt.Sprintf("u%d-%d", o, round))})
				}
				_, openErr := s.Open(t.Context(), reqs)
				_, spreadErr := s.Owed().Spread(t.Context(), 8)
				due, dueErr := s.DueExpiries(t.Context(), 3)
				for _, id := range due {
					if _, err := s.Expire(t.Context(), id); err != nil && !isBusy(err) {
						t.Error(err)
					}
				}
				ts, claimErr := s.Owed().ClaimTransfers(t.Context(), 200, lease)
				_, hearErr := s.Owed().RecordTransfers(t.Context(), say(envelope.ProgressDone, ts...))
				if err := errors.Join(openErr, spreadErr, dueErr, claimErr, hearErr); err != nil && !isBusy(err) {
					t.Error(err)
				}
			}
		})
	}
	for audits := 0; ; audits++ {
		books := w.CheckBooks(t)[0]
		if audits > 5 && books.Refunded > 0 && books.Posted > 0 {
			break
		}
	}
	close(stop)
	moving.Wait()
}

func TestTheAuditReadsFullEnvelopesInParts(t *testing.T) {
	w := servers.World(t, 1)
	admin := w.Admin(t, 0)
	const many = 45 // of 500 shares each, more than twenty thousand in one table
	var ids []envelope.ID
	for serial := 0; len(ids) < many; serial++ {
		b := envelope.Body(time.Since(envelope.BodyEpoch()).Milliseconds()<<22 | int64(serial))
		if b.TableDigit() == 4 {
			ids = append(ids, b.In(w.Specs[0].Number))
		}
	}
	for _, id := range ids {
		exec(t, admin, fmt.Sprintf("INSERT INTO %s (order_id, kind, state, ver, sender_id, group_id, greeting, total_fen, count, share_max_fen, opened_fen, "+
			"opened_count, draw_commitment, transaction_id, created_at, paid_at, expires_at, finished_at) VALUES ('%s','equal','settled',9,'ann','g','',500,500,1,500,500,"+
			"X'%s','%s',UTC_TIMESTAMP(3),UTC_TIMESTAMP(3),UTC_TIMESTAMP(3) + INTERVAL 1 DAY,UTC_TIMESTAMP(3))", envelopes(id), id, w.DrawKey.Seed(id).Commitment().Hex(), id))
	}
	exec(t, admin, fmt.Sprintf("INSERT INTO payment SELECT transaction_id, order_id, paid_at FROM %s", envelopes(ids[0])))
	list := "('" + strings.ReplaceAll(strings.Trim(fmt.Sprint(ids), "[]"), " ", "','") + "')"
	exec(t, admin,
		fmt.Sprintf("INSERT INTO %s SELECT order_id, seq, CONCAT('u', seq), 1, paid_at FROM %s JOIN %s WHERE order_id IN %s", shares(ids[0]), envelopes(ids[0]), upTo(500), list),
		"INSERT INTO transfer (order_id, seq, payee_id, amount_fen, charged_fen, state, placed, tier, created_at, due_at, posted_at) "+
			fmt.Sprintf("SELECT order_id, seq, user_id, amount_fen, 500, 'posted', TRUE, 2, opened_at, opened_at, opened_at FROM %s WHERE order_id IN %s", shares(ids[0]), list))
	if books := w.CheckBooks(t)[0]; books.Envelopes != many || books.Shares != 500*many || books.PostedCount != 500*many || books.Posted != 500*many {
		t.Errorf("got %v, want %d envelopes of 500 posted shares", books, many)
	}
	exec(t, admin, "UPDATE transfer SET payee_id = 'thief' WHERE seq = 500")
	books := w.Audit(t)[0]
	for i, v := range books.Violations {
		if v.Rule != "C3" || v.Key != string(ids[i]) {
			t.Errorf("violation %d is %v, want C3 of %s", i, v, ids[i])
		}
	}
	if len(books.Violations) != many {
		t.Errorf("%d violations, want %d", len(books.Violations), many)
	}
	exec(t, admin, "UPDATE transfer SET payee_id = 'u500' WHERE seq = 500")
}
