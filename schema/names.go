package schema

import (
	"fmt"
	"regexp"
)

// The bounds of what names an order's place. All are included.
const (
	SetMax   = 999 // SETs are 0–999
	DigitMax = 9   // table digits are 0–9
	DayMax   = 31  // days of the month are 1–31
)

// DatabaseName is where SET set lives: "hb_003". Outside 0–999 it is the name
// of a database that ApplySet will not make, so nothing will be found there.
func DatabaseName(set int) string { return fmt.Sprintf("hb_%03d", set) }

// EnvelopeTable names the envelopes of a table digit (0–9) and a day of the
// month (1–31): "envelope_7_03". It panics outside these, because both were
// taken from a checked order ID and SQL is built from the result.
func EnvelopeTable(digit, day int) string { return dayTable("envelope", digit, day) }

// ShareTable is EnvelopeTable for the shares: "share_7_03".
func ShareTable(digit, day int) string { return dayTable("share", digit, day) }

// dayTableShape is every name that dayTable can return.
var dayTableShape = regexp.MustCompile(`^(envelope|share)_[0-9]_(0[1-9]|[12][0-9]|3[01])$`)

func dayTable(kind string, digit, day int) string {
	if digit < 0 || digit > DigitMax || day < 1 || day > DayMax {
		panic(fmt.Sprintf("schema: no %s table for digit %d of day %d: want 0 <= digit <= %d, 1 <= day <= %d",
			kind, digit, day, DigitMax, DayMax))
	}
	return fmt.Sprintf("%s_%d_%02d", kind, digit, day)
}

func checkSet(set int) error {
	if set < 0 || set > SetMax {
		return fmt.Errorf("SET %d: want 0 <= SET <= %d", set, SetMax)
	}
	return nil
}

func checkDay(day int) error {
	if day < 1 || day > DayMax {
		return fmt.Errorf("day %d: want 1 <= day <= %d", day, DayMax)
	}
	return nil
}
