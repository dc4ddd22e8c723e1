package envelope

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestADayTurnsAtMidnightInUTCPlus8(t *testing.T) {
	for _, row := range []struct {
		at   string
		want Day
	}{
		{"2026-11-22T15:59:59.999Z", 20261122},
		{"2026-11-22T16:00:00.000Z", 20261123},
		{"2026-11-23T15:59:59.999Z", 20261123},
		{"2026-11-23T16:00:00.000Z", 20261124},
		{"2026-11-30T16:00:00.000Z", 20261201},
		{"2026-12-31T15:59:59.999Z", 20261231},
		{"2026-12-31T16:00:00.000Z", 20270101},
		{"2028-02-28T16:00:00.000Z", 20280229},
		{"2027-02-28T16:00:00.000Z", 20270301},
		{"2025-01-01T00:00:00.000Z", 20250101},
	} {
		at := must(time.Parse(time.RFC3339Nano, row.at))
		if got := DayOf(at); got != row.want {
			t.Errorf("%s: have %d, want %d", row.at, got, row.want)
		}
		if got := bodyAt(at, 1023, 4095).Day(); got != row.want {
			t.Errorf("a body of %s: have %d, want %d", row.at, got, row.want)
		}
		if got := bodyAt(at, 0, 0).In(999).Day(); got != row.want {
			t.Errorf("an ID of %s: have %d, want %d", row.at, got, row.want)
		}
	}
}

func TestDayIgnoresTheMachinesTimeZone(t *testing.T) {
	local := time.Local
	t.Cleanup(func() { time.Local = local })
	before := time.Date(2026, 11, 23, 15, 59, 59, 999e6, time.UTC)
	for _, hours := range []int{-12, -8, 0, 8, 9, 14} {
		time.Local = time.FixedZone("", hours*60*60)
		if got := DayOf(before.Local()); got != 20261123 {
			t.Errorf("at UTC%+d: have %d, want 20261123", hours, got)
		}
		if got := bodyAt(before, 0, 1).Day(); got != 20261123 {
			t.Errorf("a body at UTC%+d: have %d, want 20261123", hours, got)
		}
		if got := bodyAt(before.Add(time.Millisecond), 0, 1).Day(); got != 20261124 {
			t.Errorf("a body 1 ms later at UTC%+d: have %d, want 20261124", hours, got)
		}
		if got := must(ParseDay("2026-11-23")).Start().UTC(); !got.Equal(time.Date(2026, 11, 22, 16, 0, 0, 0, time.UTC)) {
			t.Errorf("at UTC%+d the day starts at %v", hours, got)
		}
	}
}

func TestAddingDaysCrossesMonthsAndLeapDays(t *testing.T) {
	for _, row := range []struct {
		day  Day
		n    int
		want Day
	}{
		{20261123, 0, 20261123},
		{20261123, 1, 20261124}, {20261123, -1, 20261122},
		{20261130, 1, 20261201}, {20261201, -1, 20261130},
		{20261031, 1, 20261101}, {20261101, -1, 20261031},
		{20261231, 1, 20270101}, {20270101, -1, 20261231},
		{20280228, 1, 20280229}, {20280229, 1, 20280301}, {20280301, -1, 20280229},
		{20270228, 1, 20270301}, {20270301, -1, 20270228},
		{21000228, 1, 21000301}, {20000228, 1, 20000229},
		{20261123, 31, 20261224}, {20261123, 365, 20271123}, {20280101, 366, 20290101}, {20261123, -3, 20261120},
	} {
		if got := row.day.Add(row.n); got != row.want {
			t.Errorf("%v plus %d days: have %v, want %v", row.day, row.n, got, row.want)
		}
	}
}

func TestDayIs24HoursFromItsStart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := BodyEpoch().Add(time.Duration(rapid.Int64Range(0, 1<<41-1).Draw(t, "ms")) * time.Millisecond)
		d := DayOf(at)
		start := d.Start()
		if at.Before(start) || !at.Before(start.Add(24*time.Hour)) {
			t.Fatalf("%v is not within %v, which starts at %v", at, d, start)
		}
		if DayOf(start) != d || DayOf(start.Add(-1)) != d.Add(-1) || DayOf(start.Add(24*time.Hour)) != d.Add(1) {
			t.Fatalf("%v does not touch its neighbours", d)
		}
		if got := must(ParseDay(d.String())); got != d {
			t.Fatalf("%v reads back as %v", d, got)
		}
		if got := d.OfMonth(); got != start.Day() || got < 1 || got > 31 {
			t.Fatalf("%v is day %d of its month", d, got)
		}
	})
}

func TestParseDayRefusesWhatIsNoDate(t *testing.T) {
	for _, s := range []string{"", "20261123", "2026-11-31", "2027-02-29", "2026-13-01", "2026-00-10", "2026-11-00",
		"2026-1-2", " 2026-11-23", "2026-11-23 ", "2026-11-23T00:00:00Z", "２０２６-11-23", "-026-11-23", "2026/11/23"} {
		d, err := ParseDay(s)
		if err == nil || d != 0 {
			t.Errorf("%q: have day %d, error %v", s, d, err)
		} else if !strings.Contains(err.Error(), "want a date like 2026-11-23") {
			t.Errorf("%q: the error does not say what is wanted: %v", s, err)
		}
	}
}

func FuzzParseDayReadsBackWhatItAccepts(f *testing.F) {
	for _, s := range []string{"2026-11-23", "2028-02-29", "2027-02-29", "0001-01-01", "9999-12-31", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := ParseDay(s); err == nil && d.String() != s {
			t.Errorf("%q reads as %v", s, d)
		}
	})
}
