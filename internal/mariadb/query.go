package mariadb

import (
	"context"
	"database/sql"
	"errors"
)

// Queryer is a pool, one connection of it, a transaction, or whatever else answers
// queries.
type Queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// Each calls row for every row of a query, until one of them fails.
func Each(ctx context.Context, q Queryer, row func(*sql.Rows) error, query string, args ...any) error {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	for rows.Next() {
		if err := row(rows); err != nil {
			return errors.Join(err, rows.Close())
		}
	}
	return errors.Join(rows.Err(), rows.Close())
}

// Column reads a query of one column.
func Column[T any](ctx context.Context, q Queryer, query string, args ...any) (values []T, err error) {
	err = Each(ctx, q, func(rows *sql.Rows) error {
		var value T
		err := rows.Scan(&value)
		values = append(values, value)
		return err
	}, query, args...)
	return values, err
}
