package books_test

import (
	"strings"
	"testing"

	"hongbao/envelope"
	"hongbao/schema"
)

// TestTheAuditorFindsEveryPlantedDamage changes one thing in sound books at a
// time and wants to hear of it.
func TestTheAuditorFindsEveryPlantedDamage(t *testing.T) {
	const plain, compared = "audit", "compare"
	for name, test := range map[string]struct {
		plant string // in every shard
		by    string // what must find it
		what  string // part of what is found
	}{
		"a sum too large":           {"UPDATE summary SET received_fen = received_fen + 1 WHERE user_id = 'bob'", plain, "rows add up"},
		"a sum too small":           {"UPDATE summary SET sent_fen = sent_fen - 1 WHERE user_id = 'alice'", plain, "rows add up"},
		"a refund not summed":       {"UPDATE summary SET refunded_fen = 0 WHERE user_id = 'alice'", plain, "rows add up"},
		"best luck not counted":     {"UPDATE summary SET best_luck_count = 0", plain, "rows add up"},
		"a count of one less":       {"UPDATE summary SET received_count = 0 WHERE user_id = 'bob'", plain, "rows add up"},
		"no sums":                   {"DELETE FROM summary WHERE user_id = 'bob'", plain, "no sums of 2026"},
		"sums of nothing":           {"INSERT INTO summary (user_id, year, sent_count, sent_fen) VALUES ('zoe', 2026, 1, 1)", plain, "rows add up"},
		"a second best luck":        {"UPDATE received SET best_luck = 1 WHERE user_id = 'bob'", plain, "best luck"},
		"another year":              {"UPDATE received SET year = 2027 WHERE user_id = 'bob'", plain, "of another year"},
		"a row in two shards":       {"INSERT INTO summary (user_id, year) VALUES ('bob', 2026) ON DUPLICATE KEY UPDATE year = 2026", plain, "shard bob: want rows in shard"},
		"a row of a user elsewhere": {"UPDATE sent SET user_id = 'mallory'", plain, "no sums"},
		"another amount":            {"UPDATE received SET amount_fen = 5 WHERE user_id = 'bob'", compared, ": want {"},
		"another position":          {"UPDATE received SET seq = 9 WHERE user_id = 'bob'", compared, ": want {"},
		"another sender":            {"UPDATE received SET sender_id = 'eve' WHERE user_id = 'bob'", compared, ": want {"},
		"another time":              {"UPDATE received SET opened_at = opened_at + INTERVAL 1 SECOND WHERE user_id = 'bob'", compared, ": want {"},
		"no best luck":              {"UPDATE received SET best_luck = 0", compared, ": want {"},
		"a share too few":           {"DELETE FROM received WHERE user_id = 'bob'", compared, ": want received {"},
		"an envelope too few":       {"DELETE FROM sent", compared, ": want sent {"},
		"another total":             {"UPDATE sent SET total_fen = total_fen - 1", compared, ": want {"},
		"another refund":            {"UPDATE sent SET refunded_fen = refunded_fen - 1", compared, ": want {"},
		"a share too many":          {"UPDATE received SET user_id = 'mallory' WHERE user_id = 'bob'", compared, "never happened"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLibrary(t, 2)
			e := refunded(expired(gift(1, "alice", "bob", "carol", "dave")))
			l.post(t, told(e)...)
			l.wantTruth(t, e)
			for i := range 2 {
				exec(t, admin(t, schema.BooksDatabaseName(i)), test.plant)
			}
			found, err := l.auditor.Audit(t.Context())
			if test.by == compared {
				found, err = l.compare(t, e)
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range found {
				if strings.Contains(v.String(), test.what) && (test.by == plain || v.Rule == "row") {
					return
				}
			}
			t.Errorf("found %v, want %q", found, test.what)
		})
	}
}

func TestTheAuditorReadsMoreUsersThanAPage(t *testing.T) {
	l := newLibrary(t, 2)
	var truth []envelope.Statement
	for n := range 5 {
		some := users(2400)[n*480 : (n+1)*480]
		truth = append(truth, expired(gift(n, "alice", some...)))
	}
	l.post(t, told(truth...)...)
	l.wantTruth(t, truth...)
	for i := range 2 {
		exec(t, admin(t, schema.BooksDatabaseName(i)), "UPDATE summary SET received_fen = received_fen + 1")
	}
	found, err := l.auditor.Audit(t.Context())
	if err != nil || len(found) != 1000 {
		t.Errorf("%d violations, %v, want the 1000 that are reported at most", len(found), err)
	}
}
