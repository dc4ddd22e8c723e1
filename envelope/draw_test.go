package envelope

import (
	"bytes"
	"crypto/sha256"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// split draws a whole envelope whose least share is one fen.
func split(seed Seed, total Fen, count int, shareMax Fen) []Fen {
	return splitWithin(seed, total, count, Bounds{1, shareMax})
}

// splitWithin draws a whole envelope, one share after the other.
func splitWithin(seed Seed, total Fen, count int, of Bounds) []Fen {
	d := NewDraw(seed)
	shares := make([]Fen, 0, count)
	for k, rest := 1, total; k <= count; k++ {
		s := d.Share(k, rest, count-k+1, of)
		shares, rest = append(shares, s), rest-s
	}
	return shares
}

// wantDivision holds a split to I1 and I5.
func wantDivision(t rapid.TB, shares []Fen, total Fen, count int, of Bounds) {
	t.Helper()
	rest := total
	for i, s := range shares {
		if s < of.Min || s > of.Max {
			t.Fatalf("share %d of %d fen: want %d to %d", i+1, s, of.Min, of.Max)
		}
		rest -= s
		left := Fen(count - i - 1)
		if rest < left*of.Min || rest > left*of.Max {
			t.Fatalf("after share %d: %d fen for %d shares of %d to %d", i+1, rest, left, of.Min, of.Max)
		}
	}
	if rest != 0 || len(shares) != count {
		t.Fatalf("%d shares leave %d of %d fen", len(shares), rest, total)
	}
}

// FA18: the shares of any accepted order add up to its total.
func TestDrawPaysOutExactly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawLimits(t)
		count := rapid.OneOf(rapid.IntRange(1, l.CountMax), rapid.Just(l.CountMax)).Draw(t, "count")
		o, err := l.Check(luckyOrder(drawTotal(t, count, l.bounds()), count))
		if err != nil {
			t.Fatal(err)
		}
		wantDivision(t, splitWithin(drawSeed(t), o.Total, o.Count, l.bounds()), o.Total, o.Count, l.bounds())
	})
}

func TestADrawIsWhatTheDesignSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.OneOf(rapid.Int64Range(1, 3), rapid.Int64Range(1, 20000)).Draw(t, "share max")
		of := Bounds{Fen(rapid.OneOf(rapid.Just[int64](1), rapid.Int64Range(1, most)).Draw(t, "share min")), Fen(most)}
		count := rapid.IntRange(1, 60).Draw(t, "count")
		total, seed := drawTotal(t, count, of), drawSeed(t)
		have := splitWithin(seed, total, count, of)
		for i, want := range refShares(seed[:], int64(total), int64(count), of) {
			if have[i] != Fen(want) {
				t.Fatalf("share %d: have %d fen, the design says %d", i+1, have[i], want)
			}
		}
	})
}

func FuzzADrawDividesOrPanics(f *testing.F) {
	f.Add([]byte("seed"), int64(10000), 10, int64(1), int64(20000))
	f.Add([]byte{}, int64(500), 500, int64(1), int64(20000))
	f.Add([]byte{255}, int64(10_000_000), 500, int64(1), int64(20000))
	f.Add([]byte{}, int64(9_999_999), 500, int64(1), int64(20000))
	f.Add([]byte{}, int64(1), 1, int64(1), int64(1))
	f.Add([]byte{}, int64(0), 1, int64(1), int64(1))
	f.Add([]byte{}, int64(math.MaxInt64), 2, int64(1), int64(20000))
	f.Add([]byte{}, int64(1000), 100, int64(10), int64(20000)) // all of it is promised
	f.Add([]byte{}, int64(1001), 100, int64(10), int64(11))
	f.Add([]byte{}, int64(999), 100, int64(10), int64(20000))
	f.Add([]byte{}, int64(10), 1, int64(0), int64(20000))
	f.Fuzz(func(t *testing.T, secret []byte, total int64, count int, least, most int64) {
		if count > 500 || least > 20000 || most > 20000 {
			return // beyond what Validate lets anybody set
		}
		seed, of := Seed(sha256.Sum256(secret)), Bounds{Fen(least), Fen(most)}
		if count < 1 || least < 1 || total < int64(count)*least || total > int64(count)*most {
			wantPanic(t, func() { NewDraw(seed).Share(1, Fen(total), count, of) })
			return
		}
		shares := splitWithin(seed, Fen(total), count, of)
		wantDivision(t, shares, Fen(total), count, of)
		if want := refShares(seed[:], total, int64(count), of); int64(shares[0]) != want[0] || int64(shares[count-1]) != want[count-1] {
			t.Errorf("have %v, the design says %v", shares, want)
		}
	})
}

func TestADrawPanicsRatherThanPaying(t *testing.T) {
	d := NewDraw(Seed{})
	for _, row := range []struct {
		name     string
		rest     Fen
		left     int
		shareMax Fen
	}{
		{"no shares", 10, 0, 20000}, {"shares owed back", 10, -1, 20000}, {"no shares, no fen", 0, 0, 20000},
		{"nothing for one", 0, 1, 20000}, {"nothing for two", 0, 2, 20000}, {"a debt", -1, 1, 20000}, {"a debt for two", -5, 2, 20000},
		{"a fen short", 9, 10, 20000}, {"one left with a fen too much", 20001, 1, 20000}, {"a fen too much", 40001, 2, 20000},
		{"no cap", 10, 2, 0}, {"a negative cap", 10, 2, -1}, {"everything", math.MaxInt64, 500, 20000}, {"the least", math.MinInt64, 2, 20000},
	} {
		t.Run(row.name, func(t *testing.T) {
			message := wantPanic(t, func() { d.Share(1, row.rest, row.left, Bounds{1, row.shareMax}) })
			if !strings.Contains(message, "do not divide") {
				t.Errorf("the panic does not say why: %s", message)
			}
		})
	}
}

// wantPanic returns the panic's message.
func wantPanic(t *testing.T, f func()) (message string) {
	t.Helper()
	defer func() {
		switch v := recover().(type) {
		case nil:
			t.Error("want a panic")
		case string:
			message = v
		default:
			t.Errorf("want a panic of ours, have %v", v)
		}
	}()
	f()
	return ""
}

// TestUniformRejectsTheTail takes spans so wide that half of all words are
// rejected: no envelope's span gets there, so nothing else would notice.
func TestUniformRejectsTheTail(t *testing.T) {
	spans := []uint64{1, 2, 3, 20000, 1 << 32, 1<<63 - 1, 1 << 63, 1<<63 + 1, 1<<63 + 1<<62, math.MaxUint64 - 1, math.MaxUint64}
	seed := drawKey().Seed(idAt(0))
	d := NewDraw(seed)
	for _, span := range spans {
		again := 0
		for k := range uint32(200) {
			have, want := d.uniform(k, span), refUniform(seed[:], int64(k), new(big.Int).SetUint64(span))
			if have != want.Uint64() {
				t.Fatalf("span %d, share %d: have %d, the design says %d", span, k, have, want)
			}
			if have != d.word(k, 0)%span {
				again++
			}
		}
		if span == 1<<63+1 && (again < 70 || again > 130) {
			t.Errorf("span 2⁶³+1: %d of 200 drew again, want about half", again)
		}
	}
}

func TestADrawDependsOnEverythingItShould(t *testing.T) {
	seed := drawKey().Seed(idAt(0))
	first := split(seed, 100_000, 10, 20000)
	if !slices.Equal(first, split(seed, 100_000, 10, 20000)) {
		t.Error("the same seed draws differently the second time")
	}
	if d := NewDraw(seed); d.Share(1, 100_000, 10, Bounds{1, 20000}) == d.Share(2, 100_000, 10, Bounds{1, 20000}) {
		t.Error("the position does not matter")
	}
	for bit := range 256 {
		other := seed
		other[bit/8] ^= 1 << (bit % 8)
		if slices.Equal(first, split(other, 100_000, 10, 20000)) {
			t.Errorf("bit %d of the seed does not matter", bit)
		}
	}
}

func TestTheSeedIsTheHMACOfTheID(t *testing.T) {
	for i := range 20 {
		for _, size := range []int{32, 63, 64, 65, 100} {
			key, id := bytesFrom(byte(i), size), idAt(i)
			seed := must(NewDrawKey(key)).Seed(id)
			if want := refHMAC(key, []byte(id)); !bytes.Equal(seed[:], want) {
				t.Fatalf("key of %d bytes, %s: have %x, want %x", size, id, seed, want)
			}
			if seed.Commitment() != Commitment(sha256.Sum256(seed[:])) {
				t.Fatalf("%s: the commitment is not the SHA-256 of the seed", id)
			}
		}
	}
}

func TestADrawKeyHas32BytesOrMore(t *testing.T) {
	for _, size := range []int{0, 1, 16, 31} {
		if key, err := NewDrawKey(make([]byte, size)); err == nil || !strings.Contains(err.Error(), "at least 32 bytes") {
			t.Errorf("%d bytes: %v, %v", size, key, err)
		}
	}
	if _, err := NewDrawKey(make([]byte, 32)); err != nil {
		t.Error(err)
	}
}

func TestASeedReadsBackFromHex(t *testing.T) {
	seed := drawKey().Seed(idAt(0))
	if got, err := ParseSeed(seed.Hex()); err != nil || got != seed {
		t.Errorf("%s reads back as %s, %v", seed.Hex(), got.Hex(), err)
	}
	for _, s := range []string{"", "00", seed.Hex()[:62], seed.Hex()[:63], seed.Hex() + "00", "g" + seed.Hex()[1:], " " + seed.Hex()[1:],
		"0x" + seed.Hex()[2:], strings.Repeat("０", 64)} {
		got, err := ParseSeed(s)
		wantInvalid(t, err, "draw_seed", "64 hex digits")
		if got != (Seed{}) {
			t.Errorf("%q leaves %s behind", s, got.Hex())
		}
	}
}
