package webhook

import (
	"strconv"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"pgregory.net/rapid"
)

func TestTimesAreUTCWithMilliseconds(t *testing.T) {
	for nano, want := range map[int]string{
		0: "000", 1_999_999: "001", 10_000_000: "010", 999_999_999: "999",
	} {
		var o object
		o.time("at", time.Date(2026, 11, 23, 12, 0, 0, nano, time.FixedZone("", 8*3600)))
		if got := string(o.json); got != `"at":"2026-11-23T04:00:00.`+want+`Z"` {
			t.Error(got)
		}
	}
}

// TestWhatIsWrittenReadsBack has every shape that an event is made of.
func TestWhatIsWrittenReadsBack(t *testing.T) {
	type item struct {
		Text   string
		Number int64
		At     time.Time
	}
	rapid.Check(t, func(t *rapid.T) {
		items := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) item {
			return item{
				rapid.String().Draw(t, "text"), rapid.Int64().Draw(t, "number"),
				time.UnixMilli(rapid.Int64Range(-62135596800000, 253402300799999).Draw(t, "at")).UTC(),
			}
		}), 0, 3).Draw(t, "items")
		var o object
		o.begin('{')
		o.name("Items")
		o.begin('[')
		for _, i := range items {
			o.begin('{')
			o.text("Text", i.Text)
			o.number("Number", i.Number)
			o.time("At", i.At)
			o.end('}')
		}
		o.end(']')
		o.number("Last", 1)
		o.end('}')
		var got struct {
			Items []item
			Last  int
		}
		if err := json.Unmarshal(o.json, &got, json.RejectUnknownMembers(true)); err != nil || o.err != nil {
			t.Fatalf("%s: %v, %v", strconv.Quote(string(o.json)), err, o.err)
		}
		if len(got.Items) != len(items) || got.Last != 1 {
			t.Fatalf("%s: %d items, want %d", o.json, len(got.Items), len(items))
		}
		for n := range items {
			if got.Items[n] != items[n] {
				t.Fatalf("%+v, want %+v", got.Items[n], items[n])
			}
		}
	})
}
