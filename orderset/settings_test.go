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
func check(t *testing.T, cfg orderset.Config) error {
	t.Helper()
	r, err := orderset.NewRouter(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	return r.Sets()[0].CheckSettings(t.Context())
}

// FC17: settings of the server that break a guarantee are refused by name.
func TestUnsafeSettingsAreRefusedByName(t *testing.T) {
	w := servers.World(t, 1)
	admin := w.Admin(t, 0)
	cfg := configOf(w, "check")
	if err := check(t, cfg); err != nil {
		t.Fatalf("a server set up by cluster: %v", err)
	}
	isolation := "tx_isolation" // of MariaDB before 11.1
	if onMySQL(t) {
		isolation = "transaction_isolation"
	}
	for _, c := range []struct{ variable, spoiled, right, want string }{
		{"sync_binlog", "0", "1", `sync_binlog is "0", want "1"`},
		{"sync_binlog", "100", "1", `sync_binlog is "100", want "1"`},
		{"innodb_flush_log_at_trx_commit", "2", "1", `innodb_flush_log_at_trx_commit is "2", want "1"`},
		{"innodb_flush_log_at_trx_commit", "0", "1", `innodb_flush_log_at_trx_commit is "0", want "1"`},
		{"binlog_format", "STATEMENT", "ROW", `binlog_format is "STATEMENT", want "ROW"`},
		{"binlog_format", "MIXED", "ROW", `binlog_format is "MIXED", want "ROW"`},
		{"character_set_server", "latin1", "utf8mb4", `character_set_server is "latin1", want "utf8mb4"`},
		{isolation, "'REPEATABLE-READ'", "'READ-COMMITTED'", `transaction_isolation is "REPEATABLE-READ", want "READ-COMMITTED"`},
		{isolation, "'READ-UNCOMMITTED'", "'READ-COMMITTED'", `transaction_isolation is "READ-UNCOMMITTED", want "READ-COMMITTED"`},
	} {
		exec(t, admin, "SET GLOBAL "+c.variable+" = "+c.spoiled)
		err := check(t, cfg)
		exec(t, admin, "SET GLOBAL "+c.variable+" = "+c.right)
		if err == nil || !strings.Contains(err.Error(), "SET "+w.Specs[0].Number.String()+": "+c.want) {
			t.Errorf("%s = %s: got %v, want %q", c.variable, c.spoiled, err, c.want)
		}
	}
	if err := check(t, cfg); err != nil {
		t.Errorf("everything restored: %v", err)
	}
}

// TestAllFindingsAreReportedTogether holds FS21: settings, and tables of
// another version of this program.
func TestAllFindingsAreReportedTogether(t *testing.T) {
	w := servers.World(t, 1)
	admin := w.Admin(t, 0)
	cfg := configOf(w, "check")
	exec(t, admin, "ALTER TABLE dispute ADD note TEXT", "SET GLOBAL sync_binlog = 0", "SET GLOBAL innodb_flush_log_at_trx_commit = 2")
	err := check(t, cfg)
	exec(t, admin, "ALTER TABLE dispute DROP note", "SET GLOBAL sync_binlog = 1", "SET GLOBAL innodb_flush_log_at_trx_commit = 1")
	for _, want := range []string{
		`sync_binlog is "0", want "1"`, `innodb_flush_log_at_trx_commit is "2", want "1"`,
		"was made by another version of this program", "dispute `note`: want absent, got text",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
	if err := check(t, cfg); err != nil {
		t.Errorf("everything restored: %v", err)
	}
}

func TestSessionsSetTheirModeAndTimeZone(t *testing.T) {
	w := servers.World(t, 1)
	admin := w.Admin(t, 0)
	exec(t, admin, "SET GLOBAL sql_mode = 'NO_BACKSLASH_ESCAPES'", "SET GLOBAL time_zone = '+05:00'")
	err := check(t, configOf(w, "check"))
	exec(t, admin, "SET GLOBAL sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,ONLY_FULL_GROUP_BY'", "SET GLOBAL time_zone = '+00:00'")
	if err != nil {
		t.Errorf("what a session sets for itself was refused: %v", err)
	}
}

func TestAServerWithoutABinlogIsRefused(t *testing.T) {
	t.Parallel()
	s, _ := ownServer(t, "--skip-log-bin")
	err := lone(t, 7, s.Primary, time.Now).Sets()[0].CheckSettings(t.Context())
	if err == nil || !strings.Contains(err.Error(), `log_bin is "OFF", want "ON": a replica could not follow`) {
		t.Errorf("got %v, want log_bin refused", err)
	}
}

func TestDatabaseOfAnotherSETIsRefused(t *testing.T) {
	w := servers.World(t, 1)
	admin := w.Admin(t, 0)
	exec(t, admin, "CREATE DATABASE hb_998", "CREATE TABLE hb_998.set_info AS SELECT * FROM set_info", "GRANT SELECT ON hb_998.* TO app@127.0.0.1")
	defer exec(t, admin, "DROP DATABASE hb_998", "REVOKE SELECT ON hb_998.* FROM app@127.0.0.1")
	cfg := configOf(w, "check")
	cfg.Topology = topologyOf(t, w, func(specs []orderset.SetSpec) { specs[0].Number = 998 })
	want := "SET 998: the database says it is SET " + w.Specs[0].Number.String()
	if err := check(t, cfg); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
	exec(t, admin, "DELETE FROM hb_998.set_info")
	if err := check(t, cfg); err == nil {
		t.Error("a database that does not say which SET it is was trusted")
	}
}

func TestDownSETIsBusyNotUnsafe(t *testing.T) {
	wantBusy(t, lone(t, 7, nobodyThere(t), time.Now).Sets()[0].CheckSettings(t.Context()), "set_unavailable")
}
