package layout

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
	"hongbao/schema"
)

// DayTable addresses the pair of tables an envelope and its shares are in: one
// table digit of one business day.
type DayTable struct {
	Digit int // 0–9
	Day   int // day of the month, 1–31
}

// TableOf is the address inside the SET of an ID.
func TableOf(id envelope.ID) DayTable {
	return DayTable{Digit: id.TableDigit(), Day: id.Day().OfMonth()}
}

// SortedTables is the order in which every transaction goes through tables.
func SortedTables[V any](tables map[DayTable]V) []DayTable {
	return slices.SortedFunc(maps.Keys(tables), func(a, b DayTable) int {
		return cmp.Or(cmp.Compare(a.Digit, b.Digit), cmp.Compare(a.Day, b.Day))
	})
}

// Envelopes is the table of headers.
func (t DayTable) Envelopes() string { return schema.EnvelopeTable(t.Digit, t.Day) }

// Shares is the table of shares.
func (t DayTable) Shares() string { return schema.ShareTable(t.Digit, t.Day) }

// ByTable yields some IDs by the table they are in, in the one order of all transactions,
// each table's in the order of the IDs given.
func ByTable(ids []envelope.ID) func(yield func(DayTable, []envelope.ID) bool) {
	tables := map[DayTable][]envelope.ID{}
	for _, id := range ids {
		tables[TableOf(id)] = append(tables[TableOf(id)], id)
	}
	return func(yield func(DayTable, []envelope.ID) bool) {
		for _, t := range SortedTables(tables) {
			if !yield(t, tables[t]) {
				return
			}
		}
	}
}

// InTableOrder is the IDs in the order in which ByTable yields them.
func InTableOrder(ids []envelope.ID) []envelope.ID {
	sorted := make([]envelope.ID, 0, len(ids))
	for _, ids := range ByTable(ids) {
		sorted = append(sorted, ids...)
	}
	return sorted
}

// LastPossibleID sorts after every order ID.
const LastPossibleID = envelope.ID("99999999999999999999999")

const idLength = len(LastPossibleID)

// AppendIDs cuts an outbox row's text into the order IDs it is made of.
func AppendIDs(ids []envelope.ID, names string) ([]envelope.ID, error) {
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

const selectEnvelopeTables = "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name LIKE 'envelope\\_%'"

// DayTables lists the tables that there are.
func DayTables(ctx context.Context, q mariadb.Queryer) (tables []DayTable, err error) {
	err = mariadb.Each(ctx, q, func(rows *sql.Rows) error {
		var name string
		var t DayTable
		if err := rows.Scan(&name); err != nil {
			return err
		}
		if _, err := fmt.Sscanf(name, "envelope_%d_%d", &t.Digit, &t.Day); err != nil {
			return fmt.Errorf("table %s is not a day table", name)
		}
		tables = append(tables, t)
		return nil
	}, selectEnvelopeTables)
	return tables, err
}
