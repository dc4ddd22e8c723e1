package layout

import (
	"context"
	"database/sql"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
)

// HeaderState is what decides whether a header is settled.
type HeaderState struct {
	ID          envelope.ID
	State       envelope.State
	OpenedCount int
	Refunded    envelope.Fen
}

// QueryStates reads rows of SelectStates.
func QueryStates(ctx context.Context, q mariadb.Queryer, query string) (states []HeaderState, err error) {
	err = mariadb.Each(ctx, q, func(r *sql.Rows) error {
		var s HeaderState
		if err := r.Scan(&s.ID, &s.State, &s.OpenedCount, &s.Refunded); err != nil {
			return err
		}
		states = append(states, s)
		return nil
	}, query)
	return states, err
}

// SelectStates reads the states of some envelopes, under locks or not, in the order of
// their IDs.
func (t DayTable) SelectStates(ids []envelope.ID, lock bool) string {
	b := &Text{}
	b.Add("SELECT order_id, state, opened_count, refunded_fen FROM ", t.Envelopes(), " WHERE order_id IN (")
	b.IDs(ids)
	b.Add(") ORDER BY order_id")
	if lock {
		b.Add(" FOR UPDATE")
	}
	return b.String()
}
