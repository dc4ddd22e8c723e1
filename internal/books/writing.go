package books

import (
	"context"
	"database/sql"
	"maps"
	"slices"

	"hongbao/envelope"
)

// writing is one transaction of a post.
type writing struct {
	conn    *sql.Conn
	added   map[yearKey]*envelope.BookSummary // what the written rows add to the sums
	written int                               // rows, new or changed
}

// run locks the sums of everyone the rows are about; whoever writes rows of the
// same user and year comes before or after. Then it sees which rows are missing
// or know less, writes these, and adds exactly these.
func (w *writing) run(ctx context.Context, part *entries) error {
	if err := w.exec(ctx, "START TRANSACTION"); err != nil {
		return err
	}
	years := part.years()
	if err := w.exec(ctx, lockYears(len(years)), keysOf(years)...); err != nil {
		return err
	}
	w.added = make(map[yearKey]*envelope.BookSummary, len(years))
	if err := w.putReceived(ctx, part.received); err != nil {
		return err
	}
	if err := w.putSent(ctx, part.sent); err != nil {
		return err
	}
	return w.addToYears(ctx)
}

func (w *writing) exec(ctx context.Context, query string, args ...any) error {
	_, err := w.conn.ExecContext(ctx, query, args...)
	return err
}

// sums are what is added to the year.
func (w *writing) sums(y yearKey) *envelope.BookSummary {
	if w.added[y] == nil {
		w.added[y] = &envelope.BookSummary{}
	}
	return w.added[y]
}

func (w *writing) putReceived(ctx context.Context, rows []ReceivedRow) error {
	if len(rows) == 0 {
		return nil
	}
	keys := make([]any, 0, 2*len(rows))
	for i := range rows {
		keys = append(keys, rows[i].User, rows[i].ID)
	}
	have := make(map[rowKey]bool, len(rows)) // best luck, of those that are there
	err := each(ctx, w.conn, func(r *sql.Rows) error {
		var k rowKey
		var best bool
		err := r.Scan(&k.user, &k.id, &best)
		have[k] = best
		return err
	}, selectReceived(len(rows)), keys...)
	if err != nil {
		return err
	}
	n, args := 0, make([]any, 0, 9*len(rows))
	for i := range rows {
		r := &rows[i]
		best, there := have[r.key()]
		if there && (best || !r.BestLuck) {
			continue
		}
		sum := w.sums(r.in())
		if !there {
			sum.ReceivedCount++
			sum.ReceivedTotal += r.Amount
		}
		if r.BestLuck {
			sum.BestLuckCount++
		}
		n, args = n+1, append(args, r.User, r.ID, r.Year, r.Seq, r.Sender, r.Kind, r.Amount, r.BestLuck, r.OpenedAt)
	}
	return w.put(ctx, putReceived, n, args)
}

func (w *writing) putSent(ctx context.Context, rows []SentRow) error {
	if len(rows) == 0 {
		return nil
	}
	keys := make([]any, 0, 2*len(rows))
	for i := range rows {
		keys = append(keys, rows[i].User, rows[i].ID)
	}
	have := make(map[rowKey]envelope.Fen, len(rows)) // refunded, of those that are there
	err := each(ctx, w.conn, func(r *sql.Rows) error {
		var k rowKey
		var refunded envelope.Fen
		err := r.Scan(&k.user, &k.id, &refunded)
		have[k] = refunded
		return err
	}, selectSent(len(rows)), keys...)
	if err != nil {
		return err
	}
	n, args := 0, make([]any, 0, 8*len(rows))
	for i := range rows {
		r := &rows[i]
		refunded, there := have[r.key()]
		if there && (refunded > 0 || r.Refunded == 0) {
			continue
		}
		sum := w.sums(r.in())
		if !there {
			sum.SentCount++
			sum.SentTotal += r.Total
		}
		sum.RefundedTotal += r.Refunded
		n, args = n+1, append(args, r.User, r.ID, r.Year, r.Kind, r.Total, r.Count, r.Refunded, r.PaidAt)
	}
	return w.put(ctx, putSent, n, args)
}

func (w *writing) put(ctx context.Context, statement func(n int) string, n int, args []any) error {
	if n == 0 {
		return nil
	}
	w.written += n
	return w.exec(ctx, statement(n), args...)
}

// addToYears brings the sums up to date. Their rows are there and ours.
func (w *writing) addToYears(ctx context.Context) error {
	years := slices.SortedFunc(maps.Keys(w.added), yearKey.compare)
	if len(years) == 0 {
		return nil
	}
	err := each(ctx, w.conn, func(r *sql.Rows) error {
		var y yearKey
		var old envelope.BookSummary
		if err := scanSums(r, &y, &old); err != nil {
			return err
		}
		add(w.added[y], &old)
		return nil
	}, selectYears(len(years)), keysOf(years)...)
	if err != nil {
		return err
	}
	args := make([]any, 0, 8*len(years))
	for _, y := range years {
		sum := w.added[y]
		args = append(args, y.user, y.year, sum.SentCount, sum.SentTotal, sum.RefundedTotal,
			sum.ReceivedCount, sum.ReceivedTotal, sum.BestLuckCount)
	}
	return w.exec(ctx, putYears(len(years)), args...)
}

func keysOf(years []yearKey) []any {
	args := make([]any, 0, 2*len(years))
	for _, y := range years {
		args = append(args, y.user, y.year)
	}
	return args
}

// scanSums reads a year and its sums, as selectYears names them.
func scanSums(r *sql.Rows, y *yearKey, sum *envelope.BookSummary) error {
	return r.Scan(&y.user, &y.year, &sum.SentCount, &sum.SentTotal, &sum.RefundedTotal,
		&sum.ReceivedCount, &sum.ReceivedTotal, &sum.BestLuckCount)
}

func add(sum, more *envelope.BookSummary) {
	sum.SentCount += more.SentCount
	sum.SentTotal += more.SentTotal
	sum.RefundedTotal += more.RefundedTotal
	sum.ReceivedCount += more.ReceivedCount
	sum.ReceivedTotal += more.ReceivedTotal
	sum.BestLuckCount += more.BestLuckCount
}
