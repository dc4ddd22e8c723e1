package setdb

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/go-sql-driver/mysql"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
	"hongbao/schema"
)

// Reader walks through one SET's whole database, as an account that may only SELECT.
// It reads for as long as it takes, from the server that it was opened on.
type Reader struct{ pool *sql.DB }

// OpenReader connects to the database of a SET at addr.
func OpenReader(number envelope.SetNumber, addr string, account mariadb.Account) (*Reader, error) {
	return newReader(account.Config(addr, schema.DatabaseName(int(number))))
}

// OpenReaderDSN connects as a DSN says.
func OpenReaderDSN(dsn string) (*Reader, error) {
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		return nil, fmt.Errorf("reader: %w", err)
	}
	return newReader(cfg)
}

func newReader(cfg *mysql.Config) (*Reader, error) {
	pool, err := mariadb.OpenAudit(cfg)
	if err != nil {
		return nil, fmt.Errorf("reader: %w", err)
	}
	return &Reader{pool: pool}, nil
}

// QueryContext implements [mariadb.Queryer].
func (r *Reader) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return r.pool.QueryContext(ctx, query, args...)
}

// QueryRowContext reads one row.
func (r *Reader) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return r.pool.QueryRowContext(ctx, query, args...)
}

// Snapshot reads rows as they all were at one moment.
func (r *Reader) Snapshot(ctx context.Context, do func(ctx context.Context, c *sql.Conn) error) error {
	return mariadb.Snapshot(ctx, r.pool, do)
}

// Ping reports whether the database answers: a walk has no bound of its own.
func (r *Reader) Ping(ctx context.Context) error { return r.pool.PingContext(ctx) }

// Close closes its connections.
func (r *Reader) Close() error { return r.pool.Close() }
