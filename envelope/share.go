package envelope

import (
	"fmt"
	"time"
)

// Share is one opener's part.
type Share struct {
	Seq      int // position, 1..n without gaps (I4)
	User     UserID
	Amount   Fen
	OpenedAt time.Time
}

// BestLuck is the position of the largest share of a finished lucky envelope,
// the earliest on a tie, or 0 where there is none. shares are in the order of
// their positions.
func BestLuck(e *Envelope, shares []Share) int {
	if e.Kind != Lucky || !e.State.Finished() {
		return 0
	}
	best, most := 0, Fen(0)
	for _, s := range shares {
		if s.Amount > most {
			best, most = s.Seq, s.Amount
		}
	}
	return best
}

// Verify recomputes every share from the revealed seed and compares the seed
// with the commitment given at send. shares are in the order of their
// positions, from 1. The error names the first share that differs.
func Verify(e *Envelope, seed Seed, shares []Share) error {
	if seed.Commitment() != e.Commitment {
		return fmt.Errorf("the seed is not the one committed to at send: SHA-256 %s, commitment %s",
			seed.Commitment().Hex(), e.Commitment.Hex())
	}
	if len(shares) > e.Count {
		return fmt.Errorf("%d shares of an envelope of %d", len(shares), e.Count)
	}
	d := newDivider(e, seed)
	rest := e.Total
	for i, s := range shares {
		left := e.Count - i
		if !d.bounds.fit(rest, left) {
			return fmt.Errorf("share %d: %d fen left for %d shares of %d to %d fen", i+1, rest, left, d.bounds.Min, d.bounds.Max)
		}
		want := d.share(i+1, rest, left)
		if s.Seq != i+1 || s.Amount != want {
			return fmt.Errorf("share %d: recomputed %d fen, recorded %d fen at position %d", i+1, want, s.Amount, s.Seq)
		}
		rest -= s.Amount
	}
	if opened := e.Total - rest; len(shares) != e.OpenedCount || opened != e.Opened {
		return fmt.Errorf("the header counts %d fen in %d shares, there are %d fen in %d", e.Opened, e.OpenedCount, opened, len(shares))
	}
	if e.State.Finished() && e.Remaining() != 0 {
		return fmt.Errorf("%s with %d fen remaining", e.State, e.Remaining())
	}
	return nil
}
