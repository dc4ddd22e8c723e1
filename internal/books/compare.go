package books

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"time"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
	"hongbao/reconcile"
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

// Comparison holds users' books to what the SETs say: each share stands in its
// opener's book and each envelope in its sender's, once, and nothing else does.
// An envelope that was never paid, or too late, is in no book. Use it when all is
// posted; the rows that there should be are kept in memory.
type Comparison struct {
	auditor  *Auditor
	received map[rowKey]ReceivedRow
	sent     map[rowKey]SentRow
	found    differences
}

// Comparison is of all shards, and good for one use.
func (a *Auditor) Comparison() *Comparison {
	return &Comparison{auditor: a, received: map[rowKey]ReceivedRow{}, sent: map[rowKey]SentRow{}}
}

// Name is "users' books".
func (c *Comparison) Name() string { return "users' books" }

// Visit notes the rows that must be there.
func (c *Comparison) Visit(s *envelope.Statement, _ []envelope.Transfer) {
	e := &s.Envelope
	if e.PaidAt.IsZero() || e.State == envelope.Closed {
		return
	}
	row := sentRow(e, s.Refund.Amount)
	c.sent[row.key()] = row
	best := envelope.BestLuck(e, s.Shares)
	for _, share := range s.Shares {
		row := receivedRow(e, share, share.Seq == best)
		c.received[row.key()] = row
	}
}

// pingMax is how long a shard may take to answer at all; a comparison has no
// bound of its own.
const pingMax = 5 * time.Second

// Compare holds the books to their own rules and, when all SETs were read whole,
// to what they say.
func (c *Comparison) Compare(ctx context.Context, whole bool) ([]reconcile.Difference, error) {
	if err := c.ping(ctx); err != nil {
		return nil, err
	}
	within, err := c.auditor.Audit(ctx)
	c.found.Found = within
	if err != nil || !whole {
		return within, cmp.Or(err, reconcile.ErrPartly)
	}
	if err := c.auditor.Received(ctx, func(got ReceivedRow) error { return hold(&c.found, c.received, got.key(), got, ReceivedRow.same) }); err != nil {
		return within, err
	}
	if err := c.auditor.Sent(ctx, func(got SentRow) error { return hold(&c.found, c.sent, got.key(), got, SentRow.same) }); err != nil {
		return within, err
	}
	for k, want := range c.received {
		c.found.add(ruleRow, k, fmt.Sprintf("received %+v", want), "no such row in the book")
	}
	for k, want := range c.sent {
		c.found.add(ruleRow, k, fmt.Sprintf("sent %+v", want), "no such row in the book")
	}
	return c.found.Found, nil
}

func (c *Comparison) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, pingMax)
	defer cancel()
	return c.auditor.Ping(ctx)
}

func hold[R any](found *differences, want map[rowKey]R, k rowKey, got R, same func(a, b R) bool) error {
	w, ok := want[k]
	delete(want, k)
	switch {
	case !ok:
		found.add(ruleRow, k, "no row of what never happened", fmt.Sprintf("%+v", got))
	case !same(w, got):
		found.add(ruleRow, k, fmt.Sprintf("%+v", w), fmt.Sprintf("%+v", got))
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
