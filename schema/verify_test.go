package schema_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hongbao/schema"
)

var days = []int{5, 31}

// width is what MariaDB writes behind an integer type, and MySQL does not.
func width(w string) string {
	if server.Program.MySQL {
		return ""
	}
	return w
}

// pastReadOnly is the privilege that writes to a server that is read_only.
func pastReadOnly() string {
	if server.Program.MySQL {
		return "CONNECTION_ADMIN"
	}
	return "READ_ONLY ADMIN"
}

func verify(t *testing.T, cfg setPlan) []schema.Difference {
	t.Helper()
	diffs, err := schema.VerifySet(t.Context(), admin(t), cfg.Set, cfg.Accounts, days)
	if err != nil {
		t.Fatal(err)
	}
	return diffs
}

func TestVerifyFindsNothingInWhatApplyMade(t *testing.T) {
	cfg := madeSet(t)
	do(t, as(t, cfg, cfg.Accounts.App), "INSERT INTO outbox (touched, state, created_at) VALUES ('00000000000000000000033', 'pending', UTC_TIMESTAMP(3))")
	before := snapshot(t, admin(t), cfg)
	if diffs := verify(t, cfg); diffs != nil {
		t.Errorf("differences: %v", diffs)
	}
	if diff := cmp.Diff(before, snapshot(t, admin(t), cfg)); diff != "" {
		t.Errorf("verify changed something (-before +after):\n%s", diff)
	}
}

func TestVerifyNeedsNoPasswords(t *testing.T) {
	cfg := madeSet(t)
	for _, c := range []*schema.Credential{&cfg.Accounts.App, &cfg.Accounts.Migrator, &cfg.Accounts.Audit, &cfg.Accounts.Arbiter} {
		c.Password = ""
	}
	if diffs := verify(t, cfg); diffs != nil {
		t.Errorf("differences: %v", diffs)
	}
}

// TestVerifyFindsNothingAfterAnAlter holds FS37: MySQL writes the CHECKs of a table
// anew at any ALTER, in another way.
func TestVerifyFindsNothingAfterAnAlter(t *testing.T) {
	cfg := madeSet(t)
	do(t, admin(t), in(cfg, "ALTER TABLE {}.envelope_7_31 COMMENT = ''"))
	do(t, admin(t), in(cfg, "ALTER TABLE {}.envelope_7_31 ADD note INT"))
	do(t, admin(t), in(cfg, "ALTER TABLE {}.envelope_7_31 DROP note"))
	if diffs := verify(t, cfg); diffs != nil {
		t.Errorf("differences: %v", diffs)
	}
}

// TestGrantsFollowPartialRevokes holds FS37: with MySQL's partial_revokes the database of
// a grant is a name, and a pattern would open nothing at all.
func TestGrantsFollowPartialRevokes(t *testing.T) {
	if server.Program.MySQL {
		do(t, admin(t), "SET GLOBAL partial_revokes = ON")
		db := admin(t)
		t.Cleanup(func() {
			if _, err := db.ExecContext(context.Background(), "SET GLOBAL partial_revokes = OFF"); err != nil {
				t.Error(err)
			}
		})
	}
	cfg := madeSet(t)
	do(t, as(t, cfg, cfg.Accounts.App), "INSERT INTO outbox (touched, state, created_at) VALUES ('00000000000000000000033', 'pending', UTC_TIMESTAMP(3))")
	if diffs := verify(t, cfg); diffs != nil {
		t.Errorf("differences: %v", diffs)
	}
	if server.Program.MySQL {
		do(t, admin(t), "SET GLOBAL partial_revokes = OFF")
		if diffs := verify(t, cfg); len(diffs) == 0 {
			t.Error("grants that open databases of similar names are not found")
		}
	}
}

func TestVerifyFindsEveryPlantedDifference(t *testing.T) {
	for name, test := range map[string]struct {
		plant  string
		object string // of the first difference, {} for the database
		want   string // parts of it
		got    string
	}{
		"a dropped unique key": {
			"ALTER TABLE {}.share_3_05 DROP KEY one_share_per_user",
			"{}.share_3_05 UNIQUE KEY `one_share_per_user`", "(`order_id`,`user_id`)", "absent",
		},
		"a dropped CHECK": {
			"ALTER TABLE {}.envelope_7_31 DROP CONSTRAINT envelope_7_31_conserved",
			"{}.envelope_7_31 CONSTRAINT `envelope_7_31_conserved`", "`opened_fen` + `refunded_fen`", "absent",
		},
		"a weaker CHECK": {
			"ALTER TABLE {}.share_3_05 DROP CONSTRAINT share_3_05_amount, ADD CONSTRAINT share_3_05_amount CHECK (amount_fen >= 0)",
			"{}.share_3_05 CONSTRAINT `share_3_05_amount`", "between 1 and 20000", "`amount_fen` >= 0",
		},
		"another type": {
			"ALTER TABLE {}.envelope_0_05 MODIFY total_fen INT NOT NULL",
			"{}.envelope_0_05 `total_fen`", "bigint" + width("(20)") + " NOT NULL", "int" + width("(11)") + " NOT NULL",
		},
		"another collation of one column": {
			"ALTER TABLE {}.share_3_05 MODIFY user_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_general_ci NOT NULL",
			"{}.share_3_05 `user_id`", "ascii_bin", "ascii_general_ci",
		},
		"a column too many": {
			"ALTER TABLE {}.outbox ADD note TEXT",
			"{}.outbox `note`", "absent", "text",
		},
		"a missing index": {
			"ALTER TABLE {}.outbox DROP KEY due",
			"{}.outbox KEY `due`", "(`state`,`id`)", "absent",
		},
		"another primary key": {
			"ALTER TABLE {}.share_3_05 DROP PRIMARY KEY, ADD PRIMARY KEY (order_id, seq, user_id)",
			"{}.share_3_05 PRIMARY KEY", "(`order_id`,`seq`)", "(`order_id`,`seq`,`user_id`)",
		},
		"another engine": {
			"ALTER TABLE {}.send_key ENGINE=MyISAM",
			"{}.send_key )", "ENGINE=InnoDB", "ENGINE=MyISAM",
		},
		"a missing day table":     {"DROP TABLE {}.share_9_31", "{}.share_9_31", "a table", "absent"},
		"a missing control table": {"DROP TABLE {}.set_info", "{}.set_info", "a table", "absent"},
		"a missing database":      {"DROP DATABASE {}", "database {}", "utf8mb4_bin", "absent"},
		"another default collation": {
			"ALTER DATABASE {} COLLATE utf8mb4_general_ci",
			"database {}", "utf8mb4_bin", "utf8mb4_general_ci",
		},
		"a table too many":      {"CREATE TABLE {}.share_3_32 (id INT)", "{}.share_3_32", "absent", "a table"},
		"a trigger":             {"CREATE TRIGGER {}.tax BEFORE INSERT ON {}.share_3_05 FOR EACH ROW SET NEW.amount_fen = 1", "{}.share_3_05 TRIGGER tax", "absent", "a trigger"},
		"no mark":               {"DELETE FROM {}.set_info", "{}.set_info", "SET ", "absent"},
		"DELETE for app":        {"GRANT DELETE ON `{}`.* TO APP", "account APP on `{}`.*", "absent", "DELETE"},
		"a wider grant for app": {"GRANT INSERT, DELETE ON ESCAPED.* TO APP", "account APP on ESCAPED.*", "INSERT, SELECT, UPDATE", "DELETE, INSERT, SELECT, UPDATE"},
		"what writes past read_only for app": {
			"GRANT " + pastReadOnly() + " ON *.* TO APP", "account APP on *.*", "USAGE", pastReadOnly(),
		},
		"two of them": { // FS37: MySQL has a line for each kind, and no space between the second
			"GRANT " + pastReadOnly() + ", REPLICATION SLAVE ON *.* TO APP", "account APP on *.*", "USAGE", pastReadOnly() + ", REPLICATION SLAVE",
		},
		"a grant on one table":  {"GRANT DELETE ON {}.outbox TO APP", "account APP on `{}`.`outbox`", "absent", "DELETE"},
		"a grant to pass on":    {"GRANT SELECT ON ESCAPED.* TO APP WITH GRANT OPTION", "account APP on ESCAPED.*", "INSERT, SELECT, UPDATE", "WITH GRANT OPTION"},
		"another system's data": {"GRANT SELECT ON mysql.* TO APP", "account APP on `mysql`.*", "absent", "SELECT"},
		"a proxy":               {"GRANT PROXY ON 'admin'@'127.0.0.1' TO APP", "account APP on `admin`@`127.0.0.1`", "absent", "PROXY"},
		"a role":                {"CREATE ROLE role_{}; GRANT role_{} TO APP", "account APP on GRANT `role_", "absent", "TO `app"},
		"a grant taken away":    {"REVOKE UPDATE ON ESCAPED.* FROM APP", "account APP on ESCAPED.*", "INSERT, SELECT, UPDATE", "INSERT, SELECT"},
		"no account":            {"DROP USER APP", "account APP", "an account", "absent"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := madeSet(t)
			fill := strings.NewReplacer(
				"{}", schema.DatabaseName(cfg.Set),
				"ESCAPED", "`"+strings.ReplaceAll(schema.DatabaseName(cfg.Set), "_", `\_`)+"`",
				"APP", "'"+cfg.Accounts.App.User+"'@'127.0.0.1'",
			)
			for statement := range strings.SplitSeq(fill.Replace(test.plant), "; ") {
				do(t, admin(t), statement)
			}
			diffs := verify(t, cfg)
			if len(diffs) == 0 {
				t.Fatal("nothing was found")
			}
			object := fill.Replace(test.object)
			i := slices.IndexFunc(diffs, func(d schema.Difference) bool { return strings.HasPrefix(d.Object, object) })
			if i < 0 || !strings.Contains(diffs[i].Want, test.want) || !strings.Contains(diffs[i].Got, test.got) {
				t.Errorf("found %q, want %q: %q against %q", diffs, object, test.want, test.got)
			}
			if len(diffs) > 1 {
				t.Errorf("%d differences for one: %v", len(diffs), diffs)
			}
		})
	}
}

// TestVerifyLeavesOtherDatabasesAlone has two SETs and two shards of the books
// on one server. A difference in one is still found there.
func TestVerifyLeavesOtherDatabasesAlone(t *testing.T) {
	first, second := newSet(t), newSet(t)
	books, more := newBooks(t), newBooks(t)
	second.Accounts, books.Accounts, more.Accounts = first.Accounts, first.Accounts, first.Accounts
	for _, apply := range []func(*testing.T) error{first.apply, books.apply, second.apply, more.apply} {
		if err := apply(t); err != nil {
			t.Fatal(err)
		}
	}
	for _, set := range []setPlan{first, second} {
		makeDays(t, set)
		if diffs := verify(t, set); diffs != nil {
			t.Errorf("differences in the SET: %v", diffs)
		}
	}
	for _, shard := range []bookPlan{books, more} {
		if diffs := shard.verify(t); diffs != nil {
			t.Errorf("differences in the books: %v", diffs)
		}
	}
	do(t, admin(t), books.fill("GRANT DELETE ON ESCAPED.* TO APP"))
	if diffs := verify(t, first); diffs != nil {
		t.Errorf("the SET differs by a grant on the books: %v", diffs)
	}
	if diffs := books.verify(t); len(diffs) != 1 {
		t.Errorf("the grant too many on the books is found as %v", diffs)
	}
}

func TestDifferencesReadAsSentences(t *testing.T) {
	d := schema.Difference{Object: "hb_003.outbox KEY `due`", Want: "KEY `due` (`state`,`id`)", Got: "absent"}
	if got := d.String(); got != "hb_003.outbox KEY `due`: want KEY `due` (`state`,`id`), got absent" {
		t.Error(got)
	}
}
