package orderset

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"golang.org/x/sync/singleflight"

	"hongbao/envelope"
	"hongbao/schema"
)

// Account is a database account.
type Account struct{ User, Password string }

// Bounds of the sockets and pools of one SET. Read and write timeouts exceed
// the lock wait, so that a lock timeout is heard as such.
const (
	connectMax     = 500 * time.Millisecond
	socketMax      = 4 * time.Second
	lockWaitMax    = 2 // seconds, innodb_lock_wait_timeout of our sessions
	connLifeMax    = 4 * time.Minute
	poolMax        = 32 // sends, reads, the lease; in open modes fifo and plain the opens too
	writesMax      = 12 // lanes, and a spare
	migratorMax    = 2
	startupTryMax  = 5 * time.Second
	sessionSQLMode = "STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,ONLY_FULL_GROUP_BY"
)

// Set is one SET's database, as an order server sees it. It is a bulkhead:
// pool, health and timeouts are its own.
type Set struct {
	number  envelope.SetNumber
	db      *sql.DB
	writes  *sql.DB // sessions without autocommit, for warm batches only
	drawKey envelope.DrawKey
	now     func() time.Time
	memory  *memory // nil: every open locks and reads
	memo    *memo
	loading singleflight.Group // of loads into memory
	health  health
	counts  counts
	touches chan struct{} // buffered 1: something can be spread
	batches bool          // new payouts go into batches
}

// poolConfig is how every connection to a SET is made.
func poolConfig(addr, database string, a Account) *mysql.Config {
	c := mysql.NewConfig()
	c.Net, c.Addr, c.DBName = "tcp", addr, database
	c.User, c.Passwd = a.User, a.Password
	c.Collation = "utf8mb4_bin"
	c.ParseTime, c.Loc = true, time.UTC
	c.InterpolateParams = true // halves the round trips; text is built in statements.go only
	c.Timeout, c.ReadTimeout, c.WriteTimeout = connectMax, socketMax, socketMax
	c.Params = map[string]string{
		"time_zone":                "'+00:00'",
		"sql_mode":                 "'" + sessionSQLMode + "'",
		"innodb_lock_wait_timeout": fmt.Sprint(lockWaitMax),
	}
	return c
}

// writeConfig is the same for warm batches: several statements in one packet,
// built in statements.go from IDs, integers and escaped names, and a transaction
// that is always open.
func writeConfig(addr, database string, a Account) *mysql.Config {
	c := poolConfig(addr, database, a)
	c.MultiStatements = true
	c.DialFunc = dialBlocking
	c.Params["autocommit"] = "0"
	return c
}

func openPool(c *mysql.Config, conns int) (*sql.DB, error) {
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	db.SetConnMaxLifetime(connLifeMax)
	return db, nil
}

// openSet connects to the SET under the service's account. It does not fail
// when the database is down: a SET that is down when the process starts is like
// one that fails later. CheckSettings says whether it may be trusted.
func openSet(spec SetSpec, cfg *Config) (*Set, error) {
	database := schema.DatabaseName(int(spec.Number))
	db, err := openPool(poolConfig(spec.Primary, database, cfg.App), poolMax)
	if err != nil {
		return nil, fmt.Errorf("SET %v: %w", spec.Number, err)
	}
	writes, err := openPool(writeConfig(spec.Primary, database, cfg.App), writesMax)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("SET %v: %w", spec.Number, err), db.Close())
	}
	s := &Set{number: spec.Number, db: db, writes: writes, drawKey: cfg.DrawKey, now: cfg.Now, batches: cfg.BatchPayouts, touches: make(chan struct{}, 1)}
	if cfg.Memory > 0 {
		s.memory = newMemory(cfg.Memory)
	}
	if s.memo, err = newMemo(spec.Memcached, cfg.DrawKey, cfg.Log); err != nil {
		return nil, errors.Join(fmt.Errorf("SET %v: memcached: %w", spec.Number, err), db.Close(), writes.Close())
	}
	return s, nil
}

// Number of the SET.
func (s *Set) Number() envelope.SetNumber { return s.number }

// disconnect closes its connections.
func (s *Set) disconnect() error { return errors.Join(s.db.Close(), s.writes.Close(), s.memo.close()) }

// wanted are the server settings without which our promises are not true, each
// with the reason an operator reads.
var wanted = [...]struct{ variable, value, why string }{
	{"sync_binlog", "1", "a crash would lose acknowledged shares (I3)"},
	{"innodb_flush_log_at_trx_commit", "1", "a crash would lose acknowledged shares (I3)"},
	{"binlog_format", "ROW", "READ COMMITTED and replication need row events"},
	{"log_bin", "ON", "a replica could not follow"},
	{"character_set_server", "utf8mb4", "greetings would be cut"},
	{"time_zone", "+00:00", "expiry is decided by the database's clock"},
	{"transaction_isolation", "READ-COMMITTED", "a snapshot must never decide"},
}

// CheckSettings refuses a server whose settings make our promises untrue, and
// one that is not the SET its address says. It reads the session, which is what
// our transactions get.
func (s *Set) CheckSettings(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startupTryMax)
	defer cancel()
	have := map[string]string{}
	err := each(ctx, s.db, func(rows *sql.Rows) error {
		var name, value string
		err := rows.Scan(&name, &value)
		have[name] = value
		return err
	}, selectSettings)
	if err != nil {
		return s.answer("read settings", err)
	}
	if have["transaction_isolation"] == "" {
		have["transaction_isolation"] = have["tx_isolation"] // MariaDB before 11.1
	}
	var mistakes []error
	for _, w := range wanted {
		if got := have[w.variable]; !strings.EqualFold(got, w.value) {
			mistakes = append(mistakes, fmt.Errorf("SET %v: %s is %q, want %q: %s", s.number, w.variable, got, w.value, w.why))
		}
	}
	if mode := have["sql_mode"]; !strings.Contains(mode, "STRICT_ALL_TABLES") || strings.Contains(mode, "NO_BACKSLASH_ESCAPES") {
		mistakes = append(mistakes, fmt.Errorf("SET %v: sql_mode is %q: want STRICT_ALL_TABLES, or numbers are cut silently, and no NO_BACKSLASH_ESCAPES", s.number, mode))
	}
	var number int
	if err := s.db.QueryRowContext(ctx, selectSetInfo).Scan(&number); err != nil {
		mistakes = append(mistakes, s.answer("read set_info", err))
	} else if number != int(s.number) {
		mistakes = append(mistakes, fmt.Errorf("SET %v: the database says it is SET %03d; correct its address in the topology", s.number, number))
	}
	return errors.Join(mistakes...)
}

// Examine is CheckSettings of a SET that nothing is served from yet, under the
// account of the migrator, too: its error names everything that is wrong.
func Examine(ctx context.Context, spec SetSpec, app, migrator Account) error {
	database := schema.DatabaseName(int(spec.Number))
	db, err := openPool(poolConfig(spec.Primary, database, app), 1)
	if err != nil {
		return fmt.Errorf("SET %v: %w", spec.Number, err)
	}
	defer db.Close()
	m, err := OpenMigrator(spec, migrator)
	if err != nil {
		return err
	}
	defer m.Close()
	s := &Set{number: spec.Number, db: db}
	if err := s.CheckSettings(ctx); err != nil {
		return err
	}
	if err := m.db.PingContext(ctx); err != nil {
		return fmt.Errorf("SET %v: under the migrator's account: %w", spec.Number, err)
	}
	return nil
}

// Ping asks the database for a sign of life.
func (s *Set) Ping(ctx context.Context) error {
	return s.answer("ping", s.db.PingContext(ctx))
}

// Migrator makes day tables in one SET. It has an account and a pool of its
// own: no request ever runs under it.
type Migrator struct {
	number envelope.SetNumber
	db     *sql.DB
}

// OpenMigrator connects under the migrator's account.
func OpenMigrator(spec SetSpec, migrator Account) (*Migrator, error) {
	db, err := openPool(poolConfig(spec.Primary, schema.DatabaseName(int(spec.Number)), migrator), migratorMax)
	if err != nil {
		return nil, fmt.Errorf("SET %v: %w", spec.Number, err)
	}
	return &Migrator{number: spec.Number, db: db}, nil
}

// Number of the SET.
func (m *Migrator) Number() envelope.SetNumber { return m.number }

// Close closes its connections.
func (m *Migrator) Close() error { return m.db.Close() }
