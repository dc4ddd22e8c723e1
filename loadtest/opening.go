package loadtest

import (
	"bytes"
	"encoding/json"
	"math"

	"hongbao/envelope"
)

// openingDigitsMax bounds a number that is read in place.
const openingDigitsMax = 9

// opening is what the body of an answered open says.
type opening struct {
	Outcome envelope.Outcome `json:"outcome"`
	Amount  int64            `json:"amount_fen"`
	Seq     int64            `json:"seq"`
}

// parseOpening reads a body. Bodies without any space, members in the usual
// order, are read in place; all others as the JSON they are.
func parseOpening(body []byte) (o opening, ok bool) {
	if o, ok = parseCompact(body); ok {
		return o, true
	}
	o = opening{}
	if err := json.Unmarshal(body, &o); err != nil {
		return opening{}, false
	}
	return o, o.sound()
}

// sound reports whether the numbers fit a [Record] and belong to the outcome.
func (o *opening) sound() bool {
	if _, ok := outcomeOf(o.Outcome); !ok {
		return false
	}
	if o.Outcome == envelope.Opened || o.Outcome == envelope.AlreadyOpened {
		return o.Amount >= 1 && o.Amount <= math.MaxInt32 && o.Seq >= 1 && o.Seq <= math.MaxInt16
	}
	return o.Amount == 0 && o.Seq == 0
}

func parseCompact(b []byte) (o opening, ok bool) {
	b, ok = bytes.CutPrefix(b, []byte(`{"outcome":"`))
	if !ok {
		return o, false
	}
	for _, known := range [...]envelope.Outcome{envelope.Opened, envelope.AlreadyOpened, envelope.Drained, envelope.TooLate} {
		if len(b) > len(known) && string(b[:len(known)]) == string(known) && b[len(known)] == '"' {
			o.Outcome, b = known, b[len(known)+1:]
			break
		}
	}
	if rest, found := bytes.CutPrefix(b, []byte(`,"amount_fen":`)); found {
		if o.Amount, b, ok = leadingNumber(rest); !ok {
			return o, false
		}
		if rest, found = bytes.CutPrefix(b, []byte(`,"seq":`)); !found {
			return o, false
		}
		if o.Seq, b, ok = leadingNumber(rest); !ok {
			return o, false
		}
	}
	return o, string(b) == "}" && o.sound()
}

// leadingNumber reads the digits b starts with, as JSON spells integers: nine at
// most, so that a longer number does not end where its caller wants it to.
func leadingNumber(b []byte) (n int64, rest []byte, ok bool) {
	i := 0
	for i < len(b) && i < openingDigitsMax && b[i] >= '0' && b[i] <= '9' {
		n = n*10 + int64(b[i]-'0')
		i++
	}
	return n, b[i:], i > 0 && (b[0] != '0' || i == 1)
}
