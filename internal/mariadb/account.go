package mariadb

import (
	"crypto/tls"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"time"

	"github.com/go-sql-driver/mysql"
)

// Bounds of the sockets, sessions and pools of the service.
const (
	ConnectMax  = 500 * time.Millisecond
	SocketMax   = 4 * time.Second // exceeds the lock wait, so that a lock timeout is heard as such
	lockWaitMax = 2               // seconds, innodb_lock_wait_timeout
	connLifeMax = 4 * time.Minute
	// silentMax is for how many seconds the server keeps a session, its transaction
	// and its row locks when nothing is heard from the client: a process that froze, a
	// network that is cut. MySQL has no other bound on that; its own default is eight
	// hours. No transaction of ours is silent for that long.
	silentMax = 15
	// idleMax is for how long a pool keeps a connection that is not used. The pool
	// looks once in idleMax, so twice that is less than silentMax: the server never
	// ends a session that a pool is about to use.
	idleMax = 5 * time.Second
)

// sqlMode is that of every session: without strict mode a sum too large for its
// column is stored cut off.
const sqlMode = "STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,ONLY_FULL_GROUP_BY"

// Account is an account of a database server, and whether it connects encrypted.
type Account struct {
	User, Password string
	TLS            *tls.Config // nil: in the clear
}

// String leaves the password out of logs.
func (a Account) String() string { return a.User }

// Config is how every connection of the service to addr (host:port) is made. The
// database "" is none.
func (a Account) Config(addr, database string) *mysql.Config {
	c := mysql.NewConfig()
	c.Net, c.Addr, c.DBName = "tcp", addr, database
	c.User, c.Passwd = a.User, a.Password
	c.TLS = a.TLS.Clone()
	c.Collation = "utf8mb4_bin"
	c.ParseTime, c.Loc = true, time.UTC
	c.InterpolateParams = true // halves the round trips
	c.Timeout, c.ReadTimeout, c.WriteTimeout = ConnectMax, SocketMax, SocketMax
	c.Logger = &mysql.NopLogger{} // all it would print is returned, too
	c.Params = map[string]string{
		"time_zone":                "'+00:00'",
		"sql_mode":                 "'" + sqlMode + "'",
		"innodb_lock_wait_timeout": fmt.Sprint(lockWaitMax),
		"wait_timeout":             fmt.Sprint(silentMax),
	}
	return c
}

// Open is a pool of at most conns connections. It connects when it is used, to
// whatever server there is: see [Guard.Open].
func Open(c *mysql.Config, conns int) (*sql.DB, error) {
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, err
	}
	return pool(explained{connector, c.TLS != nil}, conns), nil
}

// Open is [Open] with a guard in front of the pool.
func (g *Guard) Open(c *mysql.Config, conns int) (*sql.DB, error) {
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, err
	}
	return pool(g.Connector(explained{connector, c.TLS != nil}), conns), nil
}

// OpenAudit is a pool for walks through whole databases: it reads for as long as it
// takes, with times in UTC whatever c says.
func OpenAudit(c *mysql.Config) (*sql.DB, error) {
	c.ReadTimeout, c.WriteTimeout = 0, 0
	c.ParseTime, c.Loc, c.InterpolateParams = true, time.UTC, true
	c.Params = map[string]string{"time_zone": "'+00:00'"}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

func pool(connector driver.Connector, conns int) *sql.DB {
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	db.SetConnMaxLifetime(connLifeMax)
	db.SetConnMaxIdleTime(idleMax)
	return db
}
