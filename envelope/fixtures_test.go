package envelope

import (
	"fmt"
	"time"

	"pgregory.net/rapid"
)

// noon is the instant most tests happen at: 2026-11-23 12:00 in UTC+08:00.
func noon() time.Time { return time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC) }

// bodyAt is what a mint makes at an instant: 41 bits of time, 10 of sequence,
// 12 of machine.
func bodyAt(at time.Time, sequence, machine int64) Body {
	return Body(at.Sub(BodyEpoch()).Milliseconds()<<22 | sequence<<12 | machine)
}

// idAt is the n-th ID that machine 1 mints for SET 3 at noon, 1,000 in a
// millisecond.
func idAt(n int) ID {
	at := noon().Add(time.Duration(n/1000) * time.Millisecond)
	return bodyAt(at, int64(n%1000), 1).In(3)
}

// bytesFrom is n bytes counting up from first.
func bytesFrom(first byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = first + byte(i)
	}
	return b
}

func drawKey() DrawKey { return must(NewDrawKey(bytesFrom(0, 32))) }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// wideLimits are the widest that Validate accepts.
func wideLimits() Limits {
	return Limits{CountMax: 500, ShareMax: 20000, Life: 7 * 24 * time.Hour, PayWithin: 24 * time.Hour}
}

func luckyOrder(total Fen, count int) Order {
	return Order{Sender: "ann", Key: "k-1", Kind: Lucky, Total: total, Count: count, Group: "g-1"}
}

func equalOrder(share Fen, count int) Order {
	return Order{Sender: "ann", Key: "k-1", Kind: Equal, Share: share, Count: count, Group: "g-1"}
}

func exclusiveOrder(total Fen) Order {
	return Order{Sender: "ann", Key: "k-1", Kind: Exclusive, Total: total, Group: "g-1", Recipient: "bob"}
}

// sent is the unpaid envelope of an order, and its seed.
func sent(o Order, l Limits) (Envelope, Seed) {
	seed := drawKey().Seed(idAt(0))
	return l.New(must(l.Check(o)), idAt(0), seed.Commitment(), noon()), seed
}

// paid is the active envelope of an order, paid a minute after noon.
func paid(o Order, l Limits) (Envelope, Seed) {
	e, seed := sent(o, l)
	e.State, e.Ver, e.TransactionID = Active, 2, "tx-1"
	e.PaidAt = e.CreatedAt.Add(time.Minute)
	e.ExpiresAt = e.PaidAt.Add(l.Life)
	return e, seed
}

// finished is the emptied envelope of an order, and its shares.
func finished(o Order, l Limits) (Envelope, Seed, []Share) {
	e, seed := paid(o, l)
	names := crowd(e.Count)
	if e.Kind == Exclusive {
		names[0] = e.Recipient
	}
	e, openings := Decide(e, seed, names, nobody, e.PaidAt)
	shares := make([]Share, len(openings))
	for i, o := range openings {
		shares[i] = o.Share
	}
	return e, seed, shares
}

func crowd(n int) []UserID {
	users := make([]UserID, n)
	for i := range users {
		users[i] = UserID(fmt.Sprintf("user-%03d", i))
	}
	return users
}

func nobody(UserID) (Share, bool) { return Share{}, false }

// holders remembers the holder of each share, as the table does.
type holders map[UserID]Share

func (h holders) had(u UserID) (Share, bool) { s, ok := h[u]; return s, ok }

func (h holders) keep(openings []Opening) {
	for _, o := range openings {
		if o.Outcome == Opened {
			h[o.Share.User] = o.Share
		}
	}
}

// drawLimits draws limits from all that Validate accepts, edges included.
func drawLimits(t *rapid.T) Limits {
	most := rapid.OneOf(rapid.Int64Range(1, 3), rapid.Int64Range(1, 20000), rapid.Just[int64](20000)).Draw(t, "share max")
	return Limits{
		CountMax:  rapid.IntRange(1, 500).Draw(t, "count max"),
		ShareMin:  Fen(rapid.OneOf(rapid.Just[int64](1), rapid.Int64Range(0, min(10, most)), rapid.Int64Range(1, most)).Draw(t, "share min")),
		ShareMax:  Fen(most),
		Life:      time.Duration(rapid.Int64Range(int64(time.Minute), int64(168*time.Hour)).Draw(t, "life")),
		PayWithin: time.Duration(rapid.Int64Range(int64(time.Minute), int64(24*time.Hour)).Draw(t, "pay within")),
	}
}

// drawOrder draws an order of any kind that the limits accept, with totals at
// both edges more often than chance would have them.
func drawOrder(t *rapid.T, l Limits) Order {
	count := rapid.OneOf(rapid.IntRange(1, l.CountMax), rapid.Just(l.CountMax)).Draw(t, "count")
	switch rapid.SampledFrom([]Kind{Lucky, Lucky, Equal, Exclusive}).Draw(t, "kind") {
	case Equal:
		return equalOrder(Fen(rapid.Int64Range(int64(l.bounds().Min), int64(l.ShareMax)).Draw(t, "share")), count)
	case Exclusive:
		return exclusiveOrder(Fen(rapid.Int64Range(int64(l.bounds().Min), int64(l.ShareMax)).Draw(t, "total")))
	}
	return luckyOrder(drawTotal(t, count, l.bounds()), count)
}

func drawTotal(t *rapid.T, count int, of Bounds) Fen {
	least, most := int64(count)*int64(of.Min), int64(count)*int64(of.Max)
	return Fen(rapid.OneOf(
		rapid.Int64Range(least, most),
		rapid.Int64Range(least, min(most, least+3)),
		rapid.Int64Range(max(least, most-3), most),
	).Draw(t, "total"))
}

func drawSeed(t *rapid.T) Seed {
	return Seed(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "seed"))
}
