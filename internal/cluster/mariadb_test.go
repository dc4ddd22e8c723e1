package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongbao/internal/cluster"
)

// safeSettings are those that every server is started with, as it reports them.
func safeSettings(mysql bool) map[string]string {
	want := map[string]string{
		"binlog_expire_logs_seconds":     "3600",
		"binlog_format":                  "ROW",
		"character_set_server":           "utf8mb4",
		"collation_server":               "utf8mb4_bin",
		"default_storage_engine":         "InnoDB",
		"innodb_buffer_pool_size":        "16777216",
		"innodb_doublewrite":             "1",
		"innodb_flush_log_at_trx_commit": "1",
		"innodb_flush_method":            "O_DIRECT",
		"innodb_lock_wait_timeout":       "2",
		"innodb_print_all_deadlocks":     "1",
		"innodb_rollback_on_timeout":     "1",
		"innodb_use_native_aio":          "0",
		"local_infile":                   "0",
		"log_bin":                        "1",
		"max_allowed_packet":             "16777216",
		"max_binlog_size":                "67108864",
		"max_connections":                "20",
		"lock_wait_timeout":              "10",
		"performance_schema":             "0",
		"read_only":                      "0",
		"server_id":                      "7",
		"skip_name_resolve":              "1",
		"sql_mode":                       "ONLY_FULL_GROUP_BY,STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION",
		"sync_binlog":                    "1",
		"time_zone":                      "+00:00",
		"wait_timeout":                   "77", // from Args
	}
	own := map[string]string{
		"gtid_strict_mode":                "1",
		"idle_write_transaction_timeout":  "5",
		"innodb_snapshot_isolation":       "1",
		"max_statement_time":              "5",
		"rpl_semi_sync_master_enabled":    "0",
		"rpl_semi_sync_master_wait_point": "AFTER_SYNC",
		"rpl_semi_sync_slave_enabled":     "0",
		"tx_isolation":                    "READ-COMMITTED",
	}
	if mysql {
		own = map[string]string{
			"gtid_mode":                "ON",
			"enforce_gtid_consistency": "ON",
			"max_execution_time":       "5000",
			"super_read_only":          "0",
			"transaction_isolation":    "READ-COMMITTED",
		}
	}
	maps.Copy(want, own)
	return want
}

func TestSettingsAreTheSafeOnes(t *testing.T) {
	cfg := config(t)
	cfg.Args = []string{"--wait-timeout=77"}
	m := start(t, cfg)
	db, want, got := open(t, m.AdminDSN("")), safeSettings(m.Program.MySQL), map[string]string{}
	for name := range want {
		got[name] = queryString(t, db, "SELECT @@GLOBAL."+name)
	}
	if got["innodb_doublewrite"] == "ON" { // as MySQL and MariaDB 11 print it
		got["innodb_doublewrite"] = "1"
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
	if plugins := queryString(t, db, "SELECT COUNT(*) FROM information_schema.plugins WHERE plugin_name IN ('FEEDBACK', 'mysqlx') AND plugin_status = 'ACTIVE'"); plugins != "0" {
		t.Error("the feedback plugin would report this host to mariadb.org, and mysqlx would listen on a port of its own")
	}
}

func TestRestartKeepsData(t *testing.T) {
	cfg := config(t)
	first := start(t, cfg)
	db := open(t, first.AdminDSN(""))
	do(t, db, "CREATE DATABASE kept", "CREATE TABLE kept.gifts (name VARCHAR(9))", "INSERT INTO kept.gifts VALUES ('红包')")
	if err := first.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if alive(first.PID()) || exists(first.Socket()) {
		t.Error("something is left after Stop")
	}
	if err := cluster.CheckPort(cfg.Port); err != nil {
		t.Errorf("after Stop: %v", err)
	}
	second := start(t, cfg)
	if got := queryString(t, open(t, second.AdminDSN("kept")), "SELECT name FROM gifts"); got != "红包" {
		t.Errorf("row is %q", got)
	}
}

// FC1: what was committed before kill -9 is there after the restart.
func TestKill9KeepsCommittedRows(t *testing.T) {
	cfg := config(t)
	first := start(t, cfg)
	db := open(t, first.AdminDSN(""))
	do(t, db, "CREATE DATABASE kept", "CREATE TABLE kept.gifts (id INT PRIMARY KEY)", "INSERT INTO kept.gifts VALUES (1)", "INSERT INTO kept.gifts VALUES (2)")
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(t.Context(), "INSERT INTO kept.gifts VALUES (3)"); err != nil {
		t.Fatal(err)
	}
	if err := first.Kill(); err != nil {
		t.Fatal(err)
	}
	second := start(t, cfg)
	if got := queryString(t, open(t, second.AdminDSN("kept")), "SELECT GROUP_CONCAT(id ORDER BY id) FROM gifts"); got != "1,2" {
		t.Errorf("rows %s after kill -9, want the committed 1,2", got)
	}
}

// FC2: a stopped process keeps its connections and answers when it goes on.
func TestFrozenServerIsSilentUntilThawed(t *testing.T) {
	m := start(t, config(t))
	db := open(t, m.AdminDSN(""))
	do(t, db, "DO 1") // a connection to reuse
	if err := m.Freeze(); err != nil {
		t.Fatal(err)
	}
	answer := make(chan error, 1)
	go func() {
		_, err := db.ExecContext(context.Background(), "DO 1")
		answer <- err
	}()
	select {
	case err := <-answer:
		t.Fatalf("a frozen server answered: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	if err := m.Thaw(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-answer:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(goneMax):
		t.Fatal("no answer after the thaw")
	}
}

func TestAccessNeedsThePassword(t *testing.T) {
	m := start(t, config(t))
	for _, account := range []struct{ user, password string }{
		{"root", ""}, {"", ""}, {"admin", ""}, {"admin", "wrong"}, {"mariadb.sys", ""}, {"nobody", ""},
	} {
		for _, dsn := range []string{
			m.DSN(account.user, account.password, ""),
			account.user + ":" + account.password + "@unix(" + m.Socket() + ")/",
		} {
			if err := open(t, dsn).PingContext(t.Context()); err == nil {
				t.Errorf("%q gets in with password %q: %s", account.user, account.password, dsn)
			}
		}
	}
	db := open(t, m.AdminDSN(""))
	want := "admin@127.0.0.1,mariadb.sys@localhost"
	if m.Program.MySQL {
		want = "admin@127.0.0.1,mysql.infoschema@localhost,mysql.session@localhost,mysql.sys@localhost"
	}
	if got := queryString(t, db, "SELECT GROUP_CONCAT(user,'@',host ORDER BY user) FROM mysql.user"); got != want {
		t.Errorf("accounts: %s, want %s", got, want)
	}
	do(t, db, "CREATE USER other@'127.0.0.1'", "GRANT ALL ON *.* TO other@'127.0.0.1'")
}

// serverVariable is the environment variable that names the server under test.
func serverVariable(program cluster.Database) string {
	if program.MySQL {
		return "HONGBAO_MYSQLD"
	}
	return "HONGBAO_MARIADBD"
}

// TestInterruptedFirstStartIsMadeAnew has the first start run a server that is
// killed while it makes its data directory.
func TestInterruptedFirstStartIsMadeAnew(t *testing.T) {
	program, err := cluster.FindDatabase()
	if err != nil {
		t.Fatal(err)
	}
	base := t.TempDir()
	if err := os.Mkdir(filepath.Join(base, "sbin"), 0o700); err != nil {
		t.Fatal(err)
	}
	real, err := filepath.EvalSymlinks(program.Path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(filepath.Dir(real), "..", "share"), filepath.Join(base, "share")); err != nil {
		t.Fatal(err)
	}
	cfg := config(t)
	interrupted := filepath.Join(base, "sbin", "interrupted")
	script := fmt.Sprintf("#!/bin/sh\n%s \"$@\" <&0 &\nwhile ! test -s %s/data.unfinished/ibdata1; do sleep 0.01; done\nkill -9 $! $$\n", program.Path, cfg.Dir)
	if err := os.WriteFile(interrupted, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv(serverVariable(program), interrupted)
	if _, err := cluster.StartMariaDB(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "test bootstrap ended: signal: killed") {
		t.Fatalf("error %v, want the death of the bootstrap", err)
	}
	if exists(cfg.Dir, "data") {
		t.Fatal("half a data directory has the name of a whole one")
	}
	if !exists(cfg.Dir, "data.unfinished", "ibdata1") {
		t.Fatal("the first start was not interrupted in the middle")
	}

	t.Setenv(serverVariable(program), program.Path)
	db := open(t, start(t, cfg).AdminDSN("mysql"))
	do(t, db, "SELECT user, host FROM user", "CREATE DATABASE usable")
	if exists(cfg.Dir, "data.unfinished") {
		t.Error("the unfinished directory is still there")
	}
}

// TestEnvironmentChoosesTheServer holds FS36.
func TestEnvironmentChoosesTheServer(t *testing.T) {
	program, err := cluster.FindDatabase()
	if err != nil {
		t.Fatal(err)
	}
	if said := program.String(); !strings.Contains(said, program.Path) || !regexp.MustCompile(`^\d+\.\d+\.\d+`).MatchString(said) {
		t.Errorf("the server under test is called %q", said)
	}
	cfg := config(t)
	if err := start(t, cfg).Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Run("a data directory of the other product is refused by name", func(t *testing.T) {
		t.Setenv(serverVariable(program), "")
		t.Setenv(serverVariable(cluster.Database{MySQL: !program.MySQL}), program.Path)
		if _, err := cluster.StartMariaDB(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "was not made by a server like") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("two servers are one too many", func(t *testing.T) {
		t.Setenv("HONGBAO_MARIADBD", program.Path)
		t.Setenv("HONGBAO_MYSQLD", program.Path)
		if _, err := cluster.FindDatabase(); err == nil || !strings.Contains(err.Error(), "unset one") {
			t.Errorf("error %v", err)
		}
	})
}

// TestSystemTablesAreFoundInEveryVersion starts a server whose files are
// named as those of another version are (FS36).
func TestSystemTablesAreFoundInEveryVersion(t *testing.T) {
	program, err := cluster.FindDatabase()
	if err != nil {
		t.Fatal(err)
	}
	real, err := filepath.EvalSymlinks(program.Path)
	if err != nil {
		t.Fatal(err)
	}
	share := filepath.Join(filepath.Dir(real), "..", "share")
	if exists(share, "mariadb") {
		share = filepath.Join(share, "mariadb")
	} else {
		share = filepath.Join(share, "mysql")
	}
	for _, prefix := range []string{"mysql_", "mariadb_"} {
		t.Run(prefix, func(t *testing.T) {
			base := t.TempDir()
			if err := errors.Join(os.Mkdir(filepath.Join(base, "sbin"), 0o700), os.MkdirAll(filepath.Join(base, "share", "mariadb"), 0o700)); err != nil {
				t.Fatal(err)
			}
			files, err := os.ReadDir(share)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range files {
				name := f.Name()
				if _, rest, ok := strings.Cut(name, "_system_tables"); ok {
					name = prefix + "system_tables" + rest
				}
				if err := os.Symlink(filepath.Join(share, f.Name()), filepath.Join(base, "share", "mariadb", name)); err != nil {
					t.Fatal(err)
				}
			}
			linked := filepath.Join(base, "sbin", "server")
			if err := os.WriteFile(linked, fmt.Appendf(nil, "#!/bin/sh\nexec %s \"$@\"\n", program.Path), 0o700); err != nil {
				t.Fatal(err)
			}
			t.Setenv(serverVariable(program), linked)
			do(t, open(t, start(t, config(t)).AdminDSN("")), "CREATE DATABASE usable")
		})
	}
}

func TestSecondServerOfADirectoryIsRefused(t *testing.T) {
	cfg := config(t)
	start(t, cfg)
	cfg.Port = freePort(t)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := cluster.StartMariaDB(ctx, cfg)
	if err == nil || !strings.Contains(err.Error(), "another server still runs there") {
		t.Fatalf("error %v", err)
	}
}

func TestLongDirectoryGetsAShortSocket(t *testing.T) {
	cfg := config(t)
	cfg.Dir = filepath.Join(cfg.Dir, strings.Repeat("long", 25))
	m := start(t, cfg)
	if len(m.Socket()) > 107 {
		t.Fatalf("socket path %s has %d bytes", m.Socket(), len(m.Socket()))
	}
	conn, err := net.Dial("unix", m.Socket())
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if err := m.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if exists(filepath.Dir(m.Socket())) {
		t.Errorf("%s is left after Stop", filepath.Dir(m.Socket()))
	}
}

func TestWrongAdminPasswordIsRefusedAtOnce(t *testing.T) {
	cfg := config(t)
	if err := start(t, cfg).Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	cfg.AdminPassword = "forgotten"
	_, err := cluster.StartMariaDB(t.Context(), cfg)
	if err == nil || !strings.Contains(err.Error(), "another admin password") {
		t.Fatalf("error %v", err)
	}
	if err := cluster.CheckPort(cfg.Port); err != nil {
		t.Errorf("the refused server still runs: %v", err)
	}
}

func TestServerThatCannotStartQuotesItsLog(t *testing.T) {
	cfg := config(t)
	cfg.Args = []string{"--no-such-option"}
	_, err := cluster.StartMariaDB(t.Context(), cfg)
	if err == nil || !strings.Contains(err.Error(), "no-such-option") {
		t.Fatalf("error %v, want the line of the log that names the option", err)
	}
}

func TestPortInUseNamesItsOwner(t *testing.T) {
	cfg := config(t)
	m := start(t, cfg)
	other := config(t)
	other.Port = cfg.Port
	_, err := cluster.StartMariaDB(t.Context(), other)
	if err == nil || !strings.Contains(err.Error(), "is in use by "+filepath.Base(m.Program.Path)+" (pid ") {
		t.Fatalf("error %v, want the owner of the port", err)
	}
	if !alive(m.PID()) {
		t.Error("the owner of the port is gone")
	}
}

func TestMissingProgramSaysHowToInstallIt(t *testing.T) {
	t.Setenv("HONGBAO_MYSQLD", "")
	t.Setenv("HONGBAO_MARIADBD", filepath.Join(t.TempDir(), "mariadbd"))
	_, err := cluster.StartMariaDB(t.Context(), config(t))
	missing, ok := errors.AsType[*cluster.MissingError](err)
	if !ok || !strings.Contains(err.Error(), cluster.InstallCommand) {
		t.Fatalf("error %v, want how to install it", err)
	}
	if want := os.Getenv("HONGBAO_MARIADBD"); missing.Program != "mariadbd" || !strings.Contains(missing.Looked, want) {
		t.Errorf("error %+v, want where we looked", missing)
	}
}

func TestInvalidConfigIsRefused(t *testing.T) {
	good := config(t)
	for _, test := range []struct {
		want   string
		change func(*cluster.MariaDBConfig)
	}{
		{"does not match", func(c *cluster.MariaDBConfig) { c.Name = "../up" }},
		{"no directory", func(c *cluster.MariaDBConfig) { c.Dir = "" }},
		{"1 <= server id", func(c *cluster.MariaDBConfig) { c.ServerID = 0 }},
		{"password is empty", func(c *cluster.MariaDBConfig) { c.AdminPassword = "" }},
		{"line break", func(c *cluster.MariaDBConfig) { c.AdminPassword = "a\nb" }},
		{"8 <= MiB of buffer pool", func(c *cluster.MariaDBConfig) { c.BufferPoolMiB = 7 }},
		{"10 <= max connections", func(c *cluster.MariaDBConfig) { c.MaxConnections = 9 }},
		{"port <= 65535", func(c *cluster.MariaDBConfig) { c.Port = 65536 }},
	} {
		cfg := good
		test.change(&cfg)
		if _, err := cluster.StartMariaDB(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("error %v, want %q", err, test.want)
		}
	}
}
