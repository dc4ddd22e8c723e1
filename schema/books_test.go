package schema_test

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hongbao/schema"
)

// shardsUsed numbers the tests' shards; the last one stays free.
var shardsUsed atomic.Int64

// bookPlan is what a test's shard of the books is made of.
type bookPlan struct {
	schema.BookShard
	Environment string
	Accounts    schema.Accounts
}

func (p bookPlan) apply(t *testing.T) error {
	return schema.ApplyBooks(t.Context(), admin(t), p.BookShard, p.Accounts, p.Environment)
}

func (p bookPlan) fill(statement string) string {
	database := schema.BooksDatabaseName(p.Number)
	return strings.NewReplacer("{}", database, "ESCAPED", "`"+strings.ReplaceAll(database, "_", `\_`)+"`",
		"APP", "'"+p.Accounts.App.User+"'@'127.0.0.1'").Replace(statement)
}

func (p bookPlan) as(t *testing.T, c schema.Credential) *sql.DB {
	return open(t, server.DSN(c.User, c.Password, schema.BooksDatabaseName(p.Number)))
}

func (p bookPlan) verify(t *testing.T) []schema.Difference {
	t.Helper()
	diffs, err := schema.VerifyBooks(t.Context(), admin(t), p.BookShard, p.Accounts)
	if err != nil {
		t.Fatal(err)
	}
	return diffs
}

// newBooks is the plan of a shard that does not exist yet. Its accounts are
// those of a SET of its own.
func newBooks(t *testing.T) bookPlan {
	t.Helper()
	return bookPlan{
		BookShard:   schema.BookShard{Number: int(shardsUsed.Add(1)-1) % 99, Of: 100},
		Environment: "drill", Accounts: newSet(t).Accounts,
	}
}

func madeBooks(t *testing.T) bookPlan {
	t.Helper()
	p := newBooks(t)
	if err := p.apply(t); err != nil {
		t.Fatal(err)
	}
	return p
}

// contents is all that ApplyBooks has made of a shard.
func (p bookPlan) contents(t *testing.T) []string {
	t.Helper()
	db := admin(t)
	all := columns(t, db, p.fill("SHOW CREATE DATABASE {}"))
	for _, name := range []string{"book_info", "received", "sent", "summary", "send_key"} {
		all = append(all, columns(t, db, p.fill("SHOW CREATE TABLE {}.")+name)...)
		all = append(all, columns(t, db, p.fill("SELECT * FROM {}.")+name)...)
	}
	for _, c := range []schema.Credential{p.Accounts.App, p.Accounts.Audit} {
		all = append(all, columns(t, db, "SHOW GRANTS FOR '"+c.User+"'@'127.0.0.1'")...)
	}
	return all
}

func TestBooksAreNamedByTheirShard(t *testing.T) {
	for shard, want := range map[int]string{0: "hb_books_00", 7: "hb_books_07", 99: "hb_books_99"} {
		if got := schema.BooksDatabaseName(shard); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestApplyBooksTwiceChangesNothing(t *testing.T) {
	p := madeBooks(t)
	do(t, admin(t), p.fill("INSERT INTO {}.summary (user_id, year, sent_count, sent_fen) VALUES ('alice', 2026, 1, 1)"))
	before := p.contents(t)
	if len(before) < 11 {
		t.Fatalf("the snapshot has only %d parts", len(before))
	}
	if err := p.apply(t); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, p.contents(t)); diff != "" {
		t.Errorf("a second apply changed something (-before +after):\n%s", diff)
	}
}

// FH12: apply leaves books alone that are marked as another shard's or environment's.
func TestBooksMarkedOtherwiseAreNotTouched(t *testing.T) {
	p := madeBooks(t)
	before := p.contents(t)
	for want, change := range map[string]func(*bookPlan){
		`marked "drill" for shard %d of 100, not "production" for shard %[1]d of 100`: func(p *bookPlan) { p.Environment = "production" },
		`not "drill" for shard %d of 99`:                                              func(p *bookPlan) { p.Of = 99 },
	} {
		other := p
		change(&other)
		other.Accounts.App.Password = "another"
		want = fmt.Sprintf(want, p.Number)
		if err := other.apply(t); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
		if diff := cmp.Diff(before, p.contents(t)); diff != "" {
			t.Errorf("the refused apply changed something (-before +after):\n%s", diff)
		}
	}
}

func TestNonsenseAboutBooksIsRefused(t *testing.T) {
	for _, test := range []struct {
		want   string
		change func(*bookPlan)
	}{
		{"0 <= shard < 99", func(p *bookPlan) { p.Number, p.Of = 99, 99 }}, // newBooks never gives 99
		{"0 <= shard < 3", func(p *bookPlan) { p.Number, p.Of = -1, 3 }},
		{"1 <= shards <= 100", func(p *bookPlan) { p.Of = 0 }},
		{"1 <= shards <= 100", func(p *bookPlan) { p.Of = 101 }},
		{"environment", func(p *bookPlan) { p.Environment = "drill'" }},
		{"user", func(p *bookPlan) { p.Accounts.App.User = "a'b" }},
		{"password of audit", func(p *bookPlan) { p.Accounts.Audit.Password = "" }},
	} {
		p := newBooks(t)
		test.change(&p)
		if err := p.apply(t); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("error %v, want %q", err, test.want)
		}
		if got := columns(t, admin(t), p.fill("SHOW DATABASES LIKE '{}'")); got != nil {
			t.Errorf("%s: the database was made", test.want)
		}
	}
}

func TestAppKeepsBooksAndAuditReadsThem(t *testing.T) {
	p := madeBooks(t)
	app, audit := p.as(t, p.Accounts.App), p.as(t, p.Accounts.Audit)
	do(t, app, "INSERT INTO summary (user_id, year) VALUES ('alice', 2026)")
	do(t, app, "UPDATE summary SET sent_count = 1, sent_fen = 5")
	if got := queryString(t, audit, "SELECT sent_fen FROM summary"); got != "5" {
		t.Errorf("sent %s", got)
	}
	for _, statement := range []string{"DELETE FROM summary", "TRUNCATE TABLE received", "DROP TABLE sent", "ALTER TABLE sent DROP KEY newest"} {
		refused(t, app, statement, errTableDenied)
	}
	for _, statement := range []string{"UPDATE summary SET sent_fen = 6", "DELETE FROM sent"} {
		refused(t, audit, statement, errTableDenied)
	}
	similar := "hbx" + schema.BooksDatabaseName(p.Number)[2:]
	do(t, admin(t), "CREATE DATABASE "+similar)
	do(t, admin(t), "CREATE TABLE "+similar+".secret (id INT)")
	refused(t, app, "SELECT id FROM "+similar+".secret", errTableDenied)
}

func TestEveryBooksCheckRefusesItsCase(t *testing.T) {
	p := madeBooks(t)
	app := p.as(t, p.Accounts.App)
	sound := map[string]columnValues{
		"received": {"user_id": "'bob'", "order_id": "'00000000000000000000033'", "year": "2026", "seq": "1", "sender_id": "'alice'", "kind": "'lucky'",
			"amount_fen": "7", "best_luck": "1", "opened_at": "UTC_TIMESTAMP(3)"},
		"sent": {"user_id": "'alice'", "order_id": "'00000000000000000000033'", "year": "2026", "kind": "'equal'", "total_fen": "900", "`count`": "3",
			"refunded_fen": "900", "paid_at": "UTC_TIMESTAMP(3)"},
		"summary": {"user_id": "'alice'", "year": "2026", "sent_count": "1", "sent_fen": "900", "refunded_fen": "900", "received_count": "2",
			"received_fen": "2", "best_luck_count": "2"},
		"book_info": {"shard_number": fmt.Sprint(p.Number), "shard_count": "100", "environment": "'drill'", "cluster_uuid": "UUID()"},
	}
	for _, table := range []string{"received", "sent", "summary"} {
		if err := insert(t, app, table, sound[table], nil); err != nil {
			t.Errorf("%s: %v", table, err)
		}
	}
	seen := map[string]bool{}
	for _, test := range []struct {
		table, check string
		change       columnValues
	}{
		{"received", "year", columnValues{"year": "2024"}},
		{"received", "year", columnValues{"year": "2101"}},
		{"received", "seq", columnValues{"seq": "0"}},
		{"received", "seq", columnValues{"seq": "501"}},
		{"received", "amount", columnValues{"amount_fen": "0"}},
		{"received", "amount", columnValues{"amount_fen": "20001"}},
		{"received", "best_luck", columnValues{"best_luck": "2"}},
		{"received", "best_luck", columnValues{"kind": "'equal'"}},
		{"sent", "year", columnValues{"year": "2024"}},
		{"sent", "count", columnValues{"`count`": "501"}},
		{"sent", "total", columnValues{"total_fen": "2", "refunded_fen": "0"}},
		{"sent", "total", columnValues{"total_fen": "60001"}},
		{"sent", "refunded", columnValues{"refunded_fen": "901"}},
		{"sent", "refunded", columnValues{"refunded_fen": "-1"}},
		{"summary", "year", columnValues{"year": "2101"}},
		{"summary", "sent", columnValues{"sent_count": "901"}},
		{"summary", "sent", columnValues{"sent_count": "-1"}},
		{"summary", "refunded", columnValues{"refunded_fen": "901"}},
		{"summary", "received", columnValues{"received_fen": "1"}},
		{"summary", "best_luck", columnValues{"best_luck_count": "3"}},
		{"book_info", "is_this_shard", columnValues{"shard_number": "1000"}},
		{"book_info", "is_this_shard", columnValues{"shard_count": "99"}},
	} {
		err := insert(t, app, test.table, sound[test.table], test.change)
		wantCheck(t, err, test.table, test.check)
		seen[test.table+"_"+test.check] = true
	}
	checks := columns(t, admin(t), p.fill("SELECT constraint_name FROM information_schema.check_constraints WHERE constraint_schema = '{}'"))
	for _, row := range checks {
		if name := strings.Fields(strings.Trim(row, "[{}]"))[0]; !seen[name] {
			t.Errorf("CHECK %s has no row here that it refuses", name)
		}
	}
	if len(checks) != len(seen) {
		t.Errorf("%d CHECKs, %d are tried", len(checks), len(seen))
	}
}

func TestVerifyBooksPassesWhatApplyMade(t *testing.T) {
	p := madeBooks(t)
	before := p.contents(t)
	if diffs := p.verify(t); diffs != nil {
		t.Errorf("differences: %v", diffs)
	}
	if diff := cmp.Diff(before, p.contents(t)); diff != "" {
		t.Errorf("verify changed something (-before +after):\n%s", diff)
	}
}

func TestVerifyBooksFindsOtherShardCounts(t *testing.T) {
	p := madeBooks(t)
	p.Of = 99
	got := map[string]string{}
	for _, d := range p.verify(t) {
		got[d.Object] = d.Want + " / " + d.Got
	}
	mark := fmt.Sprintf("shard %d of 99 / shard %[1]d of 100", p.Number)
	if check := p.fill("{}.book_info CONSTRAINT `book_info_is_this_shard`"); len(got) != 2 || got[check] == "" || got[p.fill("{}.book_info")] != mark {
		t.Errorf("found %q, want the CHECK and %s", got, mark)
	}
}

func TestVerifyBooksFindsPlantedDifferences(t *testing.T) {
	for name, test := range map[string]struct{ plant, object, want, got string }{
		"a dropped CHECK":      {"ALTER TABLE {}.summary DROP CONSTRAINT summary_refunded", "{}.summary CONSTRAINT `summary_refunded`", "between 0 and `sent_fen`", "absent"},
		"a missing index":      {"ALTER TABLE {}.received DROP KEY newest", "{}.received KEY `newest`", "(`user_id`,`year`,`opened_at`,`order_id`)", "absent"},
		"another type":         {"ALTER TABLE {}.sent MODIFY total_fen INT NOT NULL", "{}.sent `total_fen`", "bigint" + width("(20)") + " NOT NULL", "int" + width("(11)") + " NOT NULL"},
		"another collation":    {"ALTER TABLE {}.received MODIFY user_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_general_ci NOT NULL", "{}.received `user_id`", "ascii_bin", "ascii_general_ci"},
		"a missing table":      {"DROP TABLE {}.sent", "{}.sent", "a table", "absent"},
		"a table too many":     {"CREATE TABLE {}.notes (id INT)", "{}.notes", "absent", "a table"},
		"a trigger":            {"CREATE TRIGGER {}.tax BEFORE INSERT ON {}.sent FOR EACH ROW SET NEW.total_fen = 1", "{}.sent TRIGGER tax", "absent", "a trigger"},
		"no mark":              {"DELETE FROM {}.book_info", "{}.book_info", "of 100", "absent"},
		"no table of the mark": {"DROP TABLE {}.book_info", "{}.book_info", "a table", "absent"},
		"a missing database":   {"DROP DATABASE {}", "database {}", "utf8mb4_bin", "absent"},
		"a default collation":  {"ALTER DATABASE {} COLLATE utf8mb4_general_ci", "database {}", "utf8mb4_bin", "utf8mb4_general_ci"},
		"DELETE for app":       {"GRANT DELETE ON ESCAPED.* TO APP", "account APP on ESCAPED.*", "INSERT, SELECT, UPDATE", "DELETE, INSERT, SELECT, UPDATE"},
		"more than its own":    {"GRANT SELECT ON mysql.* TO APP", "account APP on `mysql`.*", "absent", "SELECT"},
		"a grant taken away":   {"REVOKE UPDATE ON ESCAPED.* FROM APP", "account APP on ESCAPED.*", "INSERT, SELECT, UPDATE", "INSERT, SELECT"},
		"a role":               {"CREATE ROLE role_{}; GRANT role_{} TO APP", "account APP on GRANT `role_", "absent", "TO `app"},
		"no account":           {"DROP USER APP", "account APP", "an account", "absent"},
	} {
		t.Run(name, func(t *testing.T) {
			p := madeBooks(t)
			for statement := range strings.SplitSeq(p.fill(test.plant), "; ") {
				do(t, admin(t), statement)
			}
			diffs := p.verify(t)
			i := slices.IndexFunc(diffs, func(d schema.Difference) bool { return strings.HasPrefix(d.Object, p.fill(test.object)) })
			if i < 0 || len(diffs) > 1 || !strings.Contains(diffs[i].Want, test.want) || !strings.Contains(diffs[i].Got, test.got) {
				t.Errorf("found %q, want %q alone: %q against %q", diffs, p.fill(test.object), test.want, test.got)
			}
		})
	}
}
