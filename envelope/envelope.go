package envelope

import "time"

// UserID names a user as the IM backend does: 1 to 64 visible ASCII
// characters, compared byte by byte.
type UserID string

// GroupID names a group the same way.
type GroupID string

const nameBytesMax = 64

// CheckName holds the rule for user and group IDs; field is what the error
// names.
func CheckName(field, s string) error {
	if s == "" {
		return invalid(field, "is required")
	}
	if len(s) > nameBytesMax || !visibleASCII(s) {
		return invalid(field, "must be 1 to %d visible ASCII characters", nameBytesMax)
	}
	return nil
}

func visibleASCII(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// Envelope is one gift as its row says: the header, without the shares.
type Envelope struct {
	ID            ID
	Kind          Kind
	State         State
	Ver           int64 // counts committed changes of the row, from 1
	Sender        UserID
	Group         GroupID
	Recipient     UserID // the named opener of an exclusive one, else empty
	Greeting      string
	Total         Fen // what the sender pays
	Count         int // how many shares
	ShareMin      Fen // the least share that was promised; none written is 1 fen
	ShareMax      Fen // the cap the draw was promised under
	Opened        Fen // sum of the shares taken
	OpenedCount   int
	Refunded      Fen
	Commitment    Commitment // SHA-256 of the draw's seed, given out at send
	TransactionID string     // the provider's number of the payment, once paid
	CreatedAt     time.Time
	PaidAt        time.Time // by the provider's clock; zero until paid
	ExpiresAt     time.Time // counted from when it became active; before it, the earliest possible
	FinishedAt    time.Time // zero until empty or expired
}

// Bounds are what a share of the envelope may be.
func (e *Envelope) Bounds() Bounds { return Bounds{Min: max(1, e.ShareMin), Max: e.ShareMax} }

// Remaining is the money still inside (I1).
func (e *Envelope) Remaining() Fen { return e.Total - e.Opened - e.Refunded }

// SharesLeft is how many shares are not taken.
func (e *Envelope) SharesLeft() int { return e.Count - e.OpenedCount }

// ExpiredAt reports whether the envelope's life is over at now, whether or not
// the sweep has already written that down.
func (e *Envelope) ExpiredAt(now time.Time) bool {
	return e.State == Expired || e.State == Active && !now.Before(e.ExpiresAt)
}

// MayOpen reports whether user is one of those the envelope is for. A group's
// members prove themselves by the ticket; an exclusive envelope names its
// opener.
func (e *Envelope) MayOpen(user UserID) bool {
	return e.Kind != Exclusive || e.Recipient == user
}
