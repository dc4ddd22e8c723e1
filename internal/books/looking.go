package books

import (
	"context"
	"database/sql"
	"maps"
	"slices"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
)

// lookMax is how many rows one query looks for: the server compares each one that
// it finds with all that it was asked for.
const lookMax = 100

// look writes rows that may be there, as far as they are not or know less. The
// sums that they count in are locked, so no other transaction writes them meanwhile.
func (w *writing) look(ctx context.Context, rows *entries) error {
	w.added = map[yearKey]*envelope.BookSummary{}
	if err := w.putReceived(ctx, rows.received); err != nil {
		return err
	}
	if err := w.putSent(ctx, rows.sent); err != nil {
		return err
	}
	return w.addToYears(ctx)
}

// find reads rows by their primary keys, of two columns each.
func (w *writing) find(ctx context.Context, query func(n int) string, keys []any, row func(*sql.Rows) error) error {
	for some := range slices.Chunk(keys, 2*lookMax) {
		if err := mariadb.Each(ctx, w.conn, row, query(len(some)/2), some...); err != nil {
			return err
		}
	}
	return nil
}

// sums are what is added to the year.
func (w *writing) sums(y yearKey) *envelope.BookSummary {
	if w.added[y] == nil {
		w.added[y] = &envelope.BookSummary{}
	}
	return w.added[y]
}

func (w *writing) putReceived(ctx context.Context, rows []ReceivedRow) error {
	have := make(map[rowKey]bool, len(rows)) // best luck, of those that are there
	keys := make([]any, 0, 2*len(rows))
	for i := range rows {
		keys = append(keys, string(rows[i].User), string(rows[i].ID))
	}
	err := w.find(ctx, selectReceived, keys, func(r *sql.Rows) error {
		var k rowKey
		var best bool
		err := r.Scan(&k.user, &k.id, &best)
		have[k] = best
		return err
	})
	if err != nil {
		return err
	}
	n, args := 0, []any{}
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
		n, args = n+1, r.columns(args)
	}
	return w.put(ctx, putReceived, n, args)
}

func (w *writing) putSent(ctx context.Context, rows []SentRow) error {
	have := make(map[rowKey]envelope.Fen, len(rows)) // refunded, of those that are there
	keys := make([]any, 0, 2*len(rows))
	for i := range rows {
		keys = append(keys, string(rows[i].User), string(rows[i].ID))
	}
	err := w.find(ctx, selectSent, keys, func(r *sql.Rows) error {
		var k rowKey
		var refunded envelope.Fen
		err := r.Scan(&k.user, &k.id, &refunded)
		have[k] = refunded
		return err
	})
	if err != nil {
		return err
	}
	n, args := 0, []any{}
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
		n, args = n+1, r.columns(args)
	}
	return w.put(ctx, putSent, n, args)
}

// addToYears brings the sums up to date. Their rows are there and ours.
func (w *writing) addToYears(ctx context.Context) error {
	years := slices.SortedFunc(maps.Keys(w.added), yearKey.compare)
	if len(years) == 0 {
		return nil
	}
	keys := make([]any, 0, 2*len(years))
	for _, y := range years {
		keys = append(keys, string(y.user), y.year)
	}
	err := w.find(ctx, selectYears, keys, func(r *sql.Rows) error {
		var y yearKey
		var old envelope.BookSummary
		if err := scanSums(r, &y, &old); err != nil {
			return err
		}
		add(w.added[y], &old)
		return nil
	})
	if err != nil {
		return err
	}
	args := make([]any, 0, 8*len(years))
	for _, y := range years {
		sum := w.added[y]
		args = append(args, string(y.user), y.year, sum.SentCount, int64(sum.SentTotal), int64(sum.RefundedTotal),
			sum.ReceivedCount, int64(sum.ReceivedTotal), sum.BestLuckCount)
	}
	return w.exec(ctx, putYears(len(years)), args...)
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
