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

// run locks the sums of everyone the rows are about; a writer of rows of the
// same user and year comes before or after. Under the lock it writes rows that
// are taken for news without a look, and what the lock has added to the sums is
// theirs: if one is there already, the primary key refuses it, and nothing of the
// transaction is kept. Of the others it sees which are missing or know less,
// writes these, and adds exactly these.
func (w *writing) run(ctx context.Context, years []yearKey, news, others *entries) error {
	if err := w.lockYears(ctx, years, news.sums()); err != nil {
		return err
	}
	if err := w.insertReceived(ctx, news.received); err != nil {
		return err
	}
	if err := w.insertSent(ctx, news.sent); err != nil {
		return err
	}
	return w.look(ctx, others)
}

func (w *writing) exec(ctx context.Context, query string, args ...any) error {
	_, err := w.conn.ExecContext(ctx, query, args...)
	return err
}

// lockYears makes the sums that are missing, locks all of them in the order of
// the years, and adds the news of those that have any.
func (w *writing) lockYears(ctx context.Context, years []yearKey, news map[yearKey]*envelope.BookSummary) error {
	args := make([]any, 0, 6*len(years))
	for _, y := range years {
		sum := news[y]
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
