package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"hongbao/envelope"
)

const lucky = `{"kind":"lucky","total_fen":1000,"count":5,"group_id":"g"}`

func TestAnOrderIsReadAsWritten(t *testing.T) {
	for _, tt := range []struct {
		body string
		want envelope.Order
	}{
		{lucky, envelope.Order{Kind: "lucky", Total: 1000, Count: 5, Group: "g"}},
		{" \t\r\n" + lucky + " \n", envelope.Order{Kind: "lucky", Total: 1000, Count: 5, Group: "g"}},
		{`{"group_id":"g","count":2,"share_fen":8,"kind":"equal","greeting":"福 \u2764 \"x\""}`,
			envelope.Order{Kind: "equal", Share: 8, Count: 2, Group: "g", Greeting: `福 ❤ "x"`}},
		{`{"kind":"exclusive","total_fen":1,"group_id":"g","recipient_id":"bob"}`,
			envelope.Order{Kind: "exclusive", Total: 1, Group: "g", Recipient: "bob"}},
		{`{"kind":"exclusive","total_fen":1,"count":1,"group_id":"g","recipient_id":"bob"}`,
			envelope.Order{Kind: "exclusive", Total: 1, Count: 1, Group: "g", Recipient: "bob"}},
		// Ranges are not the decoder's: the teller refuses these.
		{`{"kind":"lucky","total_fen":-9223372036854775808,"count":0,"group_id":""}`,
			envelope.Order{Kind: "lucky", Total: -1 << 63}},
		{`{"k\u0069nd":"lucky","total_fen":1,"count":1,"group_id":"\u0067"}`,
			envelope.Order{Kind: "lucky", Total: 1, Count: 1, Group: "g"}},
	} {
		got, err := decodeOrder([]byte(tt.body))
		if err != nil {
			t.Errorf("%s: %v", tt.body, err)
			continue
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", tt.body, diff)
		}
	}
}

// with replaces or adds one member of a good lucky order.
func with(name, value string) string {
	members := []string{`"kind":"lucky"`, `"total_fen":1000`, `"count":5`, `"group_id":"g"`}
	for i, m := range members {
		if strings.HasPrefix(m, `"`+name+`":`) {
			members[i] = `"` + name + `":` + value
			return "{" + strings.Join(members, ",") + "}"
		}
	}
	return "{" + strings.Join(append(members, `"`+name+`":`+value), ",") + "}"
}

// FH2.
func TestLooseJSONIsRefusedByRule(t *testing.T) {
	const syntax = codeInvalidJSON
	refused := []struct{ body, want string }{
		// Not JSON, or not one object.
		{"", syntax}, {" ", syntax}, {"null", syntax}, {"true", syntax}, {"7", syntax}, {`"x"`, syntax}, {"[]", syntax},
		{"[" + lucky + "]", syntax}, {"{", syntax}, {"}", syntax}, {lucky[:len(lucky)-1], syntax},
		{lucky[:10], syntax}, {lucky + "{}", syntax}, {lucky + lucky, syntax}, {lucky + "x", syntax},
		{lucky + "]", syntax}, {lucky + "\x00", syntax}, {lucky + "//", syntax}, {lucky + ",", syntax},
		{"\ufeff" + lucky, syntax}, {"\xff\xfe" + lucky, syntax}, {"//\n" + lucky, syntax}, {"\x0b" + lucky, syntax},
		{`{'kind':'lucky'}`, syntax}, {`{kind:"lucky"}`, syntax}, {`{"kind" "lucky"}`, syntax},
		{`{"kind":"lucky",}`, syntax}, {`{,}`, syntax}, {`{"kind":}`, syntax}, {`{1:2}`, syntax}, {`{null:1}`, syntax},
		{`{"kind":"lu` + "\n" + `cky"}`, syntax}, {`{"kind":"\x41"}`, syntax}, {`{"kind":"\u12"}`, syntax},
		// Names once, spelled exactly.
		{with("total_fen", `1,"total_fen":1`), syntax}, {with("kind", `"lucky","k\u0069nd":"equal"`), syntax},
		{with("Total_fen", "1"), "Total_fen"}, {with("TOTAL_FEN", "1"), "TOTAL_FEN"}, {with("Kind", `"lucky"`), "Kind"},
		{with("kind ", `"lucky"`), "body"}, {with("\u017fhare_fen", "1"), "body"}, {with("\u212aind", `"lucky"`), "body"},
		{with("", "1"), "body"}, {with("user_id", `"bob"`), "user_id"}, {with("sender_id", `"bob"`), "sender_id"},
		{with("sub", `"bob"`), "sub"}, {with("id", `"1"`), "id"}, {with("__proto__", "{}"), "__proto__"},
		{with("$where", "1"), "body"}, {with(strings.Repeat("a", 33), "1"), "body"}, {with("state", `"active"`), "state"},
		// Null is no value.
		{with("kind", "null"), "kind"}, {with("total_fen", "null"), "total_fen"}, {with("count", "null"), "count"},
		{with("group_id", "null"), "group_id"}, {with("greeting", "null"), "greeting"},
		{with("recipient_id", "null"), "recipient_id"}, {with("share_fen", "null"), "share_fen"},
		// Whole numbers that fit.
		{with("total_fen", "1.0"), "total_fen"}, {with("total_fen", "1e2"), "total_fen"}, {with("total_fen", "1E2"), "total_fen"},
		{with("total_fen", "0.5"), "total_fen"}, {with("total_fen", "100.00"), "total_fen"}, {with("total_fen", `"5"`), "total_fen"},
		{with("total_fen", "9223372036854775808"), "total_fen"}, {with("total_fen", "-9223372036854775809"), "total_fen"},
		{with("count", "1e999"), "count"}, {with("count", strings.Repeat("9", 400)), "count"}, {with("count", "5.5"), "count"},
		{with("total_fen", "01"), syntax}, {with("total_fen", "+1"), syntax}, {with("total_fen", "0x10"), syntax},
		{with("total_fen", "NaN"), syntax}, {with("total_fen", "Infinity"), syntax}, {with("total_fen", "-"), syntax},
		{with("total_fen", ".5"), syntax}, {with("total_fen", "5."), syntax}, {with("total_fen", "1_000"), syntax},
		// The right type.
		{with("total_fen", "true"), "total_fen"}, {with("total_fen", "[1]"), "total_fen"}, {with("total_fen", "{}"), "total_fen"},
		{with("count", `""`), "count"}, {with("kind", "7"), "kind"}, {with("kind", `["lucky"]`), "kind"},
		{with("group_id", "7"), "group_id"}, {with("group_id", "false"), "group_id"}, {with("group_id", `{"$ne":""}`), "group_id"},
		{with("greeting", "[]"), "greeting"}, {with("greeting", "0"), "greeting"},
		{with("greeting", strings.Repeat("[", 1<<20)), "greeting"},
		{with("greeting", strings.Repeat(`{"a":`, 1<<18)), "greeting"},
		{strings.Repeat("[", 1<<20), syntax}, {strings.Repeat(`{"a":`, 1<<18), "a"},
		// UTF-8.
		{with("greeting", "\"\xff\""), syntax}, {with("greeting", "\"\xc0\xaf\""), syntax}, {with("group_id", "\"g\xe2\x82\""), syntax},
		{with("greeting", "\"\xed\xa0\x80\""), syntax}, {with("greeting", `"\ud800"`), syntax}, {with("greeting", `"\udc00\ud800"`), syntax},
		{with("gr\xffeeting", `""`), syntax},
		// Each kind has its members.
		{"{}", "kind"}, {`{"kind":"lucky"}`, "count"}, {`{"kind":"lucky","count":5}`, "total_fen"},
		{`{"kind":"lucky","count":5,"total_fen":9}`, "group_id"}, {with("kind", `"Lucky"`), "kind"}, {with("kind", `"lucky "`), "kind"},
		{with("kind", `""`), "kind"}, {with("share_fen", "0"), "share_fen"}, {with("recipient_id", `""`), "recipient_id"},
		{with("kind", `"equal"`), "total_fen"}, {with("kind", `"exclusive"`), "recipient_id"},
		{`{"kind":"equal","count":2,"group_id":"g"}`, "share_fen"}, {`{"kind":"equal","share_fen":2,"group_id":"g"}`, "count"},
		{`{"kind":"equal","total_fen":0,"share_fen":2,"count":2,"group_id":"g"}`, "total_fen"},
		{`{"kind":"exclusive","total_fen":2,"count":0,"group_id":"g","recipient_id":"b"}`, "count"},
		{`{"kind":"exclusive","total_fen":2,"count":2,"group_id":"g","recipient_id":"b"}`, "count"},
		{`{"kind":"exclusive","share_fen":2,"group_id":"g","recipient_id":"b"}`, "total_fen"},
	}
	if len(refused) < 100 {
		t.Errorf("%d cases, want at least 100", len(refused))
	}
	for _, tt := range refused {
		o, err := decodeOrder([]byte(tt.body))
		if got := brokenRule(err); got != tt.want {
			t.Errorf("%.80q: refused by %q (%v), want %q; order %+v", tt.body, got, err, tt.want, o)
		}
	}
}

// brokenRule is the field an error names, or the code of one without a field.
func brokenRule(err error) string {
	if invalid, ok := errors.AsType[*envelope.InvalidError](err); ok {
		return invalid.Field
	}
	if r, ok := errors.AsType[*refusal](err); ok {
		return r.code
	}
	return ""
}

func TestRefusalsNeverRepeatWhatWasSent(t *testing.T) {
	const secret = "s3cr3t-value"
	for _, body := range []string{
		with("kind", `"`+secret+`"`), with("total_fen", `"`+secret+`"`), with(secret, "1"), `{"` + secret, secret,
		with("kind", `"lucky","kind":"`+secret+`"`), lucky + secret,
	} {
		_, err := decodeOrder([]byte(body))
		if err == nil {
			t.Errorf("%s: accepted", body)
			continue
		}
		r := classify(err)
		if all := r.detail + r.field + r.rule; strings.Contains(all, secret) {
			t.Errorf("%s: the refusal repeats it: %s", body, all)
		}
	}
}

// FuzzDecodeOrder compares with encoding/json, which is laxer: whatever passes
// here must mean the same there.
func FuzzDecodeOrder(f *testing.F) {
	for _, seed := range []string{lucky, with("kind", `"equal"`), with("total_fen", "1e2"), "\ufeff{}", `{"kind":null}`, "[[[[", `{"a":{"b":1}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		o, err := decodeOrder(body)
		if err != nil {
			if rule := brokenRule(err); rule == "" || !utf8.ValidString(err.Error()) {
				t.Fatalf("%q: error without a rule: %v", body, err)
			}
			return
		}
		var reference struct {
			Kind      *string `json:"kind"`
			Total     int64   `json:"total_fen"`
			Share     int64   `json:"share_fen"`
			Count     int     `json:"count"`
			Group     *string `json:"group_id"`
			Greeting  string  `json:"greeting"`
			Recipient string  `json:"recipient_id"`
		}
		dec := json.NewDecoder(bytes.NewReader(body))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&reference); err != nil {
			t.Fatalf("%q: accepted, but encoding/json says %v", body, err)
		}
		same := string(o.Kind) == *reference.Kind && string(o.Group) == *reference.Group &&
			int64(o.Total) == reference.Total && int64(o.Share) == reference.Share && o.Count == reference.Count &&
			o.Greeting == reference.Greeting && string(o.Recipient) == reference.Recipient
		if !same || !utf8.Valid(body) || dec.More() {
			t.Fatalf("%q: read as %+v, reference %+v", body, o, reference)
		}
	})
}
