package envelope

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"
	"unicode"
	"unicode/utf8"
)

// DefaultGreeting goes with an envelope whose sender writes none.
const DefaultGreeting = "恭喜发财，大吉大利"

const (
	greetingBytesMax = 128
	keyBytesMax      = 128
	countCeiling     = 500   // the schema's CHECK; a setting may allow up to this
	shareCeiling     = 20000 // fen; the schema's CHECK
)

// Order is what a sender asks for.
type Order struct {
	Sender    UserID
	Key       string // the caller's idempotency key: a repeat finds the first
	Kind      Kind
	Total     Fen // lucky and exclusive
	Share     Fen // equal: the amount of one share
	Count     int // exclusive: 1, or 0 for the default of 1
	Group     GroupID
	Greeting  string // empty for the default
	Recipient UserID // exclusive only
}

// Limits bound what may be sent. Start from [DefaultLimits].
type Limits struct {
	CountMax  int           // shares of one envelope, 1 to 500
	ShareMin  Fen           // fen in one share at least, 1 to ShareMax; 0 is 1
	ShareMax  Fen           // fen in one share at most, 1 to 20000
	Life      time.Duration // from becoming active to expiry, 1 s to 7 days
	PayWithin time.Duration // from order to closing it unpaid, 1 s to 24 h
}

// DefaultLimits are those of the design: 100 shares of 0.01 to 200.00, 24 hours
// to open, 15 minutes to pay.
func DefaultLimits() Limits {
	return Limits{CountMax: 100, ShareMin: 1, ShareMax: 20000, Life: 24 * time.Hour, PayWithin: 15 * time.Minute}
}

// Validate refuses limits that the schema or the draw cannot hold.
func (l Limits) Validate() error {
	switch {
	case l.CountMax < 1 || l.CountMax > countCeiling:
		return fmt.Errorf("limits: want 1 <= count max <= %d, have %d", countCeiling, l.CountMax)
	case l.ShareMax < 1 || l.ShareMax > shareCeiling:
		return fmt.Errorf("limits: want 1 <= share max <= %d fen, have %d", shareCeiling, l.ShareMax)
	case l.ShareMin < 0 || l.ShareMin > l.ShareMax:
		return fmt.Errorf("limits: want 1 <= share min <= share max = %d fen, have %d", l.ShareMax, l.ShareMin)
	case l.Life < time.Second || l.Life > 7*24*time.Hour:
		return fmt.Errorf("limits: want 1s <= life <= 168h, have %v", l.Life)
	case l.PayWithin < time.Second || l.PayWithin > 24*time.Hour:
		return fmt.Errorf("limits: want 1s <= pay within <= 24h, have %v", l.PayWithin)
	}
	return nil
}

// bounds are what a share may be.
func (l Limits) bounds() Bounds { return Bounds{Min: max(1, l.ShareMin), Max: l.ShareMax} }

// Check holds an order to the limits and returns it completed: the default
// greeting, an equal order's total, an exclusive order's count. The error is an
// [InvalidError] naming the field as the API spells it.
func (l Limits) Check(o Order) (Order, error) {
	for _, check := range []func(*Order) error{checkNames, l.checkCount, l.checkMoney, checkRecipient, checkGreeting} {
		if err := check(&o); err != nil {
			return Order{}, err
		}
	}
	return o, nil
}

func checkNames(o *Order) error {
	if o.Key == "" || len(o.Key) > keyBytesMax || !visibleASCII(o.Key) {
		return invalid("Idempotency-Key", "must be 1 to %d visible ASCII characters", keyBytesMax)
	}
	if err := CheckName("sub", string(o.Sender)); err != nil {
		return err
	}
	if _, err := ParseKind(string(o.Kind)); err != nil {
		return err
	}
	return CheckName("group_id", string(o.Group))
}

func (l Limits) checkCount(o *Order) error {
	if o.Kind == Exclusive {
		if o.Count != 0 && o.Count != 1 {
			return invalid("count", "must be 1 for an exclusive envelope")
		}
		o.Count = 1
		return nil
	}
	if o.Count < 1 || o.Count > l.CountMax {
		return invalid("count", "must be 1 to %d", l.CountMax)
	}
	return nil
}

func (l Limits) checkMoney(o *Order) error {
	b := l.bounds()
	if o.Kind == Equal {
		if o.Total != 0 {
			return invalid("total_fen", "an equal envelope takes share_fen instead")
		}
		if !b.fit(o.Share, 1) {
			return invalid("share_fen", "must be %d to %d fen", b.Min, b.Max)
		}
		o.Total = o.Share * Fen(o.Count)
		return nil
	}
	if o.Share != 0 {
		return invalid("share_fen", "is for equal envelopes only")
	}
	if !b.fit(o.Total, o.Count) {
		n := Fen(o.Count)
		return invalid("total_fen", "must be %d to %d fen for %d shares (%d to %d each)", n*b.Min, n*b.Max, n, b.Min, b.Max)
	}
	return nil
}

func checkRecipient(o *Order) error {
	if o.Kind == Exclusive {
		return CheckName("recipient_id", string(o.Recipient))
	}
	if o.Recipient != "" {
		return invalid("recipient_id", "is for exclusive envelopes only")
	}
	return nil
}

func checkGreeting(o *Order) error {
	if o.Greeting == "" {
		o.Greeting = DefaultGreeting
	}
	if len(o.Greeting) > greetingBytesMax {
		return invalid("greeting", "must be at most %d bytes of UTF-8", greetingBytesMax)
	}
	if !utf8.ValidString(o.Greeting) {
		return invalid("greeting", "must be valid UTF-8")
	}
	for _, r := range o.Greeting {
		switch {
		case unicode.IsControl(r), r == '\u2028', r == '\u2029': // C0, DEL, C1; line and paragraph separator
			return invalid("greeting", "must not contain control characters or line breaks")
		case r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069':
			return invalid("greeting", "must not contain characters that reorder text (bidirectional overrides and isolates)")
		}
	}
	return nil
}

// Hash identifies what is asked, without the key: a repeat of a key must ask
// for the same.
func (o *Order) Hash() [sha256.Size]byte {
	var buf []byte
	for _, s := range []string{string(o.Kind), string(o.Group), string(o.Recipient), o.Greeting} {
		buf = binary.BigEndian.AppendUint32(buf, uint32(len(s)))
		buf = append(buf, s...)
	}
	buf = binary.BigEndian.AppendUint64(buf, uint64(o.Total))
	buf = binary.BigEndian.AppendUint64(buf, uint64(o.Count))
	return sha256.Sum256(buf)
}

// New is the unpaid envelope of a checked order, minted as id at now, with its times
// as precise as they are stored: a send is answered with what its repeats will read.
func (l Limits) New(o Order, id ID, commitment Commitment, now time.Time) Envelope {
	now = now.UTC().Truncate(time.Millisecond)
	return Envelope{
		ID: id, Kind: o.Kind, State: Unpaid, Ver: 1,
		Sender: o.Sender, Group: o.Group, Recipient: o.Recipient, Greeting: o.Greeting,
		Total: o.Total, Count: o.Count, ShareMin: l.bounds().Min, ShareMax: l.ShareMax, Commitment: commitment,
		CreatedAt: now, ExpiresAt: now.Add(l.Life),
	}
}
