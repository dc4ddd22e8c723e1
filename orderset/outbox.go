package orderset

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
)

// Bounds of the outbox and of one spread.
const (
	touchedMax = 60_000 // order IDs in one row: 1.4 MB of text
	spreadMax  = 1024   // rows of the outbox
	// spreadIDsMax ends a spread early when its rows name many envelopes, and
	// spreadSharesMax when these have many shares: its transaction is to end
	// well before setdb.TxMax.
	spreadIDsMax    = 4096
	spreadSharesMax = 20_000
	spreadChunk     = 512 // envelopes in one statement
)

// touched inserts the outbox row of a transaction that has moved these
// envelopes. What they owe to whom follows from their rows.
func touched(ctx context.Context, c *sql.Conn, ids ...envelope.ID) error {
	if len(ids) == 0 {
		return nil
	}
	var insert text
	insertTouched(&insert, ids)
	_, err := c.ExecContext(ctx, insert.String())
	return err
}

// Touched signals that this process has committed something that can be spread.
// Other processes' commits are not heard: poll too.
func (s *Set) Touched() <-chan struct{} { return s.touches }

// touch wakes whoever spreads.
func (s *Set) touch() {
	select {
	case s.touches <- struct{}{}:
	default: // it will look in any case
	}
}

// Spread turns up to max rows of the outbox, 1024 at most, into what is owed: for
// each envelope they name the transfers of its new shares, and a delivery to
// each receiver. It returns how many envelopes it has worked on; zero means that
// nothing was left to spread. Rows that another spreader is at are passed by.
func (s *Set) Spread(ctx context.Context, max int) (envelopes int, err error) {
	err = s.db.TxRepeat(ctx, func(ctx context.Context, c *sql.Conn) (err error) {
		envelopes, err = s.spread(ctx, c, min(max, spreadMax))
		return err
	})
	return envelopes, s.db.Answer("spread", err)
}

// spread is the body of the transaction. The row locks are the lease.
func (s *Set) spread(ctx context.Context, c *sql.Conn, max int) (envelopes int, err error) {
	rows, ids, err := lockPending(ctx, c, max)
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	begun, all, err := s.payOut(ctx, c, ids)
	if err != nil || !all {
		return len(ids), err // the rows stay pending: the next spread goes on from here
	}
	for chunk := range slices.Chunk(ids, spreadChunk) {
		if err := deliver(ctx, c, chunk, begun); err != nil {
			return 0, err
		}
	}
	_, err = c.ExecContext(ctx, updateSpread(rows))
	return len(ids), err
}

// deliver owes some envelopes' news to their receivers. An envelope that has begun
// to be paid out was spread before, and has its deliveries.
func deliver(ctx context.Context, c *sql.Conn, ids []envelope.ID, begun map[envelope.ID]bool) error {
	var there, others []envelope.ID
	for _, id := range ids {
		if begun[id] {
			there = append(there, id)
		} else {
			others = append(others, id)
		}
	}
	if len(there) > 0 {
		res, err := c.ExecContext(ctx, updateDeliveries(there))
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || int(n) < deliveriesEach*len(there) {
			others = ids // some are not there after all; to owe something twice is to owe it
		}
	}
	if len(others) == 0 {
		return nil
	}
	_, err := c.ExecContext(ctx, upsertDeliveries(others))
	return err
}

const deliveriesEach = 2 // of an envelope: to the books and to the IM backend

const selectPending = "SELECT id, touched FROM outbox WHERE state = 'pending' ORDER BY id LIMIT ? FOR UPDATE SKIP LOCKED"

// lockPending locks rows of the outbox and returns the envelopes they name, each
// once and in the order of their IDs.
func lockPending(ctx context.Context, c *sql.Conn, max int) (rows []int64, ids []envelope.ID, err error) {
	err = mariadb.Each(ctx, c, func(r *sql.Rows) error {
		var row int64
		var names string
		if err := r.Scan(&row, &names); err != nil || len(rows) > 0 && len(ids) >= spreadIDsMax {
			return err
		}
		rows = append(rows, row)
		ids, err = appendIDs(ids, names)
		return err
	}, selectPending, max)
	slices.Sort(ids)
	return rows, slices.Compact(ids), err
}

// appendIDs cuts an outbox row's text into the order IDs it is made of.
func appendIDs(ids []envelope.ID, names string) ([]envelope.ID, error) {
	for ; len(names) >= idLength; names = names[idLength:] {
		id, err := envelope.ParseID(names[:idLength])
		if err != nil {
			return nil, fmt.Errorf("outbox: %w", err)
		}
		ids = append(ids, id)
	}
	if names != "" {
		return nil, errors.New("outbox: a row ends within an order ID")
	}
	return ids, nil
}

const idLength = len(lastPossibleID)

// byTable yields some IDs by the table they are in, in one order for everybody,
// each table's in the order of the IDs given.
func byTable(ids []envelope.ID) func(yield func(DayTable, []envelope.ID) bool) {
	tables := map[DayTable][]envelope.ID{}
	for _, id := range ids {
		tables[TableOf(id)] = append(tables[TableOf(id)], id)
	}
	return func(yield func(DayTable, []envelope.ID) bool) {
		for _, t := range sortedTables(tables) {
			if !yield(t, tables[t]) {
				return
			}
		}
	}
}

// inTableOrder is the IDs in the order in which byTable yields them.
func inTableOrder(ids []envelope.ID) []envelope.ID {
	sorted := make([]envelope.ID, 0, len(ids))
	for _, ids := range byTable(ids) {
		sorted = append(sorted, ids...)
	}
	return sorted
}

// headerState is what decides whether a header is settled.
type headerState struct {
	id          envelope.ID
	state       envelope.State
	openedCount int
	refunded    envelope.Fen
}

func queryStates(ctx context.Context, q mariadb.Queryer, query string) (states []headerState, err error) {
	err = mariadb.Each(ctx, q, func(r *sql.Rows) error {
		var s headerState
		if err := r.Scan(&s.id, &s.state, &s.openedCount, &s.refunded); err != nil {
			return err
		}
		states = append(states, s)
		return nil
	}, query)
	return states, err
}
