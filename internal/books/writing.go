package books

import (
	"context"
	"database/sql"

	"hongbao/envelope"
)

// writing is one transaction of a post.
type writing struct {
	conn    *sql.Conn
	added   map[yearKey]*envelope.BookSummary // what rows that were looked for add to the sums
	written int                               // rows, new or changed
}

// run writes rows under the locks of their users' yearly sums, which serialize
// writers of one user and year. It is optimistic about fresh rows: the statement that
// locks has added them to the sums already, and they are inserted without a read; if
// one exists, the primary key refuses it and the transaction is rolled back. The
// other rows are read; those that are missing, or know less than the new ones, are
// written, and only these are added to the sums.
func (w *writing) run(ctx context.Context, years []yearKey, fresh, others *entries) error {
	if err := w.lockYears(ctx, years, fresh.sums()); err != nil {
		return err
	}
	if err := w.insertReceived(ctx, fresh.received); err != nil {
		return err
	}
	if err := w.insertSent(ctx, fresh.sent); err != nil {
		return err
	}
	return w.look(ctx, others)
}

func (w *writing) exec(ctx context.Context, query string, args ...any) error {
	_, err := w.conn.ExecContext(ctx, query, args...)
	return err
}

// lockYears makes the sums that are missing, locks all of them in the order of
// the years, and adds the fresh rows to them.
func (w *writing) lockYears(ctx context.Context, years []yearKey, fresh map[yearKey]*envelope.BookSummary) error {
	args := make([]any, 0, 6*len(years))
	for _, y := range years {
		sum := fresh[y]
		if sum == nil {
			sum = &envelope.BookSummary{}
		}
		args = append(args, string(y.user), y.year, sum.SentCount, int64(sum.SentTotal), sum.ReceivedCount, int64(sum.ReceivedTotal))
	}
	return w.exec(ctx, lockYears(len(years)), args...)
}

func (w *writing) insertReceived(ctx context.Context, rows []ReceivedRow) error {
	args := make([]any, 0, 9*len(rows))
	for i := range rows {
		args = rows[i].columns(args)
	}
	return w.put(ctx, insertReceived, len(rows), args)
}

func (w *writing) insertSent(ctx context.Context, rows []SentRow) error {
	args := make([]any, 0, 8*len(rows))
	for i := range rows {
		args = rows[i].columns(args)
	}
	return w.put(ctx, insertSent, len(rows), args)
}

func (w *writing) put(ctx context.Context, statement func(n int) string, n int, args []any) error {
	if n == 0 {
		return nil
	}
	w.written += n
	return w.exec(ctx, statement(n), args...)
}
