package layout

import (
	"time"
	"unicode/utf8"
)

const (
	reasonRunesMax = 255
	// waitMax bounds leases and waits: what is put off further is looked at once a day.
	waitMax = 24 * time.Hour
)

// Wait is a lease or a wait in the unit of the statements.
func Wait(d time.Duration) int64 { return min(max(d, 0), waitMax).Microseconds() }

// FitReason cuts a reason to its column.
func FitReason(reason string) string {
	runes := []rune(reason)
	if len(runes) <= reasonRunesMax && utf8.ValidString(reason) {
		return reason
	}
	return string(runes[:min(len(runes), reasonRunesMax)])
}

// AsStored is a time as DATETIME(3) keeps it. MariaDB cuts what is finer, MySQL
// rounds it, into the next day if need be.
func AsStored(at time.Time) time.Time { return at.UTC().Truncate(time.Millisecond) }
