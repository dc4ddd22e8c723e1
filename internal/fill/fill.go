package fill

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"time"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
	"hongbao/orderset/layout"
	"hongbao/orderset/setdb"
	"hongbao/schema"
)

// Bounds of filling. A batch is one transaction of four statements, far below the
// 16 MiB of a packet and the seconds a statement may take.
const (
	fillEnvelopesMax = 2000
	fillSharesMax    = 8000 // and what is left of the envelope that reaches it
	fillConns        = 2
	fillSocketMax    = 30 * time.Second  // a full redo log makes a writer wait
	fillTxMax        = 5 * fillSocketMax // five statements
)

// Filler writes envelopes with their shares as they are given, thousands of rows
// in a transaction, so that a SET can be measured with full tables. It decides
// and checks nothing beyond what the tables do: that is the audit's part. Every
// share counts as paid out, so what it writes must owe nothing to anyone.
type Filler struct {
	db *setdb.DB
}

// fillBatch is what one pair of tables is owed.
type fillBatch struct {
	envelopes, shares int
	ids               []envelope.ID
	rows, shareRows   []any // arguments, in the order of the columns
}

// Open connects under the migrator's account, which may also make the
// tables of days gone by. It refuses a database that is not marked as a playground
// or a drill: the rows are inventions.
func Open(ctx context.Context, number envelope.SetNumber, addr string, migrator mariadb.Account) (*Filler, error) {
	db, err := setdb.Open(setdb.Config{Number: number, Primary: setdb.Primary{Addr: addr}, Account: migrator,
		Pool: fillConns, SocketMax: fillSocketMax, TxMax: fillTxMax})
	if err != nil {
		return nil, fmt.Errorf("fill: %w", err)
	}
	f := &Filler{db: db}
	if err := f.checkPlace(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("fill SET %v: %w", number, err), db.Close())
	}
	return f, nil
}

func (f *Filler) checkPlace(ctx context.Context) error {
	var number int
	var environment string
	if err := f.db.QueryRowContext(ctx, selectPlace).Scan(&number, &environment); err != nil {
		return fmt.Errorf("read set_info: %w", err)
	}
	if number != int(f.db.Number()) {
		return fmt.Errorf("the database says it is SET %03d", number)
	}
	if environment != "playground" && environment != "drill" {
		return fmt.Errorf("the database is marked %s: want playground or drill", environment)
	}
	return nil
}

// Close closes its connections.
func (f *Filler) Close() error { return f.db.Close() }

// Fill writes every snapshot, making the tables of its day where they are missing,
// and calls wrote, which may be nil, with the number of envelopes of each batch it
// has committed. An ID that is there already ends it with an error; the batches
// committed before stay.
func (f *Filler) Fill(ctx context.Context, snapshots iter.Seq[envelope.Snapshot], wrote func(envelopes int)) error {
	batches := map[layout.DayTable]*fillBatch{}
	flush := func(t layout.DayTable, b *fillBatch) error {
		if err := f.write(ctx, t, b); err != nil {
			return fmt.Errorf("fill SET %v: %s: %w", f.db.Number(), t.Envelopes(), err)
		}
		if wrote != nil {
			wrote(b.envelopes)
		}
		delete(batches, t)
		return nil
	}
	days := map[int]bool{}
	for snap := range snapshots {
		t := layout.TableOf(snap.Envelope.ID)
		if !days[t.Day] {
			if err := f.db.Apart(ctx, func(ctx context.Context, c *sql.Conn) error {
				return schema.MakeDayTablesOn(ctx, c, int(f.db.Number()), t.Day)
			}); err != nil {
				return fmt.Errorf("fill SET %v: tables of day %d: %w", f.db.Number(), t.Day, err)
			}
			days[t.Day] = true
		}
		b := batches[t]
		if b == nil {
			b = &fillBatch{}
			batches[t] = b
		}
		if b.add(&snap); b.envelopes == fillEnvelopesMax || b.shares >= fillSharesMax {
			if err := flush(t, b); err != nil {
				return err
			}
		}
	}
	for t, b := range batches {
		if err := flush(t, b); err != nil {
			return err
		}
	}
	return nil
}

func (b *fillBatch) add(snap *envelope.Snapshot) {
	e := &snap.Envelope
	b.envelopes++
	b.ids = append(b.ids, e.ID)
	b.rows = append(b.rows, e.ID, e.Kind, e.State, e.Ver, e.Sender, e.Group, orNull(e.Recipient), e.Greeting, e.Total, e.Count, e.Bounds().Min, e.ShareMax,
		e.Opened, e.OpenedCount, e.Refunded, e.Commitment[:], orNull(e.TransactionID), e.CreatedAt, timeOrNull(e.PaidAt), e.ExpiresAt, timeOrNull(e.FinishedAt))
	for _, s := range snap.Shares {
		b.shares++
		b.shareRows = append(b.shareRows, e.ID, s.Seq, s.User, s.Amount, s.OpenedAt)
	}
}

func orNull[S ~string](s S) sql.Null[string] { return sql.Null[string]{V: string(s), Valid: s != ""} }

func timeOrNull(t time.Time) sql.NullTime { return sql.NullTime{Time: t, Valid: !t.IsZero()} }

// write commits a batch.
func (f *Filler) write(ctx context.Context, t layout.DayTable, b *fillBatch) error {
	return f.db.Tx(ctx, func(ctx context.Context, c *sql.Conn) error {
		_, err := c.ExecContext(ctx, fillEnvelopes(t, b.envelopes), b.rows...)
		if err == nil {
			_, err = c.ExecContext(ctx, fillPayments(t, b.ids))
		}
		if err == nil && b.shares > 0 {
			_, err = c.ExecContext(ctx, fillShares(t, b.shares), b.shareRows...)
		}
		if err == nil && b.shares > 0 {
			_, err = c.ExecContext(ctx, insertPosted(t, b.ids))
		}
		return err
	})
}

// Bytes is how much the tables of the SET occupy, indexes included, counted anew:
// the server's own idea is as old as its last count.
func (f *Filler) Bytes(ctx context.Context) (bytes int64, err error) {
	names, err := mariadb.Column[string](ctx, f.db, selectTableNames)
	for i := 0; err == nil && i < len(names); i++ {
		_, err = f.db.ExecContext(ctx, analyzeTable(names[i]))
	}
	if err == nil {
		err = f.db.QueryRowContext(ctx, selectTableBytes).Scan(&bytes)
	}
	if err != nil {
		return 0, fmt.Errorf("size of SET %v: %w", f.db.Number(), err)
	}
	return bytes, nil
}
