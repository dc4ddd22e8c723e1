package schema_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/google/go-cmp/cmp"

	"hongbao/schema"
)

// snapshot is all that ApplySet and MakeDayTables have made of a SET.
func snapshot(t *testing.T, db *sql.DB, cfg setPlan) []string {
	t.Helper()
	all := columns(t, db, in(cfg, "SHOW CREATE DATABASE {}"))
	for _, name := range columns(t, db, in(cfg, "SELECT table_name FROM information_schema.tables WHERE table_schema = '{}' ORDER BY 1")) {
		name = strings.Trim(name, "[{}]")
		name, _, _ = strings.Cut(name, " ")
		all = append(all, columns(t, db, in(cfg, "SHOW CREATE TABLE {}.")+name)...)
		all = append(all, columns(t, db, in(cfg, "SELECT * FROM {}.")+name)...)
	}
	for _, c := range []schema.Credential{cfg.Accounts.App, cfg.Accounts.Migrator, cfg.Accounts.Audit, cfg.Accounts.Arbiter} {
		all = append(all, columns(t, db, "SHOW GRANTS FOR '"+c.User+"'@'127.0.0.1'")...)
	}
	return all
}

func TestApplyTwiceChangesNothing(t *testing.T) {
	db := admin(t)
	cfg := madeSet(t)
	do(t, db, in(cfg, "UPDATE {}.machine_lease SET owner = 'someone', term = 9, leased_until_ms = 1800000000000 WHERE machine_id = 65"))
	do(t, db, in(cfg, "INSERT INTO {}.share_3_05 VALUES ('00000000000000000000033', 1, 'bob', 5, UTC_TIMESTAMP(3))"))
	before := snapshot(t, db, cfg)
	if len(before) < 50 {
		t.Fatalf("the snapshot has only %d parts", len(before))
	}
	if err := cfg.apply(t); err != nil {
		t.Fatal(err)
	}
	makeDays(t, cfg)
	if diff := cmp.Diff(before, snapshot(t, db, cfg)); diff != "" {
		t.Errorf("a second apply changed something (-before +after):\n%s", diff)
	}
}

func TestApplyMakesWhatIsMissing(t *testing.T) {
	db := admin(t)
	cfg := madeSet(t)
	do(t, db, in(cfg, "DROP TABLE {}.outbox"))
	do(t, db, "DROP USER '"+cfg.Accounts.Audit.User+"'@'127.0.0.1'")
	cfg.Machines = append(cfg.Machines, 4095)
	if err := cfg.apply(t); err != nil {
		t.Fatal(err)
	}
	if diffs, err := schema.VerifySet(t.Context(), db, cfg.Set, cfg.Accounts, nil); err != nil || diffs != nil {
		t.Errorf("differences %v, error %v", diffs, err)
	}
	if got := queryString(t, db, in(cfg, "SELECT GROUP_CONCAT(machine_id ORDER BY machine_id) FROM {}.machine_lease WHERE owner = '' AND term = 0 AND leased_until_ms = 0")); got != "64,65,66,4095" {
		t.Errorf("free machines: %s", got)
	}
}

func TestApplyChangesPasswords(t *testing.T) {
	cfg := madeSet(t)
	old := cfg.Accounts.App
	cfg.Accounts.App.Password = "another 密码"
	if err := cfg.apply(t); err != nil {
		t.Fatal(err)
	}
	if err := as(t, cfg, cfg.Accounts.App).PingContext(t.Context()); err != nil {
		t.Errorf("the new password: %v", err)
	}
	if err := as(t, cfg, old).PingContext(t.Context()); err == nil {
		t.Error("the old password is still good")
	}
}

func TestPasswordsAreNeverSent(t *testing.T) {
	db := admin(t)
	cfg := newSet(t)
	cfg.Accounts.App.Password = "seen-by-nobody"
	do(t, db, "FLUSH BINARY LOGS")
	if err := cfg.apply(t); err != nil {
		t.Fatal(err)
	}
	var binlog string
	for _, row := range columns(t, db, "SHOW BINARY LOGS") {
		binlog, _, _ = strings.Cut(strings.TrimPrefix(row, "[{"), " ") // the last one stays
	}
	events := strings.Join(columns(t, db, "SHOW BINLOG EVENTS IN '"+binlog+"'"), "\n")
	if !strings.Contains(events, cfg.Accounts.App.User) {
		t.Fatal("the binlog does not show the account at all")
	}
	if strings.Contains(events, "seen-by-nobody") {
		t.Error("the binlog holds a password")
	}
}

// FH12: apply leaves a database alone that is marked as another SET's or environment's.
func TestForeignDatabaseIsNotTouched(t *testing.T) {
	db := admin(t)
	cfg := madeSet(t)
	before := snapshot(t, db, cfg)
	other := cfg
	other.Environment, other.Machines = "production", []int{1000}
	other.Accounts.App.Password = "another"
	err := other.apply(t)
	if want := fmt.Sprintf(`marked "drill" for SET %d, not "production"`, cfg.Set); err == nil || !strings.Contains(err.Error(), want) {
		t.Fatalf("error %v", err)
	}
	if diff := cmp.Diff(before, snapshot(t, db, cfg)); diff != "" {
		t.Errorf("the refused apply changed something (-before +after):\n%s", diff)
	}
	if got := queryString(t, db, in(cfg, "SELECT CONCAT(set_number, environment, LENGTH(cluster_uuid)) FROM {}.set_info")); got != strings.TrimLeft(schema.DatabaseName(cfg.Set), "hb_0")+"drill36" {
		t.Errorf("set_info is %s", got)
	}
}

func TestInvalidConfigIsRefused(t *testing.T) {
	for _, test := range []struct {
		want   string
		change func(*setPlan)
	}{
		{"0 <= SET <= 999", func(c *setPlan) { c.Set = 1000 }},
		{"environment", func(c *setPlan) { c.Environment = "" }},
		{"environment", func(c *setPlan) { c.Environment = "drill'" }},
		{"0 <= machine <= 4095", func(c *setPlan) { c.Machines = []int{4096} }},
		{"0 <= machine <= 4095", func(c *setPlan) { c.Machines = []int{-1} }},
		{"user", func(c *setPlan) { c.Accounts.App.User = "a'b" }},
		{"user", func(c *setPlan) { c.Accounts.Audit.User = "" }},
		{"two roles", func(c *setPlan) { c.Accounts.App.User = c.Accounts.Arbiter.User }},
		{"host", func(c *setPlan) { c.Accounts.Host = "127.0.0.1' OR '" }},
		{"password of arbiter", func(c *setPlan) { c.Accounts.Arbiter.Password = "" }},
	} {
		cfg := newSet(t)
		test.change(&cfg)
		if err := cfg.apply(t); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("error %v, want %q", err, test.want)
		}
		if got := columns(t, admin(t), in(cfg, "SHOW DATABASES LIKE '{}'")); got != nil {
			t.Errorf("%s: the database was made", test.want)
		}
	}
}

func TestCredentialsPrintWithoutPassword(t *testing.T) {
	if got := (schema.Credential{User: "app", Password: "secret"}).String(); got != "app" {
		t.Errorf("got %s", got)
	}
}

// FC19: TestDayTablesWaitForNoMetadataLock holds the lock that CREATE TABLE
// needs, for longer than anybody would want to wait.
func TestDayTablesWaitForNoMetadataLock(t *testing.T) {
	cfg := madeSet(t)
	holder, err := admin(t).Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close()
	if _, err := holder.ExecContext(t.Context(), in(cfg, "LOCK TABLES {}.share_0_05 WRITE")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second) // the server's own setting is 10 s
	defer cancel()
	err = schema.MakeDayTables(ctx, as(t, cfg, cfg.Accounts.Migrator), cfg.Set, 5)
	timeout, ok := errors.AsType[*mysql.MySQLError](err)
	if there := server.Program.MySQL && err == nil; !there && (!ok || timeout.Number != 1205) { // MySQL sees that the table is there without the lock
		t.Fatalf("error %v, want a lock wait timeout", err)
	}
	if _, err := holder.ExecContext(t.Context(), "UNLOCK TABLES"); err != nil {
		t.Fatal(err)
	}
	if err := schema.MakeDayTables(t.Context(), as(t, cfg, cfg.Accounts.Migrator), cfg.Set, 5); err != nil {
		t.Errorf("once the lock is gone: %v", err)
	}
}

func TestSessionSettingsDoNotReachThePool(t *testing.T) {
	cfg := newSet(t)
	db := admin(t)
	db.SetMaxOpenConns(1)
	before := queryString(t, db, "SELECT @@lock_wait_timeout")
	if err := schema.ApplySet(t.Context(), db, cfg.Set, cfg.Accounts, cfg.Environment, cfg.Machines); err != nil {
		t.Fatal(err)
	}
	if after := queryString(t, db, "SELECT @@lock_wait_timeout"); after != before || before == "1" {
		t.Errorf("lock_wait_timeout is %s after apply, was %s", after, before)
	}
}
