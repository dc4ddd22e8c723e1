package envelope

import (
	"math"
	"testing"
)

// firstShares draws the first share of n envelopes of one sender after another.
func firstShares(key DrawKey, n int, total Fen, count int, shareMax Fen) []Fen {
	shares := make([]Fen, n)
	for i := range shares {
		shares[i] = NewDraw(key.Seed(idAt(i))).Share(1, total, count, Bounds{1, shareMax})
	}
	return shares
}

func histogram(samples []Fen, lo, hi Fen, bins int) []int {
	counts := make([]int, bins)
	for _, s := range samples {
		counts[int(s-lo)*bins/int(hi-lo+1)]++
	}
	return counts
}

// FA18: a million first shares are uniform from one fen to twice the mean.
func TestFirstSharesReachTwiceTheMean(t *testing.T) {
	shares := firstShares(drawKey(), 1_000_000, 10_000, 10, 20000)
	wantKolmogorov(t, "10000 fen in 10", shares, 1, 2000)
	wantUniform(t, "10000 fen in 10, by the fen", histogram(shares, 1, 2000, 2000))
	wantUniform(t, "10000 fen in 10, by the yuan", histogram(shares, 1, 2000, 20))
}

// FA18: whatever bounds the range of the first share, it is uniform in it.
func TestFirstSharesAreUniformInTheBounds(t *testing.T) {
	for _, row := range []struct {
		name     string
		total    Fen
		count    int
		shareMax Fen
		lo, hi   Fen
	}{
		{"the cap bounds below and above", 35000, 2, 20000, 15000, 20000},
		{"the cap bounds above", 6000, 3, 2500, 1000, 2500},
		{"one fen each bounds above", 12, 10, 20000, 1, 2},
		{"two people", 10000, 2, 20000, 1, 9999},
		{"five hundred people", 1_000_000, 500, 20000, 1, 4000},
		{"a mean of one and a half", 15, 10, 20000, 1, 3},
	} {
		t.Run(row.name, func(t *testing.T) {
			shares := firstShares(drawKey(), 50_000, row.total, row.count, row.shareMax)
			wantKolmogorov(t, row.name, shares, row.lo, row.hi)
			wantUniform(t, row.name, histogram(shares, row.lo, row.hi, min(100, int(row.hi-row.lo+1))))
		})
	}
}

// FA18: no opener gains by coming early or late. Rounding moves an expectation
// by less than half a fen at each step, so that the last of n may lose up to
// half the n-th harmonic number.
func TestEveryPositionExpectsTheMean(t *testing.T) {
	const envelopes, count, mean = 100_000, 10, 1000
	positions := make([][]Fen, count)
	for i := range envelopes {
		for k, s := range split(drawKey().Seed(idAt(i)), count*mean, count, 20000) {
			positions[k] = append(positions[k], s)
		}
	}
	rounding := 0.0
	for k := range count {
		rounding += 0.5 / float64(k+1)
	}
	for k, shares := range positions {
		have, deviation := meanAndDeviation(shares)
		tolerance := rounding + oneInAThousand*deviation/math.Sqrt(envelopes)
		if math.Abs(have-mean) > tolerance {
			t.Errorf("position %d: mean %.2f fen, want %d ± %.2f", k+1, have, mean, tolerance)
		}
	}
}

// FA18: TestEveryShareIsUniformInItsRange maps each share to its place between
// lo and hi. Amounts far above any limit keep the places fine-grained.
func TestEveryShareIsUniformInItsRange(t *testing.T) {
	const envelopes, count, bins = 50_000, 5, 100
	const total, shareMax = Fen(1e15), Fen(1e15)
	places := [count - 1][]int{}
	for k := range places {
		places[k] = make([]int, bins)
	}
	for i := range envelopes {
		rest := total
		for k, s := range split(drawKey().Seed(idAt(i)), total, count, shareMax)[:count-1] {
			hi := min(2*rest/Fen(count-k), rest-Fen(count-k-1))
			places[k][int(float64(s-1)/float64(hi)*bins)]++
			rest -= s
		}
	}
	for k := range places {
		wantUniform(t, "position "+string(rune('1'+k)), places[k])
	}
}

// FA18: shares of other IDs, keys and positions are uncorrelated.
func TestDrawsAreIndependent(t *testing.T) {
	const n = 100_000
	shares := firstShares(drawKey(), n+1, 10_000, 10, 20000)
	wantUncorrelated(t, "an envelope and the next", shares[:n], shares[1:])
	other := must(NewDrawKey(bytesFrom(1, 32)))
	wantUncorrelated(t, "one ID under two keys", shares[:n], firstShares(other, n, 10_000, 10, 20000))
	first, second := make([]Fen, n), make([]Fen, n)
	for i := range n {
		d := NewDraw(drawKey().Seed(idAt(i)))
		first[i], second[i] = d.Share(1, 10_000, 10, Bounds{1, 20000}), d.Share(2, 10_000, 10, Bounds{1, 20000})
	}
	wantUncorrelated(t, "two positions of one envelope", first, second)
}
