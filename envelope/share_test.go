package envelope

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestBestLuckIsLargestThenEarliest(t *testing.T) {
	for _, row := range []struct {
		name    string
		kind    Kind
		state   State
		amounts []Fen
		want    int
	}{
		{"the only one", Lucky, Empty, []Fen{5}, 1},
		{"the first", Lucky, Empty, []Fen{9, 5, 8}, 1},
		{"in the middle", Lucky, Empty, []Fen{1, 9, 8}, 2},
		{"the last", Lucky, Empty, []Fen{1, 2, 3}, 3},
		{"a tie", Lucky, Empty, []Fen{1, 7, 3, 7, 7}, 2},
		{"all the same", Lucky, Empty, []Fen{1, 1, 1}, 1},
		{"expired", Lucky, Expired, []Fen{1, 2}, 2},
		{"settled", Lucky, Settled, []Fen{2, 1}, 1},
		{"expired untouched", Lucky, Expired, nil, 0},
		{"still open", Lucky, Active, []Fen{1, 2}, 0},
		{"unpaid", Lucky, Unpaid, nil, 0},
		{"closed", Lucky, Closed, nil, 0},
		{"equal", Equal, Empty, []Fen{5, 5}, 0},
		{"exclusive", Exclusive, Empty, []Fen{5}, 0},
	} {
		var shares []Share
		for i, a := range row.amounts {
			shares = append(shares, Share{Seq: i + 1, Amount: a})
		}
		if got := BestLuck(&Envelope{Kind: row.kind, State: row.state}, shares); got != row.want {
			t.Errorf("%s: have %d, want %d", row.name, got, row.want)
		}
	}
}

func TestBestLuckIsNeverBeaten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e, _, shares := finished(luckyOrder(drawTotal(t, 20, Bounds{1, 20000}), 20), DefaultLimits())
		best := shares[BestLuck(&e, shares)-1]
		for _, s := range shares {
			if s.Amount > best.Amount || s.Amount == best.Amount && s.Seq < best.Seq {
				t.Fatalf("%+v is luckier than %+v", s, best)
			}
		}
	})
}

func TestWhatWasGivenVerifies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawLimits(t)
		e, seed, shares := finished(drawOrder(t, l), l)
		if err := Verify(&e, seed, shares); err != nil {
			t.Fatal(err)
		}
	})
}

// partly is an envelope that expired with 3 of its 8 shares taken.
func partly() (Envelope, Seed, []Share) {
	e, seed := paid(luckyOrder(8000, 8), DefaultLimits())
	e, openings := Decide(e, seed, crowd(3), nobody, e.PaidAt)
	e.State, e.Refunded, e.FinishedAt = Expired, e.Remaining(), e.ExpiresAt
	return e, seed, []Share{openings[0].Share, openings[1].Share, openings[2].Share}
}

func TestExpiredEnvelopeVerifiesItsShares(t *testing.T) {
	e, seed, shares := partly()
	if err := Verify(&e, seed, shares); err != nil {
		t.Error(err)
	}
	untouched, seed := paid(luckyOrder(8000, 8), DefaultLimits())
	untouched.State, untouched.Refunded = Expired, untouched.Total
	if err := Verify(&untouched, seed, nil); err != nil {
		t.Error(err)
	}
}

// wantFound holds Verify to find a difference, and to name its share.
func wantFound(t *testing.T, what string, err error, share int) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: Verify finds nothing", what)
	} else if want := fmt.Sprintf("share %d:", share); share > 0 && !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%s: have %q, want %q first", what, err, want)
	}
}

func TestVerifyFindsEverySingleMutation(t *testing.T) {
	for _, o := range []Order{luckyOrder(20_000, 10), luckyOrder(10, 10), equalOrder(70, 5), exclusiveOrder(520)} {
		t.Run(string(o.Kind), func(t *testing.T) {
			e, seed, shares := finished(o, DefaultLimits())
			for i := range shares {
				for _, d := range []Fen{-1, 1, 1000, -shares[i].Amount, -2 * shares[i].Amount} {
					changed := slices.Clone(shares)
					changed[i].Amount += d
					wantFound(t, fmt.Sprintf("share %d changed by %d fen", i+1, d), Verify(&e, seed, changed), i+1)
				}
				for _, seq := range []int{shares[i].Seq - 1, shares[i].Seq + 1, 0, -1, math.MaxInt} {
					changed := slices.Clone(shares)
					changed[i].Seq = seq
					wantFound(t, fmt.Sprintf("share %d at position %d", i+1, seq), Verify(&e, seed, changed), i+1)
				}
				if i+1 < len(shares) {
					wantFound(t, fmt.Sprintf("share %d lost", i+1), Verify(&e, seed, slices.Delete(slices.Clone(shares), i, i+1)), i+1)
				}
				verifySwaps(t, &e, seed, shares, i)
			}
			wantFound(t, "the last share twice", Verify(&e, seed, append(slices.Clone(shares), shares[len(shares)-1])), 0)
			other := drawKey().Seed(idAt(1))
			wantFound(t, "the seed of another envelope", Verify(&e, other, shares), 0)
			for bit := range 256 {
				wrong := seed
				wrong[bit/8] ^= 1 << (bit % 8)
				wantFound(t, fmt.Sprintf("bit %d of the seed", bit), Verify(&e, wrong, shares), 0)
			}
		})
	}
}

// verifySwaps exchanges share i with every later one: the rows, and the amounts
// where they differ.
func verifySwaps(t *testing.T, e *Envelope, seed Seed, shares []Share, i int) {
	t.Helper()
	for j := i + 1; j < len(shares); j++ {
		rows := slices.Clone(shares)
		rows[i], rows[j] = rows[j], rows[i]
		wantFound(t, fmt.Sprintf("rows %d and %d swapped", i+1, j+1), Verify(e, seed, rows), i+1)
		if shares[i].Amount != shares[j].Amount {
			amounts := slices.Clone(shares)
			amounts[i].Amount, amounts[j].Amount = shares[j].Amount, shares[i].Amount
			wantFound(t, fmt.Sprintf("amounts %d and %d swapped", i+1, j+1), Verify(e, seed, amounts), i+1)
		}
	}
}

// TestVerifyChecksSharesAgainstTheHeader: a row that is missing at the end, or
// a total that was changed, leaves every share right by itself.
func TestVerifyChecksSharesAgainstTheHeader(t *testing.T) {
	for _, o := range []Order{luckyOrder(20_000, 10), equalOrder(70, 5)} {
		e, seed, shares := finished(o, DefaultLimits())
		wantFound(t, string(o.Kind)+": the last share lost", Verify(&e, seed, shares[:len(shares)-1]), 0)
		for name, spoil := range map[string]func(*Envelope){
			"total + 1":        func(e *Envelope) { e.Total++ },
			"total - 1":        func(e *Envelope) { e.Total-- },
			"count + 1":        func(e *Envelope) { e.Count++ },
			"count - 1":        func(e *Envelope) { e.Count-- },
			"opened + 1":       func(e *Envelope) { e.Opened++ },
			"opened count + 1": func(e *Envelope) { e.OpenedCount++ },
		} {
			changed := e
			spoil(&changed)
			wantFound(t, string(o.Kind)+": "+name, Verify(&changed, seed, shares), 0)
		}
	}
	e, seed, shares := partly()
	wantFound(t, "the last share of an expired one lost", Verify(&e, seed, shares[:2]), 0)
}

// TestVerifyRefusesAnImpossibleHeader: a row that was tampered with is a
// finding of the audit, not the end of it.
func TestVerifyRefusesAnImpossibleHeader(t *testing.T) {
	_, _, right := finished(luckyOrder(20_000, 10), DefaultLimits())
	shareOne := right[0].Amount
	for _, row := range []struct {
		name  string
		spoil func(*Envelope)
		share int // named first, 0 for none
	}{
		{"a total past every cap", func(e *Envelope) { e.Total = Fen(e.Count)*e.ShareMax + 1 }, 1},
		{"all the money there is", func(e *Envelope) { e.Total = math.MaxInt64 }, 1},
		{"a cap of one fen", func(e *Envelope) { e.ShareMax = 1 }, 1},
		{"no cap", func(e *Envelope) { e.ShareMax = 0 }, 1},
		{"a negative cap", func(e *Envelope) { e.ShareMax = -1 }, 1},
		{"another least share", func(e *Envelope) { e.ShareMin = 5 }, 1},
		{"a least share above the mean", func(e *Envelope) { e.ShareMin = 2001 }, 1},
		{"a least share above the cap", func(e *Envelope) { e.ShareMin = 20001 }, 1},
		{"no money", func(e *Envelope) { e.Total = 0 }, 1},
		{"a debt", func(e *Envelope) { e.Total = -1 }, 1},
		{"no shares", func(e *Envelope) { e.Count = 0 }, 0},
		{"shares owed back", func(e *Envelope) { e.Count = -1 }, 0},
		{"a share too few", func(e *Envelope) { e.Count-- }, 0},
		{"another kind", func(e *Envelope) { e.Kind = Exclusive }, 1},
		{"another kind, its first share right", func(e *Envelope) { e.Kind, e.Total = Exclusive, shareOne }, 2},
	} {
		t.Run(row.name, func(t *testing.T) {
			e, seed, shares := finished(luckyOrder(20_000, 10), DefaultLimits())
			row.spoil(&e)
			defer func() {
				if v := recover(); v != nil {
					t.Errorf("Verify panics: %v", v)
				}
			}()
			wantFound(t, row.name, Verify(&e, seed, shares), row.share)
		})
	}
}
