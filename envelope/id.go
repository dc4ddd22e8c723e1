package envelope

import (
	"fmt"
	"strconv"
	"time"
)

// An order ID is 23 ASCII digits, and a full address:
//
//	0123456789012345678 003 7
//	└ body: 19 digits ┘ └S┘ └ table digit
const (
	bodyDigits = 19
	setDigits  = 3
	idDigits   = bodyDigits + setDigits + 1

	// TableDigits is how many pairs of tables one day of one SET has.
	TableDigits = 10
	// SetNumberMax is the largest SET number an ID can carry.
	SetNumberMax SetNumber = 999
)

// The body is a sonyflake v2 number of this layout (orderset mints it). The
// layout is frozen: every stored ID depends on it.
const (
	// BodySequenceBits and BodyMachineBits are the low bits of a body.
	BodySequenceBits = 10
	BodyMachineBits  = 12
	bodyTimeShift    = BodySequenceBits + BodyMachineBits
)

// BodyEpoch is the start of body time; one unit of body time is 1 ms.
func BodyEpoch() time.Time { return time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC) }

// Body is the first 19 digits of an order ID: unique by itself over all SETs
// and sortable by time. A body with another suffix is the same envelope minted
// elsewhere, which is how a send heals itself when a SET is down.
type Body int64

// Time is when the body was minted, to the millisecond.
func (b Body) Time() time.Time {
	return BodyEpoch().Add(time.Duration(int64(b)>>bodyTimeShift) * time.Millisecond)
}

// Day is the business day of the body: its own timestamp in UTC+08:00, never
// the clock of the caller.
func (b Body) Day() Day { return DayOf(b.Time()) }

// TableDigit spreads bodies over the ten tables of a day. A body's low bits are
// its machine number, so they are mixed first (the 64-bit finaliser of
// MurmurHash3, Appleby 2011). Frozen: golden tests hold it.
func (b Body) TableDigit() int {
	x := uint64(b)
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	x ^= x >> 33
	return int(x % TableDigits)
}

// In addresses the envelope of this body in a SET. A number above
// [SetNumberMax] is a programming error and panics: cut to three digits it would
// be another SET.
func (b Body) In(set SetNumber) ID {
	if set > SetNumberMax {
		panic(fmt.Sprintf("SET %d: want at most %d", set, SetNumberMax))
	}
	buf := make([]byte, 0, idDigits)
	buf = appendPadded(buf, int64(b), bodyDigits)
	buf = appendPadded(buf, int64(set), setDigits)
	buf = appendPadded(buf, int64(b.TableDigit()), 1)
	return ID(buf)
}

func appendPadded(buf []byte, v int64, width int) []byte {
	var digits [bodyDigits]byte
	for i := width - 1; i >= 0; i-- {
		digits[i] = byte('0' + v%10)
		v /= 10
	}
	return append(buf, digits[:width]...)
}

// SetNumber is the number of a SET, 0 to 999. It prints as the three digits an
// ID carries.
type SetNumber uint16

func (s SetNumber) String() string { return fmt.Sprintf("%03d", uint16(s)) }

// ParseSetNumber reads exactly three digits, "003".
func ParseSetNumber(s string) (SetNumber, error) {
	if len(s) != setDigits || !allDigits(s) {
		return 0, fmt.Errorf("SET %q: want three digits, 000 to 999", s)
	}
	n, err := strconv.ParseUint(s, 10, 16)
	return SetNumber(n), err
}

// ID is an order ID that [ParseID] or [Body.In] made. It is a string in JSON,
// in SQL and in Go: its value does not fit 64 bits.
type ID string

// ParseID checks that s can be the ID of an envelope: 23 digits, a body that a
// mint can make, and the table digit its body hashes to. It cannot tell whether
// the SET exists; the router does. The error wraps [ErrNotFound], because to a
// caller an ID that cannot exist is an envelope that does not exist.
func ParseID(s string) (ID, error) {
	if len(s) != idDigits || !allDigits(s) {
		return "", fmt.Errorf("order ID: want %d digits: %w", idDigits, ErrNotFound)
	}
	body, err := strconv.ParseInt(s[:bodyDigits], 10, 64)
	if err != nil || body>>bodyTimeShift == 0 {
		return "", fmt.Errorf("order ID: no mint makes this body: %w", ErrNotFound)
	}
	if Body(body).TableDigit() != int(s[idDigits-1]-'0') {
		return "", fmt.Errorf("order ID: the table digit is not the body's: %w", ErrNotFound)
	}
	return ID(s), nil
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// Body is the first 19 digits as a number.
func (id ID) Body() Body {
	var v int64
	for i := range bodyDigits {
		v = v*10 + int64(id[i]-'0')
	}
	return Body(v)
}

// Set is the number of the SET the envelope lives in.
func (id ID) Set() SetNumber {
	return SetNumber(id[19]-'0')*100 + SetNumber(id[20]-'0')*10 + SetNumber(id[21]-'0')
}

// TableDigit is the last digit: which of the ten tables of the day.
func (id ID) TableDigit() int { return int(id[idDigits-1] - '0') }

// Day is the business day of the envelope.
func (id ID) Day() Day { return id.Body().Day() }
