package books

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/binary"
	"time"

	"hongbao/envelope"
)

// PageMax is how many items a page has at most.
const PageMax = 50

// position is a row's place in a list: when, and which envelope where several
// fall into one millisecond.
type position struct {
	at time.Time
	id envelope.ID
}

// newest sorts before every row: DATETIME ends with the year 9999.
func newest() position {
	return position{at: time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), id: "99999999999999999999999"}
}

const (
	positionTimeBytes = 8
	positionBytes     = positionTimeBytes + 23
)

// cursor spells the position for callers, which must not look into it.
func (p position) cursor() string {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, positionBytes), uint64(p.at.UnixMilli()))
	return base64.RawURLEncoding.EncodeToString(append(b, p.id...))
}

// errCursor refuses every cursor that no page of the list returned.
func errCursor() error {
	return &envelope.InvalidError{Field: "cursor", Why: "must be one that a page of this list and year returned"}
}

// parseCursor reads what cursor made. Whether such a row exists is for the query.
func parseCursor(cursor string) (p position, err error) {
	if cursor == "" {
		return newest(), nil
	}
	if len(cursor) != base64.RawURLEncoding.EncodedLen(positionBytes) {
		return p, errCursor()
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil {
		return p, errCursor()
	}
	p.at = time.UnixMilli(int64(binary.BigEndian.Uint64(b))).UTC()
	p.id, err = envelope.ParseID(string(b[positionTimeBytes:]))
	if year := p.at.Year(); err != nil || year < 1 || year > 9999 {
		return p, errCursor()
	}
	return p, nil
}

// Received lists the shares that user opened in a year, newest first.
func (b *Books) Received(ctx context.Context, user envelope.UserID, year int, cursor string) ([]envelope.ReceivedItem, string, error) {
	var items []envelope.ReceivedItem
	places, err := b.page(ctx, user, year, cursor, selectReceivedPage, func(r *sql.Rows) (position, error) {
		var i envelope.ReceivedItem
		err := r.Scan(&i.ID, &i.Sender, &i.Kind, &i.Seq, &i.Amount, &i.BestLuck, &i.OpenedAt)
		items = append(items, i)
		return position{i.OpenedAt, i.ID}, err
	})
	if err != nil {
		return nil, "", err
	}
	first, end, next := cut(places, cursor)
	return items[first:end], next, nil
}

// Sent lists the envelopes that user paid for in a year, newest first.
func (b *Books) Sent(ctx context.Context, user envelope.UserID, year int, cursor string) ([]envelope.SentItem, string, error) {
	var items []envelope.SentItem
	places, err := b.page(ctx, user, year, cursor, selectSentPage, func(r *sql.Rows) (position, error) {
		var i envelope.SentItem
		err := r.Scan(&i.ID, &i.Kind, &i.Total, &i.Count, &i.Refunded, &i.PaidAt)
		items = append(items, i)
		return position{i.PaidAt, i.ID}, err
	})
	if err != nil {
		return nil, "", err
	}
	first, end, next := cut(places, cursor)
	return items[first:end], next, nil
}

// page reads from the cursor's own row on: no row is ever deleted, so a cursor
// whose row is not there was never returned.
func (b *Books) page(ctx context.Context, user envelope.UserID, year int, cursor, query string, scan func(*sql.Rows) (position, error)) ([]position, error) {
	from, err := parseCursor(cursor)
	if err != nil {
		return nil, err
	}
	s := b.shardOf(user)
	var places []position
	err = s.read(ctx, func(r *sql.Rows) error {
		p, err := scan(r)
		places = append(places, p)
		return err
	}, query, user, year, from.at, from.at, from.id, PageMax+2)
	switch {
	case err != nil:
		return nil, s.answer("list", err)
	case cursor != "" && (len(places) == 0 || !places[0].at.Equal(from.at) || places[0].id != from.id):
		return nil, errCursor()
	}
	return places, nil
}

// cut leaves out the cursor's own row, and what is more than a page; if there is
// more, it returns the cursor of the last row that stays.
func cut(places []position, cursor string) (first, end int, next string) {
	if cursor != "" {
		first = 1
	}
	end = min(len(places), first+PageMax)
	if len(places) > end {
		next = places[end-1].cursor()
	}
	return first, end, next
}

// Summary adds up a user's year; of a year without anything all sums are 0.
func (b *Books) Summary(ctx context.Context, user envelope.UserID, year int) (envelope.BookSummary, error) {
	sum := envelope.BookSummary{Year: year}
	s := b.shardOf(user)
	err := s.read(ctx, func(r *sql.Rows) error {
		return r.Scan(&sum.SentCount, &sum.SentTotal, &sum.RefundedTotal, &sum.ReceivedCount, &sum.ReceivedTotal, &sum.BestLuckCount)
	}, selectSummary, user, year)
	return sum, s.answer("summary", err)
}
