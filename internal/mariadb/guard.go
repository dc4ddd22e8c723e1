package mariadb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

const (
	examineMax = 5 * time.Second // one examination of a server
	// refusedFor is for how long what was found is not looked for again, unless the
	// server has changed meanwhile.
	refusedFor = time.Second
	// uptimeSlack is by how much the start of one server may seem to move: it tells
	// whole seconds, and late ones.
	uptimeSlack = 3 * time.Second
)

// UnfitError says that a server answers and is not to be used: it would not keep
// what is promised on it, or it is not what its address says. Until that is put
// right it is as good as down; see [Unavailable].
type UnfitError struct{ Err error }

func (e *UnfitError) Error() string { return e.Err.Error() }
func (e *UnfitError) Unwrap() error { return e.Err }

// GuardConfig says what a server has to be. All of it is required.
type GuardConfig struct {
	// Examine asks all there is to ask, over a pool of one connection, of which it
	// reads only. An error that says that the server was not heard refuses the
	// connection, any other one the server: see Unfit.
	Examine func(ctx context.Context, db *sql.DB) error
	// Changed hears, once each, what is wrong with the server, and nil when nothing
	// is any more.
	Changed func(finding error)
}

// A Guard lets no connection into a pool before its server was found fit: the one
// that is there at first, and every other one after it. A server counts as another
// one when it was started again, when it is somewhere else behind the same address,
// and when one of its settings for durability changed.
//
// It costs two short queries a connection. A setting that changes while a connection
// is open is found by the next one, within the life of pooled connections.
type Guard struct {
	cfg GuardConfig

	mu      sync.Mutex // guards the fields below, and lets one examine for all
	fit     server     // was found fit; zero: none yet
	refused server     // was found unfit
	at      time.Time  // when
	finding error
}

// server is one life of one server, as far as it can be told from another.
type server struct {
	is      string    // place and settings
	started time.Time // on our monotonic clock; zero: no server
}

func (s server) same(t server) bool {
	d := s.started.Sub(t.started)
	return !s.started.IsZero() && s.is == t.is && d < uptimeSlack && d > -uptimeSlack
}

// NewGuard makes a guard that has seen no server.
func NewGuard(cfg GuardConfig) *Guard { return &Guard{cfg: cfg} }

// Finding is what is wrong with the server that was seen last; nil when nothing is
// known to be. It waits for an examination that is under way.
func (g *Guard) Finding() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.finding
}

// Connector connects as inner does, past the guard.
func (g *Guard) Connector(inner driver.Connector) driver.Connector { return guarded{g, inner} }

type guarded struct {
	guard *Guard
	driver.Connector
}

// Connect implements [driver.Connector].
func (c guarded) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.guard.admit(ctx, conn); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

func (g *Guard) admit(ctx context.Context, conn driver.Conn) error {
	now, err := identify(ctx, conn)
	if err != nil {
		return fmt.Errorf("which server this is: %w", err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if now.same(g.fit) {
		return nil
	}
	if now.same(g.refused) && time.Since(g.at) < refusedFor {
		return g.finding
	}
	err = g.examine(ctx, conn)
	_, unfit := errors.AsType[*UnfitError](err)
	if err != nil && !unfit {
		return err // it was not heard, and may be fit
	}
	g.note(now, err)
	return err
}

// note keeps what an examination came to.
func (g *Guard) note(now server, finding error) {
	before := g.finding
	g.finding, g.at = finding, time.Now()
	if finding == nil {
		g.fit, g.refused = now, server{}
	} else {
		g.fit, g.refused = server{}, now
	}
	if (before == nil) != (finding == nil) || before != nil && before.Error() != finding.Error() {
		g.cfg.Changed(finding)
	}
}

// examine has a time of its own: the caller that happens to be first may have
// little left.
func (g *Guard) examine(ctx context.Context, conn driver.Conn) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), examineMax)
	defer cancel()
	db := sql.OpenDB(&lender{conn: conn})
	defer db.Close()
	db.SetMaxOpenConns(1)
	err := g.cfg.Examine(ctx, db)
	if err != nil && !Unavailable(err) && !errors.Is(err, context.Canceled) {
		return &UnfitError{err}
	}
	if err == nil {
		// Where sessions have no autocommit the reads have begun a transaction.
		_, err = db.ExecContext(ctx, rollback)
	}
	return err
}

// identity is what tells servers apart that answer at one address, and two settings
// that are changed with SET GLOBAL and lose money in a crash.
const (
	identity = "SELECT CONCAT_WS(' ', @@hostname, @@port, @@server_id, @@datadir, @@global.sync_binlog, @@global.innodb_flush_log_at_trx_commit)"
	uptime   = "SHOW GLOBAL STATUS LIKE 'Uptime'"
)

func identify(ctx context.Context, conn driver.Conn) (server, error) {
	db := sql.OpenDB(&lender{conn: conn})
	defer db.Close()
	db.SetMaxOpenConns(1)
	var s server
	var name string
	var seconds int64
	if err := db.QueryRowContext(ctx, identity).Scan(&s.is); err != nil {
		return s, err
	}
	if err := db.QueryRowContext(ctx, uptime).Scan(&name, &seconds); err != nil {
		return s, err
	}
	s.started = time.Now().Add(-time.Duration(seconds) * time.Second)
	return s, nil
}

// lender makes a pool of a connection that belongs to its caller and stays open.
type lender struct {
	conn driver.Conn
	lent bool
}

// Connect implements [driver.Connector]: there is one connection to give.
func (l *lender) Connect(context.Context) (driver.Conn, error) {
	if l.lent {
		return nil, io.ErrUnexpectedEOF // it broke
	}
	l.lent = true
	return lent{l.conn}, nil
}

// Driver implements [driver.Connector].
func (l *lender) Driver() driver.Driver { return nil }

// lent is the connection, without its end.
type lent struct{ driver.Conn }

func (lent) Close() error { return nil }

// QueryContext implements [driver.QueryerContext].
func (c lent) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	q, ok := c.Conn.(driver.QueryerContext)
	if !ok {
		return nil, driver.ErrSkip
	}
	return q.QueryContext(ctx, query, args)
}

// ExecContext implements [driver.ExecerContext].
func (c lent) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	e, ok := c.Conn.(driver.ExecerContext)
	if !ok {
		return nil, driver.ErrSkip
	}
	return e.ExecContext(ctx, query, args)
}
