package orderset

import (
	"time"

	"hongbao/envelope"
)

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
