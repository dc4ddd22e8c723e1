package orderset_test

import (
	"database/sql"
	"strings"
	"testing"
	"time"

	"hongbao/internal/cluster"
	"hongbao/orderset"
	"hongbao/schema"
)

// ownServer is a database server of the test's own, with SET 7 in it: its
// settings are the test's to spoil.
func ownServer(t *testing.T, args ...string) (orderset.SetSpec, *sql.DB) {
	t.Helper()
	ports, err := cluster.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	server, err := cluster.StartMariaDB(t.Context(), cluster.MariaDBConfig{
		Name: "own", Dir: t.TempDir(), Port: ports[0], ServerID: 9, AdminPassword: "admin", Args: args,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Kill(); err != nil {
			t.Error(err)
		}
	})
	admin, err := sql.Open("mysql", server.AdminDSN(""))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { admin.Close() })
	credential := func(user string) schema.Credential { return schema.Credential{User: user, Password: "app-test"} }
	accounts := schema.Accounts{
		Host: "127.0.0.1", App: credential("app"), Migrator: credential("migrator"),
		Audit: credential("audit"), Arbiter: credential("arbiter"),
	}
	if err := schema.ApplySet(t.Context(), admin, 7, accounts, "drill", []int{0}); err != nil {
		t.Fatal(err)
	}
	return at(spec(7, 0), server.Addr()), admin
}

// check opens the SET anew, so that its session has the server's settings of now.
func check(t *testing.T, s orderset.SetSpec) error {
	t.Helper()
	return lone(t, s.Number, s.Primary, time.Now).Sets()[0].CheckSettings(t.Context())
}

func TestFC17SettingsThatBreakAPromiseAreRefusedByName(t *testing.T) {
	t.Parallel()
	s, admin := ownServer(t)
	if err := check(t, s); err != nil {
		t.Fatalf("a server set up by cluster: %v", err)
	}
	for _, c := range []struct{ spoil, restore, want string }{
		{"sync_binlog = 0", "sync_binlog = 1", `sync_binlog is "0", want "1"`},
		{"sync_binlog = 100", "sync_binlog = 1", `sync_binlog is "100", want "1"`},
		{"innodb_flush_log_at_trx_commit = 2", "innodb_flush_log_at_trx_commit = 1", `innodb_flush_log_at_trx_commit is "2", want "1"`},
		{"innodb_flush_log_at_trx_commit = 0", "innodb_flush_log_at_trx_commit = 1", `innodb_flush_log_at_trx_commit is "0", want "1"`},
		{"binlog_format = STATEMENT", "binlog_format = ROW", `binlog_format is "STATEMENT", want "ROW"`},
		{"binlog_format = MIXED", "binlog_format = ROW", `binlog_format is "MIXED", want "ROW"`},
		{"character_set_server = latin1", "character_set_server = utf8mb4", `character_set_server is "latin1", want "utf8mb4"`},
		{"tx_isolation = 'REPEATABLE-READ'", "tx_isolation = 'READ-COMMITTED'", `transaction_isolation is "REPEATABLE-READ", want "READ-COMMITTED"`},
		{"tx_isolation = 'READ-UNCOMMITTED'", "tx_isolation = 'READ-COMMITTED'", `transaction_isolation is "READ-UNCOMMITTED"`},
	} {
		exec(t, admin, "SET GLOBAL "+c.spoil)
		err := check(t, s)
		if err == nil || !strings.Contains(err.Error(), "SET 007: "+c.want) {
			t.Errorf("SET GLOBAL %s: got %v, want %q", c.spoil, err, c.want)
		}
		exec(t, admin, "SET GLOBAL "+c.restore)
	}
	if err := check(t, s); err != nil {
		t.Errorf("everything restored: %v", err)
	}
}

func TestSessionsBringTheirOwnModeAndTimeZone(t *testing.T) {
	t.Parallel()
	s, admin := ownServer(t)
	exec(t, admin, "SET GLOBAL sql_mode = 'NO_BACKSLASH_ESCAPES'", "SET GLOBAL time_zone = '+05:00'")
	if err := check(t, s); err != nil {
		t.Errorf("what a session sets for itself was refused: %v", err)
	}
}

func TestAServerWithoutABinlogIsRefused(t *testing.T) {
	t.Parallel()
	s, _ := ownServer(t, "--skip-log-bin")
	if err := check(t, s); err == nil || !strings.Contains(err.Error(), `log_bin is "OFF", want "ON": a replica could not follow`) {
		t.Errorf("got %v, want log_bin refused", err)
	}
}

func TestADatabaseThatSaysItIsAnotherSETIsRefused(t *testing.T) {
	t.Parallel()
	s, admin := ownServer(t)
	exec(t, admin, "CREATE DATABASE hb_008", "CREATE TABLE hb_008.set_info AS SELECT * FROM hb_007.set_info", "GRANT SELECT ON hb_008.* TO app@127.0.0.1")
	s.Number = 8
	if err := check(t, s); err == nil || !strings.Contains(err.Error(), "SET 008: the database says it is SET 007") {
		t.Errorf("got %v, want the wrong number named", err)
	}
	exec(t, admin, "DELETE FROM hb_008.set_info")
	if err := check(t, s); err == nil {
		t.Error("a database that does not say which SET it is was trusted")
	}
}

func TestSettingsOfASETThatIsDownAreBusyNotUnsafe(t *testing.T) {
	wantBusy(t, check(t, at(spec(7, 0), nobodyThere(t))), "set_unavailable")
}
