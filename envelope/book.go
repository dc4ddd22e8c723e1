package envelope

import (
	"context"
	"time"
)

// Books are what users sent and received, a year at a time. They follow the
// SETs with a delay and are never asked about money.
type Books interface {
	// Received and Sent list a user's year, newest first, after a cursor that an
	// earlier page returned; the empty cursor starts. An empty next ends the list.
	// A cursor that no page returned is an [InvalidError].
	Received(ctx context.Context, user UserID, year int, cursor string) (items []ReceivedItem, next string, err error)
	Sent(ctx context.Context, user UserID, year int, cursor string) (items []SentItem, next string, err error)
	// Summary adds up the year.
	Summary(ctx context.Context, user UserID, year int) (BookSummary, error)
}

// Bookkeeper writes the books.
type Bookkeeper interface {
	// Post writes what happened, each fact once however often it is posted. The
	// facts of one envelope come in their order.
	Post(ctx context.Context, facts []Fact) error
}

// ReceivedItem is a share in its opener's book.
type ReceivedItem struct {
	ID       ID
	Sender   UserID
	Kind     Kind
	Seq      int
	Amount   Fen
	BestLuck bool // known once the envelope is finished
	OpenedAt time.Time
}

// SentItem is an envelope in its sender's book.
type SentItem struct {
	ID       ID
	Kind     Kind
	Total    Fen
	Count    int
	Refunded Fen // posted back to the sender
	PaidAt   time.Time
}

// BookSummary is a user's year: counts, and money in fen.
type BookSummary struct {
	Year          int
	SentCount     int
	SentTotal     Fen
	RefundedTotal Fen
	ReceivedCount int
	ReceivedTotal Fen
	BestLuckCount int
}

// BookYear is the year of the business day of t.
func BookYear(t time.Time) int { return t.In(businessZone()).Year() }
