package envelope

// State is where an envelope is in its life:
//
//	unpaid ──pay──▶ active ──last share──▶ empty ─┐
//	  │                └────24 h────▶ expired ────┴─▶ settled
//	  └──15 min──▶ closed
type State string

// The states, spelled as in SQL and JSON.
const (
	Unpaid  State = "unpaid"  // ordered, the payment has not arrived
	Active  State = "active"  // paid, shares are left
	Empty   State = "empty"   // every share is taken
	Expired State = "expired" // its life is over, the rest goes back
	Settled State = "settled" // every payout and the refund are posted
	Closed  State = "closed"  // never paid in time
)

// CanBecome reports whether the arrow s → next exists (I8).
func (s State) CanBecome(next State) bool {
	switch s {
	case Unpaid:
		return next == Active || next == Closed
	case Active:
		return next == Empty || next == Expired
	case Empty, Expired:
		return next == Settled
	}
	return false
}

// Finished reports whether no share can be taken any more and the draw may be
// shown.
func (s State) Finished() bool { return s == Empty || s == Expired || s == Settled }

// Kind is how an envelope divides its money.
type Kind string

// The kinds, spelled as in SQL and JSON.
const (
	Lucky     Kind = "lucky"     // 拼手气: every share is drawn when it is opened
	Equal     Kind = "equal"     // 普通: every share is the same
	Exclusive Kind = "exclusive" // 专属: one share for one named opener
)

// ParseKind reads a kind as SQL and JSON spell it.
func ParseKind(s string) (Kind, error) {
	switch k := Kind(s); k {
	case Lucky, Equal, Exclusive:
		return k, nil
	}
	return "", invalid("kind", "must be lucky, equal or exclusive")
}
