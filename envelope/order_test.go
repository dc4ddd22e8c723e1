package envelope

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// edge is an order just past a limit.
type edge struct {
	name  string
	order Order
	edit  func(*Order)
	field string
	why   string
}

func moneyEdges() []edge {
	lucky, equal, exclusive := luckyOrder(1000, 10), equalOrder(100, 10), exclusiveOrder(520)
	total := func(f Fen) func(*Order) { return func(o *Order) { o.Total = f } }
	share := func(f Fen) func(*Order) { return func(o *Order) { o.Share = f } }
	count := func(n int) func(*Order) { return func(o *Order) { o.Count = n } }
	both := func(f Fen, n int) func(*Order) { return func(o *Order) { o.Total, o.Count = f, n } }
	const luckyTotal, equalShare = "must be 10 to 200000 fen for 10 shares (1 to 20000 each)", "must be 1 to 20000 fen"
	const counts, exclusiveCount = "must be 1 to 100", "must be 1 for an exclusive envelope"
	return []edge{
		{"lucky, no money", lucky, total(0), "total_fen", luckyTotal},
		{"lucky, a fen short", lucky, total(9), "total_fen", luckyTotal},
		{"lucky, one fen for ten", lucky, total(1), "total_fen", luckyTotal},
		{"lucky, a fen too much", lucky, total(200_001), "total_fen", luckyTotal},
		{"lucky, minus a fen", lucky, total(-1), "total_fen", luckyTotal},
		{"lucky, minus the total", lucky, total(-1000), "total_fen", luckyTotal},
		{"lucky, all the money there is", lucky, total(math.MaxInt64), "total_fen", luckyTotal},
		{"lucky, the largest debt", lucky, total(math.MinInt64), "total_fen", luckyTotal},
		{"lucky, past 32 bits", lucky, total(1<<32 + 1000), "total_fen", luckyTotal},
		{"lucky, the most for one and a fen", lucky, both(20_001, 1), "total_fen", "must be 1 to 20000 fen for 1 shares"},
		{"lucky, the most for all and a fen", lucky, both(2_000_001, 100), "total_fen", "must be 100 to 2000000 fen"},
		{"lucky, a fen short for all", lucky, both(99, 100), "total_fen", "must be 100 to 2000000 fen"},
		{"lucky with a share", lucky, share(1), "share_fen", "is for equal envelopes only"},
		{"lucky with a negative share", lucky, share(-1), "share_fen", "is for equal envelopes only"},
		{"lucky with a share instead of a total", lucky, func(o *Order) { o.Total, o.Share = 0, 100 }, "share_fen", "is for equal envelopes only"},
		{"lucky for nobody", lucky, count(0), "count", counts},
		{"lucky for minus one", lucky, count(-1), "count", counts},
		{"lucky for one too many", lucky, both(1000, 101), "count", counts},
		{"lucky for five hundred, not allowed", lucky, both(1000, 500), "count", counts},
		{"lucky for everyone", lucky, count(math.MaxInt), "count", counts},
		{"lucky for the fewest", lucky, count(math.MinInt), "count", counts},
		{"lucky, a count that overflows the total", lucky, count(math.MaxInt64/20000 + 1), "count", counts},
		{"lucky, a count of 2³² and ten", lucky, count(1<<32 + 10), "count", counts},
		{"equal, no share", equal, share(0), "share_fen", equalShare},
		{"equal, minus a fen", equal, share(-1), "share_fen", equalShare},
		{"equal, a fen too much", equal, share(20_001), "share_fen", equalShare},
		{"equal, all the money there is", equal, share(math.MaxInt64), "share_fen", equalShare},
		{"equal, the largest debt", equal, share(math.MinInt64), "share_fen", equalShare},
		{"equal, a share that overflows to 10 fen", equal, share(math.MaxInt64/10 + 2), "share_fen", equalShare},
		{"equal, a share that overflows to 0 fen", equal, func(o *Order) { o.Share, o.Count = 1<<62, 4 }, "share_fen", equalShare},
		{"equal with a total", equal, total(1000), "total_fen", "takes share_fen instead"},
		{"equal with another total", equal, total(1), "total_fen", "takes share_fen instead"},
		{"equal with a negative total", equal, total(-1000), "total_fen", "takes share_fen instead"},
		{"equal with a total instead of a share", equal, func(o *Order) { o.Total, o.Share = 1000, 0 }, "total_fen", "takes share_fen instead"},
		{"equal for nobody", equal, count(0), "count", counts},
		{"equal for minus one", equal, count(-1), "count", counts},
		{"equal for one too many", equal, count(101), "count", counts},
		{"equal for everyone", equal, count(math.MaxInt), "count", counts},
		{"exclusive, no money", exclusive, total(0), "total_fen", "must be 1 to 20000 fen"},
		{"exclusive, minus a fen", exclusive, total(-1), "total_fen", "must be 1 to 20000 fen"},
		{"exclusive, a fen too much", exclusive, total(20_001), "total_fen", "must be 1 to 20000 fen"},
		{"exclusive, all the money there is", exclusive, total(math.MaxInt64), "total_fen", "must be 1 to 20000 fen"},
		{"exclusive with a share", exclusive, share(520), "share_fen", "is for equal envelopes only"},
		{"exclusive for two", exclusive, count(2), "count", exclusiveCount},
		{"exclusive for minus one", exclusive, count(-1), "count", exclusiveCount},
		{"exclusive for everyone", exclusive, count(math.MaxInt), "count", exclusiveCount},
	}
}

func nameEdges() []edge {
	lucky, exclusive := luckyOrder(1000, 10), exclusiveOrder(520)
	group := func(s string) func(*Order) { return func(o *Order) { o.Group = GroupID(s) } }
	sender := func(s string) func(*Order) { return func(o *Order) { o.Sender = UserID(s) } }
	recipient := func(s string) func(*Order) { return func(o *Order) { o.Recipient = UserID(s) } }
	key := func(s string) func(*Order) { return func(o *Order) { o.Key = s } }
	greeting := func(s string) func(*Order) { return func(o *Order) { o.Greeting = s } }
	kind := func(s string) func(*Order) { return func(o *Order) { o.Kind = Kind(s) } }
	const name, keyRule = "must be 1 to 64 visible ASCII characters", "must be 1 to 128 visible ASCII characters"
	const idempotency, control = "Idempotency-Key", "must not contain control characters"
	return []edge{
		{"no kind", lucky, kind(""), "kind", "must be lucky, equal or exclusive"},
		{"another kind", lucky, kind("random"), "kind", "must be lucky, equal or exclusive"},
		{"a kind in capitals", lucky, kind("Lucky"), "kind", "must be lucky, equal or exclusive"},
		{"no group", lucky, group(""), "group_id", "is required"},
		{"a group with a space", lucky, group("g 1"), "group_id", name},
		{"a group of a space", lucky, group(" "), "group_id", name},
		{"a group of 65", lucky, group(strings.Repeat("g", 65)), "group_id", name},
		{"a group in Chinese", lucky, group("群"), "group_id", name},
		{"a group with a newline", lucky, group("g\n"), "group_id", name},
		{"a group with a delete", lucky, group("g\x7f"), "group_id", name},
		{"a group with a zero byte", lucky, group("g\x00"), "group_id", name},
		{"no sender", lucky, sender(""), "sub", "is required"},
		{"a sender of 65", lucky, sender(strings.Repeat("s", 65)), "sub", name},
		{"a sender with a tab", lucky, sender("a\tb"), "sub", name},
		{"a sender in bytes", lucky, sender("\xff"), "sub", name},
		{"no key", lucky, key(""), idempotency, keyRule},
		{"a key of 129", lucky, key(strings.Repeat("k", 129)), idempotency, keyRule},
		{"a key with a space", lucky, key("k 1"), idempotency, keyRule},
		{"a key in Chinese", lucky, key("键"), idempotency, keyRule},
		{"a recipient of a lucky one", lucky, recipient("bob"), "recipient_id", "is for exclusive envelopes only"},
		{"a recipient of an equal one", equalOrder(1, 1), recipient("bob"), "recipient_id", "is for exclusive envelopes only"},
		{"exclusive for nobody", exclusive, recipient(""), "recipient_id", "is required"},
		{"a recipient of 65", exclusive, recipient(strings.Repeat("r", 65)), "recipient_id", name},
		{"a recipient with a space", exclusive, recipient("b ob"), "recipient_id", name},
		{"a greeting of 129 bytes", lucky, greeting(strings.Repeat("g", 129)), "greeting", "at most 128 bytes"},
		{"a greeting of 43 Chinese characters", lucky, greeting(strings.Repeat("福", 43)), "greeting", "at most 128 bytes"},
		{"a greeting of half a character", lucky, greeting("福"[:2]), "greeting", "valid UTF-8"},
		{"a greeting of a surrogate", lucky, greeting("\xed\xa0\x80"), "greeting", "valid UTF-8"},
		{"a greeting with a newline", lucky, greeting("a\nb"), "greeting", control},
		{"a greeting with a zero byte", lucky, greeting("a\x00"), "greeting", control},
		{"a greeting with an escape", lucky, greeting("\x1b[31m"), "greeting", control},
		{"a greeting with a delete", lucky, greeting("\x7f"), "greeting", control},
		{"a greeting with U+0080", lucky, greeting("a\u0080"), "greeting", control},
		{"a greeting with a next line", lucky, greeting("a\u0085b"), "greeting", control},
		{"a greeting with U+009F", lucky, greeting("\u009f"), "greeting", control},
		{"a greeting with a line separator", lucky, greeting("a\u2028b"), "greeting", control},
		{"a greeting with a paragraph separator", lucky, greeting("a\u2029b"), "greeting", control},
		{"a greeting with U+202A", lucky, greeting("a\u202ab"), "greeting", "reorder"},
		{"a greeting with an override", lucky, greeting("a\u202eb"), "greeting", "reorder"},
		{"a greeting with an isolate", lucky, greeting("\u2066b"), "greeting", "reorder"},
		{"a greeting with U+2069", lucky, greeting("\u2069"), "greeting", "reorder"},
	}
}

// FH1: one past every limit is refused, and the error names the field and its rule.
func TestEveryEdgeIsRefusedByFieldAndRule(t *testing.T) {
	edges := append(moneyEdges(), nameEdges()...)
	if len(edges) < 60 {
		t.Fatalf("%d edges, want at least 60", len(edges))
	}
	for _, row := range edges {
		t.Run(row.name, func(t *testing.T) {
			if _, err := DefaultLimits().Check(row.order); err != nil {
				t.Fatalf("before the edit: %v", err)
			}
			o := row.order
			row.edit(&o)
			got, err := DefaultLimits().Check(o)
			wantInvalid(t, err, row.field, row.why)
			if got != (Order{}) {
				t.Errorf("a refused order comes back: %+v", got)
			}
		})
	}
}

func TestOrdersOnTheEdgeAreAccepted(t *testing.T) {
	with := func(o Order, edit func(*Order)) Order { edit(&o); return o }
	for _, row := range []struct {
		name   string
		limits Limits
		order  Order
		total  Fen
		count  int
	}{
		{"one fen for one", DefaultLimits(), luckyOrder(1, 1), 1, 1},
		{"a fen each", DefaultLimits(), luckyOrder(100, 100), 100, 100},
		{"the most for one", DefaultLimits(), luckyOrder(20_000, 1), 20_000, 1},
		{"the most for a hundred", DefaultLimits(), luckyOrder(2_000_000, 100), 2_000_000, 100},
		{"five hundred, by setting", wideLimits(), luckyOrder(10_000_000, 500), 10_000_000, 500},
		{"a fen each of five hundred", wideLimits(), luckyOrder(500, 500), 500, 500},
		{"equal, a fen", DefaultLimits(), equalOrder(1, 1), 1, 1},
		{"equal, the most", DefaultLimits(), equalOrder(20_000, 100), 2_000_000, 100},
		{"exclusive, a fen", DefaultLimits(), exclusiveOrder(1), 1, 1},
		{"exclusive, the most", DefaultLimits(), exclusiveOrder(20_000), 20_000, 1},
		{"exclusive, the count said", DefaultLimits(), with(exclusiveOrder(520), func(o *Order) { o.Count = 1 }), 520, 1},
		{"exclusive to oneself", DefaultLimits(), with(exclusiveOrder(520), func(o *Order) { o.Recipient = o.Sender }), 520, 1},
		{"the least that may be paid out", leastTen(), luckyOrder(100, 10), 100, 10},
		{"equal, the least that may be paid out", leastTen(), equalOrder(10, 3), 30, 3},
		{"exclusive, the least that may be paid out", leastTen(), exclusiveOrder(10), 10, 1},
		{"a least share that is the most", Limits{CountMax: 2, ShareMin: 3, ShareMax: 3}, luckyOrder(6, 2), 6, 2},
		{"a narrow setting", Limits{CountMax: 2, ShareMax: 3}, luckyOrder(6, 2), 6, 2},
		{"the longest names", DefaultLimits(), with(luckyOrder(10, 1), func(o *Order) {
			o.Sender, o.Group, o.Key = UserID(strings.Repeat("~", 64)), GroupID(strings.Repeat("!", 64)), strings.Repeat("k", 128)
		}), 10, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := row.limits.Check(row.order)
			if err != nil {
				t.Fatal(err)
			}
			want := row.order
			want.Total, want.Count, want.Greeting = row.total, row.count, "恭喜发财，大吉大利"
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +have)\n%s", diff)
			}
		})
	}
}

func TestAGreetingIsKeptAsWritten(t *testing.T) {
	for _, greeting := range []string{"x", " ", strings.Repeat("g", 128), strings.Repeat("福", 42) + "ab", "🧧", "~", "\u00a0", "\u200f", "👨\u200d👩\u200d👧", "\u2065\u206a", "a < b & c"} {
		o := luckyOrder(10, 1)
		o.Greeting = greeting
		if got, err := DefaultLimits().Check(o); err != nil || got.Greeting != greeting {
			t.Errorf("%q: have %q, %v", greeting, got.Greeting, err)
		}
	}
}

// leastTen are limits under which no share is less than ten fen.
func leastTen() Limits {
	l := DefaultLimits()
	l.ShareMin = 10
	return l
}

// FS11: what the provider does not pay out is refused when it is sent.
func TestSendBelowTheLeastShareIsRefused(t *testing.T) {
	for _, row := range []struct {
		name  string
		order Order
		want  string
	}{
		{"lucky, a fen short", luckyOrder(99, 10), "total_fen: must be 100 to 200000 fen for 10 shares (10 to 20000 each)"},
		{"lucky, one share", luckyOrder(9, 1), "total_fen: must be 10 to 20000 fen for 1 shares (10 to 20000 each)"},
		{"equal", equalOrder(9, 10), "share_fen: must be 10 to 20000 fen"},
		{"exclusive", exclusiveOrder(9), "total_fen: must be 10 to 20000 fen for 1 shares (10 to 20000 each)"},
	} {
		_, err := leastTen().Check(row.order)
		if invalid, ok := errors.AsType[*InvalidError](err); !ok || invalid.Error() != row.want {
			t.Errorf("%s: have %v, want %s", row.name, err, row.want)
		}
		if _, err := DefaultLimits().Check(row.order); err != nil {
			t.Errorf("%s, by default: %v", row.name, err)
		}
	}
}

func TestLimitsAreHeldToTheSchema(t *testing.T) {
	for _, l := range []Limits{DefaultLimits(), wideLimits(), {CountMax: 1, ShareMax: 1, Life: time.Second, PayWithin: time.Second}} {
		if err := l.Validate(); err != nil {
			t.Errorf("%+v: %v", l, err)
		}
	}
	for _, row := range []struct {
		edit func(*Limits)
		want string
	}{
		{func(l *Limits) { l.CountMax = 0 }, "1 <= count max <= 500"},
		{func(l *Limits) { l.CountMax = -1 }, "1 <= count max <= 500"},
		{func(l *Limits) { l.CountMax = 501 }, "1 <= count max <= 500"},
		{func(l *Limits) { l.ShareMax = 0 }, "1 <= share max <= 20000 fen"},
		{func(l *Limits) { l.ShareMax = -1 }, "1 <= share max <= 20000 fen"},
		{func(l *Limits) { l.ShareMax = 20001 }, "1 <= share max <= 20000 fen"},
		{func(l *Limits) { l.ShareMax = math.MaxInt64 }, "1 <= share max <= 20000 fen"},
		{func(l *Limits) { l.ShareMin = -1 }, "1 <= share min <= share max = 20000 fen, have -1"},
		{func(l *Limits) { l.ShareMin = 20001 }, "1 <= share min <= share max = 20000 fen"},
		{func(l *Limits) { l.ShareMin, l.ShareMax = 11, 10 }, "1 <= share min <= share max = 10 fen, have 11"},
		{func(l *Limits) { l.Life = time.Second - 1 }, "1s <= life <= 168h"},
		{func(l *Limits) { l.Life = 168*time.Hour + 1 }, "1s <= life <= 168h"},
		{func(l *Limits) { l.Life = -time.Hour }, "1s <= life <= 168h"},
		{func(l *Limits) { l.PayWithin = 0 }, "1s <= pay within <= 24h"},
		{func(l *Limits) { l.PayWithin = time.Second - 1 }, "1s <= pay within <= 24h"},
		{func(l *Limits) { l.PayWithin = 24*time.Hour + 1 }, "1s <= pay within <= 24h"},
	} {
		l := DefaultLimits()
		row.edit(&l)
		if err := l.Validate(); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%+v: have %v, want …%s…", l, err, row.want)
		}
	}
}

func TestDefaultLimitsAreTheDesigns(t *testing.T) {
	want := Limits{CountMax: 100, ShareMin: 1, ShareMax: 20000, Life: 24 * time.Hour, PayWithin: 15 * time.Minute}
	if got := DefaultLimits(); got != want {
		t.Errorf("have %+v, want %+v", got, want)
	}
}

func TestANewEnvelopeIsTheOrderUnpaid(t *testing.T) {
	o := must(wideLimits().Check(exclusiveOrder(520)))
	seed := drawKey().Seed(idAt(0))
	want := Envelope{
		ID: idAt(0), Kind: Exclusive, State: Unpaid, Ver: 1, Sender: "ann", Group: "g-1", Recipient: "bob", Greeting: DefaultGreeting,
		Total: 520, Count: 1, ShareMin: 1, ShareMax: 20000, Commitment: seed.Commitment(), CreatedAt: noon(), ExpiresAt: noon().Add(168 * time.Hour),
	}
	got := wideLimits().New(o, idAt(0), seed.Commitment(), noon())
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +have)\n%s", diff)
	}
	if got.Remaining() != 520 || got.SharesLeft() != 1 {
		t.Errorf("%d fen and %d shares left", got.Remaining(), got.SharesLeft())
	}
}

func TestOrderHashCoversTermsAndNotTheKey(t *testing.T) {
	base := Order{Sender: "ann", Key: "k", Kind: Lucky, Total: 1000, Count: 10, Group: "g", Greeting: "hi", Recipient: "r"}
	edits := map[string]func(*Order){
		"nothing":                         func(*Order) {},
		"kind":                            func(o *Order) { o.Kind = Equal },
		"total":                           func(o *Order) { o.Total++ },
		"total past 32 bits":              func(o *Order) { o.Total += 1 << 32 },
		"count":                           func(o *Order) { o.Count++ },
		"count past 32 bits":              func(o *Order) { o.Count += 1 << 32 },
		"total and count exchanged":       func(o *Order) { o.Total, o.Count = Fen(o.Count), int(o.Total) },
		"group":                           func(o *Order) { o.Group = "h" },
		"greeting":                        func(o *Order) { o.Greeting = "ho" },
		"recipient":                       func(o *Order) { o.Recipient = "q" },
		"group and recipient exchanged":   func(o *Order) { o.Group, o.Recipient = "r", "g" },
		"a letter from group to greeting": func(o *Order) { o.Group, o.Greeting = "", "ghi" },
		"a letter to the recipient":       func(o *Order) { o.Group, o.Recipient = "", "gr" },
		"the recipient into the greeting": func(o *Order) { o.Recipient, o.Greeting = "", "rhi" },
	}
	seen := map[string]string{}
	for name, edit := range edits {
		o := base
		edit(&o)
		if twin, ok := seen[hexOf(o.Hash())]; ok {
			t.Errorf("%q and %q have the same hash", name, twin)
		}
		seen[hexOf(o.Hash())] = name
		again := o
		again.Key = "another"
		if again.Hash() != o.Hash() {
			t.Errorf("%s: the key changes the hash", name)
		}
	}
}

// TestAnEqualOrderHashesByItsShare: the share itself is not hashed, the total
// it makes is.
func TestAnEqualOrderHashesByItsShare(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		share, count := rapid.Int64Range(1, 20000), rapid.IntRange(1, 100)
		a := must(DefaultLimits().Check(equalOrder(Fen(share.Draw(t, "share")), count.Draw(t, "count"))))
		b := must(DefaultLimits().Check(equalOrder(Fen(share.Draw(t, "share")), count.Draw(t, "count"))))
		if same := a.Share == b.Share && a.Count == b.Count; (a.Hash() == b.Hash()) != same {
			t.Fatalf("%d × %d and %d × %d fen: the hashes say otherwise", a.Count, a.Share, b.Count, b.Share)
		}
	})
}

// FH1: FuzzAcceptedOrderDividesExactly lets nothing through that cannot be
// paid, drawn to the last fen and verified.
func FuzzAcceptedOrderDividesExactly(f *testing.F) {
	add := func(o Order) {
		f.Add(string(o.Kind), int64(o.Total), int64(o.Share), o.Count, string(o.Sender), string(o.Group), string(o.Recipient), o.Key, o.Greeting)
	}
	for _, o := range []Order{luckyOrder(10_000_000, 500), luckyOrder(500, 500), luckyOrder(1, 1), equalOrder(20_000, 500), exclusiveOrder(520), {}} {
		add(o)
	}
	for _, row := range append(moneyEdges(), nameEdges()...) {
		o := row.order
		row.edit(&o)
		add(o)
	}
	fields := []string{"kind", "count", "total_fen", "share_fen", "group_id", "recipient_id", "sub", "Idempotency-Key", "greeting"}
	f.Fuzz(func(t *testing.T, kind string, total, share int64, count int, sender, group, recipient, key, greeting string) {
		asked := Order{Sender: UserID(sender), Key: key, Kind: Kind(kind), Total: Fen(total), Share: Fen(share),
			Count: count, Group: GroupID(group), Greeting: greeting, Recipient: UserID(recipient)}
		o, err := wideLimits().Check(asked)
		if err != nil {
			var invalid *InvalidError
			if !errors.As(err, &invalid) || !slices.Contains(fields, invalid.Field) || invalid.Why == "" || o != (Order{}) {
				t.Fatalf("refused with %v, %+v", err, o)
			}
			return
		}
		e, seed, shares := finished(asked, wideLimits())
		if e.Total != o.Total || e.Count != o.Count || e.Greeting != o.Greeting {
			t.Fatalf("accepted %+v, made %+v", o, e)
		}
		amounts := make([]Fen, len(shares))
		for i, s := range shares {
			amounts[i] = s.Amount
		}
		wantDivision(t, amounts, e.Total, e.Count, e.Bounds())
		if err := Verify(&e, seed, shares); err != nil || e.State != Empty {
			t.Fatalf("%s, %v", e.State, err)
		}
	})
}
