package envelope

import (
	"fmt"
	"time"
)

// businessZone is China Standard Time as a fixed offset: there is no daylight
// saving to jump over, and no time zone database to be missing.
func businessZone() *time.Location { return time.FixedZone("UTC+08:00", 8*60*60) }

// Day is a business day, 00:00 to 24:00 in UTC+08:00, as year·10000 +
// month·100 + day: 20261123. The zero Day is no day.
type Day int

// DayOf is the business day that t falls in.
func DayOf(t time.Time) Day {
	y, m, d := t.In(businessZone()).Date()
	return Day(y*10000 + int(m)*100 + d)
}

// ParseDay reads "2026-11-23".
func ParseDay(s string) (Day, error) {
	t, err := time.ParseInLocation(time.DateOnly, s, businessZone())
	if err != nil {
		return 0, fmt.Errorf("day %q: want a date like 2026-11-23", s)
	}
	return DayOf(t), nil
}

// Start is the first instant of the day.
func (d Day) Start() time.Time {
	return time.Date(int(d)/10000, time.Month(int(d)/100%100), int(d)%100, 0, 0, 0, 0, businessZone())
}

// Add is the day n days later, or earlier when n is negative.
func (d Day) Add(n int) Day { return DayOf(d.Start().AddDate(0, 0, n)) }

// OfMonth is the cyclic day 1 to 31: the dd of the day's tables.
func (d Day) OfMonth() int { return int(d) % 100 }

func (d Day) String() string { return d.Start().Format(time.DateOnly) }
