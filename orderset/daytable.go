package orderset

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"hongbao/envelope"
	"hongbao/schema"
)

// DayTable addresses the pair of tables an envelope and its shares are in: one
// table digit of one business day.
type DayTable struct {
	Digit int // 0–9
	Day   int // day of the month, 1–31
}

// TableOf is the address inside the SET of an ID.
func TableOf(id envelope.ID) DayTable {
	return DayTable{Digit: id.TableDigit(), Day: id.Day().OfMonth()}
}

// sortedTables is the order in which every transaction goes through tables.
func sortedTables[V any](tables map[DayTable]V) []DayTable {
	return slices.SortedFunc(maps.Keys(tables), func(a, b DayTable) int {
		return cmp.Or(cmp.Compare(a.Digit, b.Digit), cmp.Compare(a.Day, b.Day))
	})
}

func (t DayTable) envelopes() string { return schema.EnvelopeTable(t.Digit, t.Day) }
func (t DayTable) shares() string    { return schema.ShareTable(t.Digit, t.Day) }

const (
	// daysHot is how many days back an ID may reach. The tables are cyclic over
	// days 1 to 31: with today and daysAhead these are 28 days, as many as the
	// shortest month has, so no two of them share a table (FD3).
	daysHot = 26
	// daysAhead lets IDs minted just past midnight by a fast clock be served.
	daysAhead = 1
)

// hot reports whether the day of a body can have tables at now. The exact
// answer is a matter of calendars; nearly every request is plainly inside.
func hot(b envelope.Body, now time.Time) bool {
	if age := now.Sub(b.Time()); age >= 0 && age < daysHot*24*time.Hour {
		return true
	}
	today, day := envelope.DayOf(now), b.Day()
	return day >= today.Add(-daysHot) && day <= today.Add(daysAhead)
}
