package envelope

import "time"

// Topic is a receiver of what happens to envelopes.
type Topic string

// The topics, spelled as in SQL.
const (
	TopicCharge Topic = "charge" // ask the provider whether an envelope was paid, and close it in time
	TopicBook   Topic = "book"   // users' books
	TopicEvent  Topic = "event"  // the IM backend
)

// Stage is how far a receiver has been told of an envelope's life.
type Stage int

// The stages, in the order in which they are reached.
const (
	StageNone     Stage = iota
	StageActive         // told that it was paid
	StageFinished       // told that no share can be taken any more
	StageRefunded       // told that the rest has gone back
)

// Cursor is what one receiver knows of one envelope: the stage, and the shares
// up to a position.
type Cursor struct {
	Stage Stage
	Seq   int
}

// Delivery is that something happened to an envelope that a receiver may not
// know of. Deliveries of one envelope to one receiver are serial.
type Delivery struct {
	ID       ID
	Topic    Topic
	At       Cursor
	Wanted   int64 // counts what has happened; a delivery that finishes an older count stays owed
	Attempts int   // since the last success; also tells one claim from the next
	Since    time.Time
}

// Statement is an envelope with all that its receivers may be told.
type Statement struct {
	Snapshot        // the shares after the cursor; all of them once it is finished
	Refund   Refund // what went back
}

// Refund is the part of a statement about money that went back. It is zero
// until the provider says that it has.
type Refund struct {
	Amount   Fen
	PostedAt time.Time
}

// FactKind says what a fact is.
type FactKind string

// The facts of an envelope's life, in their order.
const (
	FactActive   FactKind = "envelope.active"
	FactOpened   FactKind = "share.opened"
	FactFinished FactKind = "envelope.finished"
	FactRefunded FactKind = "envelope.refunded"
)

// Fact is one thing that happened, to be told to a receiver: at least once, in
// order, and the same each time.
type Fact struct {
	Kind     FactKind
	Envelope Envelope
	Shares   []Share // opened: the new ones, in order; finished: all
	BestLuck int     // finished: position of the largest share, 0 where there is none
	Refund   Refund  // refunded
	Then     Cursor  // what a receiver knows once it has acknowledged this one
}

// Owed is what a receiver at a cursor does not know yet, and what it knows
// afterwards. Facts follow from the envelope alone, so nothing is lost between a
// commit and its telling, and a receiver that was away is told in fewer, larger
// facts.
func Owed(s *Statement, at Cursor) ([]Fact, Cursor) {
	e := &s.Envelope
	if e.PaidAt.IsZero() {
		return nil, at
	}
	var facts []Fact
	late := e.State == Closed // paid after it was closed: nothing but the refund to tell of
	add := func(f Fact) {
		f.Envelope, f.Then = *e, at
		facts = append(facts, f)
	}
	if at.Stage < StageActive && !late {
		at.Stage = StageActive
		add(Fact{Kind: FactActive})
	}
	fresh := s.Shares
	for len(fresh) > 0 && fresh[0].Seq <= at.Seq {
		fresh = fresh[1:]
	}
	if len(fresh) > 0 {
		at.Seq = fresh[len(fresh)-1].Seq
		add(Fact{Kind: FactOpened, Shares: fresh})
	}
	if at.Stage < StageFinished && e.State.Finished() {
		at.Stage = StageFinished
		add(Fact{Kind: FactFinished, Shares: s.Shares, BestLuck: BestLuck(e, s.Shares)})
	}
	if at.Stage < StageRefunded && s.Refund.Amount > 0 {
		at.Stage = StageRefunded
		add(Fact{Kind: FactRefunded, Refund: s.Refund})
	}
	return facts, at
}
