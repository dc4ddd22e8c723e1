package envelope

import "strconv"

// Fen is an amount of money: 1 fen = 0.01 CNY. Money is an integer number of
// fen everywhere; there is no float and no decimal string inside the service.
type Fen int64

// String prints the amount as yuan for people, "12.34". Programs use the
// integer.
func (f Fen) String() string {
	sign, v := "", uint64(f)
	if f < 0 {
		sign, v = "-", -v
	}
	cents := strconv.FormatUint(v%100, 10)
	if v%100 < 10 {
		cents = "0" + cents
	}
	return sign + strconv.FormatUint(v/100, 10) + "." + cents
}
