package books

import (
	"cmp"
	"iter"
	"slices"

	"hongbao/envelope"
)

// ReceivedRow is a share in its opener's book.
type ReceivedRow struct {
	User envelope.UserID
	Year int
	envelope.ReceivedItem
}

// SentRow is an envelope in its sender's book.
type SentRow struct {
	User envelope.UserID
	Year int
	envelope.SentItem
}

// rowKey is the primary key of either.
type rowKey struct {
	user envelope.UserID
	id   envelope.ID
}

// yearKey is the primary key of a sum.
type yearKey struct {
	user envelope.UserID
	year int
}

func (r *ReceivedRow) key() rowKey { return rowKey{r.User, r.ID} }
func (r *SentRow) key() rowKey     { return rowKey{r.User, r.ID} }
func (r *ReceivedRow) in() yearKey { return yearKey{r.User, r.Year} }
func (r *SentRow) in() yearKey     { return yearKey{r.User, r.Year} }

// columns adds the row's, as the statements name them: as the plain types that
// the driver knows without reflection.
func (r *ReceivedRow) columns(args []any) []any {
	return append(args, string(r.User), string(r.ID), r.Year, r.Seq, string(r.Sender), r.Kind, int64(r.Amount), r.BestLuck, r.OpenedAt)
}

func (r *SentRow) columns(args []any) []any {
	return append(args, string(r.User), string(r.ID), r.Year, r.Kind, int64(r.Total), r.Count, int64(r.Refunded), r.PaidAt)
}

func (k rowKey) compare(o rowKey) int {
	return cmp.Or(cmp.Compare(k.user, o.user), cmp.Compare(k.id, o.id))
}
func (k yearKey) compare(o yearKey) int {
	return cmp.Or(cmp.Compare(k.user, o.user), cmp.Compare(k.year, o.year))
}

// entries are rows that facts ask for: each at most once, in the order of their
// keys.
type entries struct {
	received []ReceivedRow
	sent     []SentRow
}

// entriesOf is what some facts ask for. What a fact takes for granted, because
// an earlier one told it, it asks for again: so a row is whole whichever fact of
// its envelope arrives.
func entriesOf(facts []envelope.Fact) entries {
	var all entries
	shares := 0
	for i := range facts {
		if facts[i].Kind == envelope.FactOpened {
			shares += len(facts[i].Shares)
		}
	}
	all.received = make([]ReceivedRow, 0, shares)
	for i := range facts {
		f := &facts[i]
		e := &f.Envelope
		switch f.Kind {
		case envelope.FactActive:
			all.sent = append(all.sent, sentRow(e, 0))
		case envelope.FactOpened:
			for _, s := range f.Shares {
				all.received = append(all.received, receivedRow(e, s, false))
			}
		case envelope.FactFinished:
			for _, s := range f.Shares {
				if s.Seq == f.BestLuck {
					all.received = append(all.received, receivedRow(e, s, true))
				}
			}
		case envelope.FactRefunded:
			// What was paid after it was closed has never been an envelope to anyone.
			if e.State != envelope.Closed {
				all.sent = append(all.sent, sentRow(e, f.Refund.Amount))
			}
		}
	}
	all.merge()
	return all
}

func receivedRow(e *envelope.Envelope, s envelope.Share, best bool) ReceivedRow {
	return ReceivedRow{User: s.User, Year: envelope.BookYear(s.OpenedAt), ReceivedItem: envelope.ReceivedItem{
		ID: e.ID, Sender: e.Sender, Kind: e.Kind, Seq: s.Seq, Amount: s.Amount, BestLuck: best, OpenedAt: s.OpenedAt,
	}}
}

func sentRow(e *envelope.Envelope, refunded envelope.Fen) SentRow {
	return SentRow{User: e.Sender, Year: envelope.BookYear(e.PaidAt), SentItem: envelope.SentItem{
		ID: e.ID, Kind: e.Kind, Total: e.Total, Count: e.Count, Refunded: refunded, PaidAt: e.PaidAt,
	}}
}

// merge sorts the rows, and makes one of those that several facts ask for: the
// one that knows most.
func (all *entries) merge() {
	slices.SortFunc(all.received, func(a, b ReceivedRow) int {
		return cmp.Or(a.key().compare(b.key()), -compareBool(a.BestLuck, b.BestLuck))
	})
	all.received = slices.CompactFunc(all.received, func(a, b ReceivedRow) bool { return a.key() == b.key() })
	slices.SortFunc(all.sent, func(a, b SentRow) int {
		return cmp.Or(a.key().compare(b.key()), -cmp.Compare(a.Refunded, b.Refunded))
	})
	all.sent = slices.CompactFunc(all.sent, func(a, b SentRow) bool { return a.key() == b.key() })
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// byShard deals the rows out to n shards.
func (all *entries) byShard(n int) []entries {
	dealt := make([]entries, n)
	for _, r := range all.received {
		d := &dealt[shardOf(r.User, n)]
		d.received = append(d.received, r)
	}
	for _, r := range all.sent {
		d := &dealt[shardOf(r.User, n)]
		d.sent = append(d.sent, r)
	}
	return dealt
}

// chunks cuts the rows into transactions of at most most rows of either kind.
func (all entries) chunks(most int) iter.Seq[entries] {
	return func(yield func(entries) bool) {
		for len(all.received)+len(all.sent) > 0 {
			r, s := min(most, len(all.received)), min(most, len(all.sent))
			if !yield(entries{all.received[:r], all.sent[:s]}) {
				return
			}
			all.received, all.sent = all.received[r:], all.sent[s:]
		}
	}
}

// years are the sums that the rows count in, in the order of their keys.
func (all *entries) years() []yearKey {
	years := make([]yearKey, 0, len(all.received)+len(all.sent))
	for i := range all.received {
		years = append(years, all.received[i].in())
	}
	for i := range all.sent {
		years = append(years, all.sent[i].in())
	}
	slices.SortFunc(years, yearKey.compare)
	return slices.Compact(years)
}
