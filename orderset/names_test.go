package orderset_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"hongbao/envelope"
	"hongbao/orderset"
)

// hostile are names that mean something to SQL, to the driver or to a pattern.
var hostile = []envelope.UserID{
	"'", `"`, "`", `\`, `\\`, `\'`, `'\`, `''`, `\0`, `%`, `_`, `%%`, "?", "??", "/*", "*/", "--", "#", ";", "0x41", "NULL", "null", "@now", "@@version",
	`x');DROP/**/TABLE/**/set_info;--`, `',1,'a',1,UTC_TIMESTAMP(3)),('`, `'/**/OR/**/'1'='1`, `\');COMMIT;--`, `a'||'b`, `$1`, ":name", "{d'2026-01-01'}", "~", "!",
	envelope.UserID(strings.Repeat("'", 64)), envelope.UserID(strings.Repeat(`\`, 64)), envelope.UserID(strings.Repeat(`\'`, 32)),
}

// FH4: hostile names are stored and found as they are.
func TestAnyNameIsStoredAndFoundAsItIs(t *testing.T) {
	w := servers.World(t, 1)
	for _, way := range ways {
		r := serverOf(t, w, way.memory)
		e := w.Active(t, 0, envelope.Order{Sender: hostile[0], Key: `k'\";--%`, Group: envelope.GroupID(hostile[26]), Total: 10000, Count: 100})
		openings := open(t, r.Sets()[0], requests(e.ID, hostile...))
		wantShares(t, w, e.ID, openings)
		fresh := serverOf(t, w, 0) // reads what the other one wrote
		for i, again := range open(t, fresh.Sets()[0], requests(e.ID, hostile...)) {
			if again.Outcome != envelope.AlreadyOpened || !sameShare(again.Share, openings[i].Share) || again.Share.User != hostile[i] {
				t.Errorf("%q was found as %+v, stored as %+v", hostile[i], again, openings[i].Share)
			}
			wantPeek(t, fresh, e.ID, hostile[i], envelope.AlreadyOpened)
		}
		if sent, err := r.Sets()[0].FindKey(t.Context(), hostile[0], `k'\";--%`); err != nil || sent.ID != e.ID {
			t.Errorf("the key was found as %v, %v", sent.ID, err)
		}
		exec(t, w.Admin(t, 0), "DELETE FROM send_key")
	}
}

// FH4: names that differ in one byte are different users.
func TestOneByteMakesAnotherUser(t *testing.T) {
	w := servers.World(t, 1)
	users := []envelope.UserID{"bob", "BOB", "Bob", "bob.", "bob'", `bob\`, "bob%", "bo_", "b%", "b", "o", "bobb"}
	bothWays(t, w, func(t *testing.T, s *orderset.Set) {
		e := w.Active(t, 0, envelope.Order{Total: 10000, Count: len(users)})
		wantShares(t, w, e.ID, open(t, s, requests(e.ID, users...)))
		for _, stranger := range []envelope.UserID{"boB", "_ob", "%", "bob''", `bob\\`} {
			if got := open(t, s, requests(e.ID, stranger))[0]; got.Outcome != envelope.Drained {
				t.Errorf("%q: got %+v, want empty", stranger, got)
			}
		}
	})
}

// FH4: names of any visible characters hold their own shares.
func TestVisibleNamesHoldTheirOwnShares(t *testing.T) {
	w := servers.World(t, 1)
	locking, remembering := serverOf(t, w, 0).Sets()[0], serverOf(t, w, 1024).Sets()[0]
	visible := rapid.StringOfN(rapid.OneOf(rapid.RuneFrom([]rune(`'\";-/*%_?`)), rapid.Map(rapid.IntRange('!', '~'), func(c int) rune { return rune(c) })), 1, 64, 64)
	rapid.Check(t, func(rt *rapid.T) {
		names := rapid.SliceOfNDistinct(visible, 1, 12, rapid.ID[string]).Draw(rt, "names")
		users := make([]envelope.UserID, len(names))
		for i, n := range names {
			users[i] = envelope.UserID(n)
		}
		e := w.Active(t, 0, envelope.Order{Total: 10000, Count: len(users)})
		writer, reader := locking, remembering
		if rapid.Bool().Draw(rt, "written from memory") {
			writer, reader = reader, writer
		}
		openings := open(t, writer, requests(e.ID, users...))
		wantShares(t, w, e.ID, openings)
		for i, again := range open(t, reader, requests(e.ID, users...)) {
			if again.Outcome != envelope.AlreadyOpened || !sameShare(again.Share, openings[i].Share) {
				rt.Fatalf("%q was found as %+v, stored as %+v", users[i], again, openings[i].Share)
			}
		}
	})
}
