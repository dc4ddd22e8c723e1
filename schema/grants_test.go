package schema_test

import (
	"context"
	"testing"

	"hongbao/schema"
)

// MySQL's numbers for "you may not".
const (
	errDatabaseDenied = 1044
	errTableDenied    = 1142
	errNeedPrivilege  = 1227
	errReadOnly       = 1290
	errNeedSuper      = 1419
)

func TestAppCanServeAndNothingElse(t *testing.T) {
	cfg := madeSet(t)
	app := as(t, cfg, cfg.Accounts.App)
	do(t, app, "INSERT INTO share_3_05 VALUES ('00000000000000000000033', 1, 'bob', 5, UTC_TIMESTAMP(3))")
	do(t, app, "UPDATE share_3_05 SET amount_fen = 6 WHERE seq = 1")
	if got := queryString(t, app, "SELECT amount_fen FROM share_3_05"); got != "6" {
		t.Errorf("amount %s", got)
	}
	for _, statement := range []string{
		"DELETE FROM share_3_05", "REPLACE INTO send_key VALUES ('a','b','c','d',UTC_TIMESTAMP(3))",
		"TRUNCATE TABLE share_3_05", "DROP TABLE share_3_05", "ALTER TABLE share_3_05 DROP KEY one_share_per_user",
		"CREATE TABLE mine (id INT)", "CREATE INDEX i ON share_3_05 (user_id)",
	} {
		refused(t, app, statement, errTableDenied)
	}
	refused(t, app, "CREATE TRIGGER t BEFORE INSERT ON share_3_05 FOR EACH ROW SET NEW.amount_fen = 1", errTableDenied, errNeedSuper)
	for _, statement := range []string{"CREATE DATABASE mine", "DROP DATABASE " + schema.DatabaseName(cfg.Set), "CREATE TEMPORARY TABLE mine (id INT)"} {
		refused(t, app, statement, errDatabaseDenied)
	}
	for _, statement := range []string{"SET GLOBAL read_only = 0", "SET GLOBAL sync_binlog = 0", "STOP REPLICA", "CREATE USER mine", "SET SESSION sql_log_bin = 0"} {
		refused(t, app, statement, errNeedPrivilege)
	}
}

// TestAccountsReachNoSetOfSimilarName holds the underscore, which in a GRANT
// stands for any character.
func TestAccountsReachNoSetOfSimilarName(t *testing.T) {
	cfg := madeSet(t)
	similar := "hbx" + schema.DatabaseName(cfg.Set)[3:]
	do(t, admin(t), "CREATE DATABASE "+similar)
	do(t, admin(t), "CREATE TABLE "+similar+".secret (id INT)")
	refused(t, as(t, cfg, cfg.Accounts.App), "SELECT id FROM "+similar+".secret", errTableDenied)
	refused(t, as(t, cfg, cfg.Accounts.App), "SELECT User FROM mysql.user", errTableDenied)
}

// FC6: only the arbiter's account writes to a read-only server.
func TestOnlyTheArbiterWritesWhenReadOnly(t *testing.T) {
	cfg := madeSet(t)
	arbiter := as(t, cfg, cfg.Accounts.Arbiter)
	do(t, arbiter, "SET GLOBAL read_only = 1")
	db := admin(t)
	t.Cleanup(func() {
		if _, err := db.ExecContext(context.Background(), "SET GLOBAL read_only = 0"); err != nil {
			t.Error(err)
		}
	})
	const insert = "INSERT INTO share_3_05 VALUES ('00000000000000000000033', 1, 'bob', 5, UTC_TIMESTAMP(3))"
	refused(t, as(t, cfg, cfg.Accounts.App), insert, errReadOnly)
	refused(t, as(t, cfg, cfg.Accounts.Migrator), insert, errReadOnly)
	refused(t, as(t, cfg, cfg.Accounts.App), "SET GLOBAL read_only = 0", errNeedPrivilege)
	do(t, arbiter, "SET GLOBAL read_only = 0")
	do(t, as(t, cfg, cfg.Accounts.App), insert)
}

// ownPosition asks a server how far its binlog is.
func ownPosition() string {
	if server.Program.MySQL {
		return "SHOW BINARY LOG STATUS"
	}
	return "SHOW MASTER STATUS"
}

// setSemiSync sets what a change of the primary sets, if only MySQL's plugin for it
// were loaded: another variable of the same privilege stands for it there.
func setSemiSync() string {
	if server.Program.MySQL {
		return "SET GLOBAL super_read_only = 0"
	}
	return "SET GLOBAL rpl_semi_sync_master_enabled = 0"
}

func TestArbiterTouchesNoRow(t *testing.T) {
	cfg := madeSet(t)
	arbiter := as(t, cfg, cfg.Accounts.Arbiter)
	for _, statement := range []string{
		"STOP REPLICA", "SHOW REPLICA STATUS", ownPosition(), "SHOW BINARY LOGS",
		setSemiSync(), "SELECT set_number FROM set_info",
	} {
		do(t, arbiter, statement)
	}
	for _, statement := range []string{"DELETE FROM outbox", "UPDATE set_info SET environment = 'x'", "DROP TABLE outbox", "INSERT INTO machine_lease (machine_id) VALUES (1)"} {
		refused(t, arbiter, statement, errTableDenied)
	}
}

func TestAuditCanOnlyRead(t *testing.T) {
	cfg := madeSet(t)
	audit := as(t, cfg, cfg.Accounts.Audit)
	if got := queryString(t, audit, "SELECT COUNT(*) FROM envelope_3_05"); got != "0" {
		t.Errorf("%s envelopes", got)
	}
	for _, statement := range []string{
		"INSERT INTO machine_lease (machine_id) VALUES (1)", "UPDATE machine_lease SET term = 1", "DELETE FROM machine_lease",
		"CREATE TABLE mine (id INT)", "DROP TABLE outbox", "LOCK TABLES outbox WRITE",
	} {
		refused(t, audit, statement, errTableDenied, errDatabaseDenied)
	}
	refused(t, audit, "SET GLOBAL read_only = 0", errNeedPrivilege)
}

func TestMigratorRemakesADayAndNothingElse(t *testing.T) {
	cfg := madeSet(t)
	migrator := as(t, cfg, cfg.Accounts.Migrator)
	do(t, migrator, "INSERT INTO share_3_05 VALUES ('00000000000000000000033', 1, 'bob', 5, UTC_TIMESTAMP(3))")
	for _, statement := range []string{
		"DELETE FROM share_3_05", "TRUNCATE TABLE share_3_05", "ALTER TABLE share_3_05 ADD KEY extra (user_id)",
		"CREATE TEMPORARY TABLE mine (id INT)", "DROP TABLE share_3_05",
	} {
		do(t, migrator, statement)
	}
	if err := schema.MakeDayTables(t.Context(), migrator, cfg.Set, 5); err != nil {
		t.Fatal(err)
	}
	refused(t, migrator, "CREATE DATABASE mine", errDatabaseDenied)
	for _, statement := range []string{"SET GLOBAL read_only = 0", "CREATE USER mine", "STOP REPLICA"} {
		refused(t, migrator, statement, errNeedPrivilege)
	}
}
