package books

import (
	"context"
	"database/sql"
	"fmt"
	"iter"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
)

// rowsPage is how many rows one query of a walk reads.
const rowsPage = 2000

// Received walks all rows of what users received: shard by shard, in each by
// user and order ID. It ends with the first error of row.
func (a *Auditor) Received(ctx context.Context, row func(ReceivedRow) error) error {
	return a.walk(ctx, selectReceivedRows, func(r *sql.Rows) (rowKey, error) {
		var v ReceivedRow
		if err := r.Scan(&v.User, &v.Year, &v.ID, &v.Sender, &v.Kind, &v.Seq, &v.Amount, &v.BestLuck, &v.OpenedAt); err != nil {
			return rowKey{}, err
		}
		return v.key(), row(v)
	})
}

// Sent walks all rows of what users sent, in the same order.
func (a *Auditor) Sent(ctx context.Context, row func(SentRow) error) error {
	return a.walk(ctx, selectSentRows, func(r *sql.Rows) (rowKey, error) {
		var v SentRow
		if err := r.Scan(&v.User, &v.Year, &v.ID, &v.Kind, &v.Total, &v.Count, &v.Refunded, &v.PaidAt); err != nil {
			return rowKey{}, err
		}
		return v.key(), row(v)
	})
}

func (a *Auditor) walk(ctx context.Context, query string, scan func(*sql.Rows) (rowKey, error)) error {
	for i, db := range a.shards {
		var last rowKey
		for n := rowsPage; n == rowsPage; {
			n = 0
			err := mariadb.Each(ctx, db, func(r *sql.Rows) (err error) {
				n++
				last, err = scan(r)
				return err
			}, query, last.user, last.user, last.id, rowsPage)
			if err != nil {
				return fmt.Errorf("audit of the books: shard %d: %w", i, err)
			}
		}
	}
	return nil
}

// Compare holds the books to the truth: all envelopes, each with all its shares.
// Every share is in its opener's book and every envelope that was paid in time
// in its sender's, as it is; nothing else is in any. Run it when all is posted.
// The rows that there should be are kept in memory.
func (a *Auditor) Compare(ctx context.Context, truth iter.Seq[envelope.Statement]) ([]Violation, error) {
	found := violations{}
	received, sent := map[rowKey]ReceivedRow{}, map[rowKey]SentRow{}
	for s := range truth {
		e := &s.Envelope
		if e.PaidAt.IsZero() || e.State == envelope.Closed {
			continue
		}
		row := sentRow(e, s.Refund.Amount)
		sent[row.key()] = row
		best := envelope.BestLuck(e, s.Shares)
		for _, share := range s.Shares {
			row := receivedRow(e, share, share.Seq == best)
			received[row.key()] = row
		}
	}
	if err := a.Received(ctx, func(got ReceivedRow) error { return hold(&found, received, got.key(), got, ReceivedRow.same) }); err != nil {
		return nil, err
	}
	if err := a.Sent(ctx, func(got SentRow) error { return hold(&found, sent, got.key(), got, SentRow.same) }); err != nil {
		return nil, err
	}
	for k, want := range received {
		found.add(k.user, k.id, "not in the book: received %+v", want)
	}
	for k, want := range sent {
		found.add(k.user, k.id, "not in the book: sent %+v", want)
	}
	return found, nil
}

// hold compares a row with the one that there should be, and crosses that out.
func hold[R any](found *violations, want map[rowKey]R, k rowKey, got R, same func(a, b R) bool) error {
	w, ok := want[k]
	delete(want, k)
	switch {
	case !ok:
		found.add(k.user, k.id, "in the book, and never happened: %+v", got)
	case !same(w, got):
		found.add(k.user, k.id, "the book says %+v, the truth is %+v", got, w)
	}
	return nil
}

// same compares times as instants.
func (r ReceivedRow) same(o ReceivedRow) bool {
	at := r.OpenedAt.Equal(o.OpenedAt)
	r.OpenedAt = o.OpenedAt
	return at && r == o
}

func (r SentRow) same(o SentRow) bool {
	at := r.PaidAt.Equal(o.PaidAt)
	r.PaidAt = o.PaidAt
	return at && r == o
}
