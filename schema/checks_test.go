package schema_test

import (
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"hongbao/schema"
)

// wantCheck fails unless the server has refused a row by a CHECK: by this one, or on
// MySQL, which where several say no names another, by one of the table.
func wantCheck(t *testing.T, err error, table, check string) {
	t.Helper()
	number, name := uint16(4025), "`"+table+"_"+check+"`"
	if server.Program.MySQL {
		number, name = 3819, "'"+table+"_"
	}
	if refusal, ok := errors.AsType[*mysql.MySQLError](err); !ok || refusal.Number != number || !strings.Contains(refusal.Message, name) {
		t.Errorf("error %v, want CHECK %s of %s", err, check, table)
	}
}

// columnValues are SQL literals by column; a nil map changes nothing.
type columnValues map[string]string

// lucky is a sound envelope of 10.00 in 5 shares, 2 of them open.
func lucky() columnValues {
	return columnValues{
		"order_id": "'00000000000000000000033'", "kind": "'lucky'", "state": "'active'", "ver": "3",
		"sender_id": "'alice'", "group_id": "'g'", "recipient_id": "NULL", "greeting": "'恭喜发财'",
		"total_fen": "1000", "`count`": "5", "share_max_fen": "20000",
		"opened_fen": "300", "opened_count": "2", "refunded_fen": "0",
		"draw_commitment": "REPEAT('x', 32)", "transaction_id": "'42'",
		"created_at": "UTC_TIMESTAMP(3)", "paid_at": "UTC_TIMESTAMP(3)", "expires_at": "UTC_TIMESTAMP(3)", "finished_at": "NULL",
	}
}

func share() columnValues {
	return columnValues{"order_id": "'00000000000000000000033'", "seq": "1", "user_id": "'bob'", "amount_fen": "7", "opened_at": "UTC_TIMESTAMP(3)"}
}

func outbox() columnValues {
	return columnValues{"touched": "'0000000000000000000003300000000000000000000043'", "state": "'pending'", "created_at": "UTC_TIMESTAMP(3)"}
}

// transfer is the payout of a small share, delivery what one receiver is owed.
func transfer() columnValues {
	return columnValues{"order_id": "'00000000000000000000033'", "seq": "1", "payee_id": "'bob'", "amount_fen": "7", "charged_fen": "1000",
		"tier": "2", "created_at": "UTC_TIMESTAMP(3)", "due_at": "UTC_TIMESTAMP(3)"}
}

func delivery() columnValues {
	return columnValues{"order_id": "'00000000000000000000033'", "topic": "'book'", "due_at": "UTC_TIMESTAMP(3)", "since": "UTC_TIMESTAMP(3)"}
}

// payoutBatch is three small payouts.
func payoutBatch() columnValues {
	return columnValues{"no": "'B00000000000000000000033P0012'", "tier": "2", "`count`": "3", "total_fen": "30",
		"created_at": "UTC_TIMESTAMP(3)", "due_at": "UTC_TIMESTAMP(3)"}
}

// decision is a proposal to try again.
func decision() columnValues {
	return columnValues{"order_id": "'00000000000000000000033'", "seq": "1", "round": "1", "action": "'release'", "dispute_id": "0",
		"was_payee": "'bob'", "was_batch": "''", "proposed_by": "'ann'", "proposed_at": "UTC_TIMESTAMP(3)", "state": "'standing'", "standing": "1"}
}

// decided is what makes a proposal one that bob has approved.
func decided(more columnValues) columnValues {
	by := columnValues{"state": "'approved'", "standing": "NULL", "decided_by": "'bob'", "decided_at": "UTC_TIMESTAMP(3)"}
	maps.Copy(by, more)
	return by
}

func payment() columnValues {
	return columnValues{"transaction_id": "'42'", "order_id": "'00000000000000000000033'", "created_at": "UTC_TIMESTAMP(3)"}
}

// insert stores a row in a table and takes it back.
func insert(t *testing.T, db *sql.DB, table string, row, change columnValues) error {
	t.Helper()
	row = maps.Clone(row)
	maps.Copy(row, change)
	names := slices.Sorted(maps.Keys(row))
	values := make([]string, len(names))
	for i, name := range names {
		values[i] = row[name]
	}
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	_, err = tx.ExecContext(t.Context(), fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)", table, strings.Join(names, ","), strings.Join(values, ",")))
	return err
}

func TestSoundRowsAreStored(t *testing.T) {
	cfg := madeSet(t)
	app := as(t, cfg, cfg.Accounts.App)
	unpaid := columnValues{"state": "'unpaid'", "ver": "1", "opened_fen": "0", "opened_count": "0", "transaction_id": "NULL", "paid_at": "NULL"}
	for name, change := range map[string]columnValues{
		"unpaid":                          unpaid,
		"closed and paid late":            {"state": "'closed'", "opened_fen": "0", "opened_count": "0", "refunded_fen": "1000"},
		"active":                          nil,
		"active, 1 fen for each":          {"opened_fen": "997"},
		"empty":                           {"state": "'empty'", "opened_fen": "1000", "opened_count": "5"},
		"expired with a refund":           {"state": "'expired'", "refunded_fen": "700"},
		"settled with a refund":           {"state": "'settled'", "refunded_fen": "700"},
		"exclusive":                       {"kind": "'exclusive'", "recipient_id": "'bob'", "`count`": "1", "opened_count": "0", "opened_fen": "0"},
		"equal":                           {"kind": "'equal'", "opened_fen": "400"},
		"all of it is promised":           {"share_min_fen": "175", "opened_fen": "475"},
		"a least share that is the most":  {"share_min_fen": "200", "share_max_fen": "200", "opened_fen": "400"},
		"the largest":                     {"`count`": "500", "total_fen": "10000000"},
		"the smallest":                    {"`count`": "1", "total_fen": "1", "share_max_fen": "1", "opened_count": "0", "opened_fen": "0"},
		"a greeting of 128 bytes":         {"greeting": "REPEAT('x', 128)"},
		"a greeting of four-byte letters": {"greeting": "REPEAT('🧧', 32)"},
	} {
		if err := insert(t, app, schema.EnvelopeTable(3, 5), lucky(), change); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, change := range []columnValues{nil, {"seq": "500", "amount_fen": "20000"}} {
		if err := insert(t, app, schema.ShareTable(3, 5), share(), change); err != nil {
			t.Error(err)
		}
	}
	for _, test := range []struct {
		table  string
		row    columnValues
		change columnValues
	}{
		{"outbox", outbox(), nil},
		{"transfer", transfer(), nil},
		{"transfer", transfer(), columnValues{"seq": "0", "amount_fen": "1000", "tier": "1", "round": "9"}},
		{"transfer", transfer(), columnValues{"seq": "500", "amount_fen": "10000", "charged_fen": "10000", "tier": "0", "placed": "TRUE", "state": "'posted'", "posted_at": "UTC_TIMESTAMP(3)"}},
		{"transfer", transfer(), columnValues{"batch": "'B00000000000000000000033P500X92'"}},
		{"payout_batch", payoutBatch(), nil},
		{"payout_batch", payoutBatch(), columnValues{"`count`": "500", "total_fen": "10000000", "tier": "0", "placed": "TRUE"}},
		{"payout_batch", payoutBatch(), columnValues{"state": "'ended'", "placed": "TRUE", "refused": "3", "ended_at": "UTC_TIMESTAMP(3)"}},
		{"delivery", delivery(), nil},
		{"delivery", delivery(), columnValues{"topic": "'event'", "stage": "3", "seq": "500", "state": "'parked'"}},
		{"decision", decision(), decided(nil)},
		{"decision", decision(), decided(columnValues{"action": "'settle'", "paid_round": "1"})},
		{"decision", decision(), decided(columnValues{"action": "'again'", "decided_by": "'ann'"})},
		{"decision", decision(), decided(columnValues{"state": "'withdrawn'", "decided_by": "'ann'"})},
		{"decision", decision(), columnValues{"action": "'dismiss'", "round": "9"}},
		{"transfer", transfer(), columnValues{"state": "'stuck'", "reason": "'NO_AUTH'"}},
		{"known_set", columnValues{"set_number": "999", "first_seen": "UTC_TIMESTAMP(3)"}, nil},
		{"decision", decision(), columnValues{"action": "'redirect'", "payee_id": "'carl'"}},
		{"payment", payment(), nil},
		{"pause", columnValues{"topic": "'transfer'", "paused": "TRUE", "reason": "'bank holiday'", "paused_at": "UTC_TIMESTAMP(3)"}, nil},
	} {
		if err := insert(t, app, test.table, test.row, test.change); err != nil {
			t.Errorf("%s: %v", test.table, err)
		}
	}
}

func TestEveryCheckRefusesWhatItIsFor(t *testing.T) {
	const envelope, shares = "envelope_3_05", "share_3_05"
	cfg := madeSet(t)
	app := as(t, cfg, cfg.Accounts.App)
	sound := map[string]columnValues{
		envelope: lucky(), shares: share(), "outbox": outbox(), "transfer": transfer(), "payout_batch": payoutBatch(), "delivery": delivery(), "decision": decision(), "payment": payment(),
		"known_set": {"set_number": "1", "first_seen": "UTC_TIMESTAMP(3)"}, "machine_lease": {"machine_id": "1"}, "set_info": {"set_number": "1", "environment": "'drill'", "cluster_uuid": "UUID()"},
	}
	seen := map[string]bool{}
	for _, test := range []struct {
		table, check string
		change       columnValues
	}{
		{envelope, "ver", columnValues{"ver": "0"}},
		{envelope, "count", columnValues{"`count`": "501"}},
		{envelope, "count", columnValues{"`count`": "0", "state": "'settled'", "opened_count": "0", "opened_fen": "0"}},
		{envelope, "share_max", columnValues{"share_max_fen": "20001"}},
		{envelope, "share_max", columnValues{"share_max_fen": "0"}},
		{envelope, "share_min", columnValues{"share_min_fen": "0"}},
		{envelope, "share_min", columnValues{"share_min_fen": "201", "share_max_fen": "200", "total_fen": "1000", "opened_fen": "400"}},
		{envelope, "total", columnValues{"share_min_fen": "201", "opened_fen": "402"}},
		{envelope, "opened", columnValues{"share_min_fen": "151"}},
		{envelope, "active_has_left", columnValues{"share_min_fen": "150", "opened_fen": "551"}},
		{envelope, "total", columnValues{"total_fen": "4", "opened_fen": "2", "state": "'settled'"}},
		{envelope, "total", columnValues{"share_max_fen": "199"}},
		{envelope, "exclusive_names_one", columnValues{"recipient_id": "'bob'"}},
		{envelope, "exclusive_names_one", columnValues{"kind": "'exclusive'", "`count`": "1", "opened_count": "0", "opened_fen": "0"}},
		{envelope, "exclusive_is_one", columnValues{"kind": "'exclusive'", "recipient_id": "'bob'"}},
		{envelope, "equal_divides", columnValues{"kind": "'equal'", "total_fen": "1001"}},
		{envelope, "opened_count", columnValues{"opened_count": "6", "opened_fen": "1000", "state": "'settled'"}},
		{envelope, "opened_count", columnValues{"opened_count": "-1", "opened_fen": "0"}},
		{envelope, "opened", columnValues{"opened_fen": "1"}},
		{envelope, "opened", columnValues{"opened_count": "0"}},
		{envelope, "opened", columnValues{"opened_fen": "1001", "state": "'settled'"}},
		{envelope, "opened", columnValues{"share_max_fen": "250", "opened_fen": "501"}},
		{envelope, "conserved", columnValues{"state": "'settled'", "refunded_fen": "701"}},
		{envelope, "conserved", columnValues{"state": "'settled'", "refunded_fen": "-1"}},
		{envelope, "last_takes_rest", columnValues{"state": "'settled'", "opened_count": "5", "opened_fen": "999", "refunded_fen": "1"}},
		{envelope, "active_has_left", columnValues{"opened_count": "5", "opened_fen": "1000"}},
		{envelope, "active_has_left", columnValues{"opened_fen": "998"}},
		{envelope, "active_has_left", columnValues{"refunded_fen": "1"}},
		{envelope, "empty_is_opened", columnValues{"state": "'empty'"}},
		{envelope, "unpaid_is_unopened", columnValues{"state": "'unpaid'"}},
		{envelope, "unpaid_is_unopened", columnValues{"state": "'closed'"}},
		{envelope, "paid", columnValues{"paid_at": "NULL"}},
		{envelope, "paid", columnValues{"transaction_id": "NULL"}},
		{"payment", "named", columnValues{"transaction_id": "''"}},
		{shares, "seq", columnValues{"seq": "0"}},
		{shares, "seq", columnValues{"seq": "501"}},
		{shares, "amount", columnValues{"amount_fen": "0"}},
		{shares, "amount", columnValues{"amount_fen": "20001"}},
		{envelope, "ended", columnValues{"state": "'expired'"}},
		{envelope, "ended", columnValues{"state": "'settled'", "refunded_fen": "699"}},
		{"outbox", "touched", columnValues{"touched": "''"}},
		{"outbox", "touched", columnValues{"touched": "'000000000000000000000330'"}},
		{"transfer", "seq", columnValues{"seq": "-1"}},
		{"transfer", "seq", columnValues{"seq": "501"}},
		{"transfer", "round", columnValues{"round": "0"}},
		{"transfer", "round", columnValues{"round": "10"}},
		{"transfer", "amount", columnValues{"amount_fen": "0"}},
		{"transfer", "amount", columnValues{"amount_fen": "1001", "tier": "1"}},
		{"transfer", "tier", columnValues{"tier": "1"}},
		{"transfer", "tier", columnValues{"amount_fen": "1000"}},
		{"transfer", "attempts", columnValues{"attempts": "-1"}},
		{"transfer", "placed_first", columnValues{"state": "'held'"}},
		{"transfer", "posted", columnValues{"state": "'posted'", "placed": "TRUE"}},
		{"transfer", "posted", columnValues{"posted_at": "UTC_TIMESTAMP(3)"}},
		{"transfer", "refund_alone", columnValues{"seq": "0", "batch": "'B00000000000000000000033P0012'"}},
		{"payout_batch", "tier", columnValues{"tier": "3"}},
		{"payout_batch", "count", columnValues{"`count`": "0", "total_fen": "0"}},
		{"payout_batch", "count", columnValues{"`count`": "501", "total_fen": "501"}},
		{"payout_batch", "total", columnValues{"total_fen": "2"}},
		{"payout_batch", "total", columnValues{"total_fen": "60001"}},
		{"payout_batch", "attempts", columnValues{"attempts": "-1"}},
		{"payout_batch", "refused", columnValues{"refused": "1"}},
		{"payout_batch", "refused", columnValues{"refused": "4", "state": "'ended'", "placed": "TRUE", "ended_at": "UTC_TIMESTAMP(3)"}},
		{"payout_batch", "placed_first", columnValues{"state": "'ended'", "ended_at": "UTC_TIMESTAMP(3)"}},
		{"payout_batch", "ended", columnValues{"state": "'ended'", "placed": "TRUE"}},
		{"payout_batch", "ended", columnValues{"ended_at": "UTC_TIMESTAMP(3)"}},
		{"delivery", "stage", columnValues{"stage": "4"}},
		{"delivery", "seq", columnValues{"seq": "501"}},
		{"delivery", "wanted", columnValues{"wanted": "0"}},
		{"delivery", "attempts", columnValues{"attempts": "-1"}},
		{"decision", "round", columnValues{"round": "9"}},
		{"decision", "payee", columnValues{"payee_id": "'carl'"}},
		{"decision", "payee", columnValues{"action": "'redirect'"}},
		{"decision", "paid", columnValues{"paid_round": "1"}},
		{"decision", "paid", columnValues{"action": "'settle'", "paid_round": "2"}},
		{"decision", "standing", columnValues{"standing": "NULL"}},
		{"decision", "standing", columnValues{"standing": "2"}},
		{"decision", "decided", decided(columnValues{"decided_by": "NULL"})},
		{"decision", "decided", decided(columnValues{"decided_at": "NULL"})},
		{"decision", "decided", columnValues{"decided_by": "'bob'"}},
		{"decision", "two_people", decided(columnValues{"decided_by": "'ann'"})},
		{"known_set", "number", columnValues{"set_number": "1000"}},
		{"transfer", "stuck", columnValues{"state": "'stuck'"}},
		{"transfer", "stuck", columnValues{"state": "'stuck'", "reason": "'NO_AUTH'", "batch": "'B00000000000000000000033P0012'"}},
		{"payout_batch", "proposed", columnValues{"proposed_by": "'ann'"}},
		{"payout_batch", "dissolved", columnValues{"approved_by": "'bob'", "state": "'ended'", "placed": "TRUE", "refused": "3", "ended_at": "UTC_TIMESTAMP(3)"}},
		{"payout_batch", "dissolved", columnValues{"proposed_by": "'ann'", "proposed_at": "UTC_TIMESTAMP(3)", "approved_by": "'Ann'",
			"state": "'ended'", "placed": "TRUE", "refused": "3", "ended_at": "UTC_TIMESTAMP(3)"}},
		{"machine_lease", "machine_fits_id", columnValues{"machine_id": "4096"}},
		{"set_info", "is_this_set", columnValues{"set_number": "998"}},
	} {
		err := insert(t, app, test.table, sound[test.table], test.change)
		wantCheck(t, err, test.table, test.check)
		seen[test.table+"_"+test.check] = true
	}
	checks := columns(t, admin(t), in(cfg, `SELECT constraint_name FROM information_schema.table_constraints
		WHERE constraint_schema = '{}' AND constraint_type = 'CHECK' AND (table_name NOT LIKE '%\_%\_%' OR table_name LIKE '%\_3\_05')`))
	for _, row := range checks {
		name := strings.Fields(strings.Trim(row, "[{}]"))[0]
		if !seen[name] {
			t.Errorf("CHECK %s has no row here that it refuses", name)
		}
	}
	if len(checks) < 20 {
		t.Errorf("only %d CHECKs are known to the server", len(checks))
	}
}

func TestWhatDoesNotFitAColumnIsRefused(t *testing.T) {
	cfg := madeSet(t)
	app := as(t, cfg, cfg.Accounts.App)
	for _, test := range []struct {
		number uint16
		change columnValues
	}{
		{1406, columnValues{"order_id": "'000000000000000000000333'"}}, // too long
		{1406, columnValues{"sender_id": "REPEAT('a', 65)"}},
		{1406, columnValues{"greeting": "REPEAT('x', 129)"}},
		{1406, columnValues{"draw_commitment": "REPEAT('x', 33)"}},
		{1265, columnValues{"kind": "'LUCKY'"}}, // not in the ENUM, which compares bytes
		{1265, columnValues{"state": "''"}},
		{1366, columnValues{"sender_id": "'bób'"}}, // not ASCII
		{1048, columnValues{"draw_commitment": "NULL"}},
	} {
		err := insert(t, app, "envelope_3_05", lucky(), test.change)
		if refusal, ok := errors.AsType[*mysql.MySQLError](err); !ok || refusal.Number != test.number {
			t.Errorf("%v: error %v, want %d", test.change, err, test.number)
		}
	}
}

func TestUniqueKeysRefuseASecondOne(t *testing.T) {
	cfg := madeSet(t)
	app := as(t, cfg, cfg.Accounts.App)
	do(t, app, "INSERT INTO share_3_05 VALUES ('00000000000000000000033', 1, 'bob', 5, UTC_TIMESTAMP(3))")
	do(t, app, "INSERT INTO share_3_05 VALUES ('00000000000000000000033', 2, 'BOB', 5, UTC_TIMESTAMP(3))") // someone else
	do(t, app, "INSERT INTO send_key VALUES ('alice', 'k', REPEAT('x', 32), '00000000000000000000033', UTC_TIMESTAMP(3))")
	const payout = "INSERT INTO transfer (order_id, seq, payee_id, amount_fen, charged_fen, tier, created_at, due_at) VALUES ('00000000000000000000033', 1, %s, 2, UTC_TIMESTAMP(3), UTC_TIMESTAMP(3))"
	const dispute = "INSERT INTO dispute (kind, number, what, amount_fen, created_at) VALUES ('payment', 'tx', 'a fen too many', %d, UTC_TIMESTAMP(3))"
	do(t, app, fmt.Sprintf(payout, "'bob', 5, 100"))
	do(t, app, fmt.Sprintf(dispute, 101))
	const batch = "INSERT INTO payout_batch (no, tier, count, total_fen, created_at, due_at) VALUES ('B00000000000000000000033P0012', 2, %d, 500, UTC_TIMESTAMP(3), UTC_TIMESTAMP(3))"
	do(t, app, fmt.Sprintf(batch, 3))
	const errDuplicate = 1062
	for _, statement := range []string{
		"INSERT INTO share_3_05 VALUES ('00000000000000000000033', 3, 'bob', 5, UTC_TIMESTAMP(3))", // I2
		"INSERT INTO share_3_05 VALUES ('00000000000000000000033', 1, 'eve', 5, UTC_TIMESTAMP(3))", // I4
		"INSERT INTO send_key VALUES ('alice', 'k', REPEAT('y', 32), '00000000000000000000043', UTC_TIMESTAMP(3))",
		fmt.Sprintf(payout, "'eve', 6, 100"), // I7
		fmt.Sprintf(batch, 4),                // I7
		fmt.Sprintf(dispute, 102),            // said again
		"INSERT INTO machine_lease (machine_id) VALUES (64)",
		in(cfg, "INSERT INTO set_info SELECT set_number, 'production', UUID() FROM {}.set_info"),
	} {
		refused(t, app, statement, errDuplicate)
	}
}
