package envelope

import (
	"fmt"
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

func TestFenPrintsAsYuan(t *testing.T) {
	for _, row := range []struct {
		fen  Fen
		want string
	}{
		{0, "0.00"}, {1, "0.01"}, {9, "0.09"}, {10, "0.10"}, {99, "0.99"}, {100, "1.00"}, {101, "1.01"}, {1234, "12.34"},
		{20000, "200.00"}, {10_000_000, "100000.00"},
		{-1, "-0.01"}, {-10, "-0.10"}, {-100, "-1.00"}, {-1234, "-12.34"},
		{math.MaxInt64, "92233720368547758.07"}, {math.MinInt64, "-92233720368547758.08"},
	} {
		if got := row.fen.String(); got != row.want {
			t.Errorf("%d fen: have %q, want %q", int64(row.fen), got, row.want)
		}
	}
}

func TestFenPrintsEveryAmountExactly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fen := rapid.Int64().Draw(t, "fen")
		want := new(big.Rat).SetFrac64(fen, 100).FloatString(2)
		if got := fmt.Sprint(Fen(fen)); got != want {
			t.Fatalf("%d fen: have %q, want %q", fen, got, want)
		}
	})
}
