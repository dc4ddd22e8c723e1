package cluster

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/go-sql-driver/mysql"
)

const (
	// AdminUser has all privileges, from 127.0.0.1 and with its password only.
	// No other account exists in a new data directory that anyone could use.
	AdminUser = "admin"

	// socketPathMax is what fits into sockaddr_un.sun_path with its final NUL.
	socketPathMax = 107

	// errAccessDenied is ER_ACCESS_DENIED_ERROR.
	errAccessDenied = 1045
)

// nameShape is what a server may be called: the name ends up in file names.
var nameShape = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,31}$`)

// MariaDBConfig describes one private mariadbd, or a MySQL server where the
// environment names one; see [FindDatabase].
type MariaDBConfig struct {
	Name string // in messages: "hb_000"
	// Dir holds everything the server writes: data/, tmp/, its log, its pid
	// file and, where the path is short enough, its socket.
	Dir      string
	Port     int    // on 127.0.0.1
	ServerID uint32 // at least 1; unique among servers that replicate

	// AdminPassword is given to AdminUser when the data directory is made, and
	// must be the same at every later start.
	AdminPassword string

	BufferPoolMiB  int // at least 8; 0 means 64
	MaxConnections int // at least 10; 0 means 256

	// Args are passed after our own and so override them.
	Args []string
}

// MariaDB is a running server that has answered a query.
type MariaDB struct {
	*Process
	Program Database
	cfg     MariaDBConfig
	socket  string
}

// StartMariaDB starts the server of cfg.Dir, making its data directory first if
// there is none, and returns once it answers queries. On an error nothing is
// left running. The server does not depend on ctx once it has started.
func StartMariaDB(ctx context.Context, cfg MariaDBConfig) (*MariaDB, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	m, err := startMariaDB(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("database server %s: %w", cfg.Name, err)
	}
	return m, nil
}

func startMariaDB(ctx context.Context, cfg MariaDBConfig) (*MariaDB, error) {
	program, err := FindDatabase()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(cfg.Dir, "tmp"), 0o700); err != nil {
		return nil, err
	}
	lock, err := lockDir(ctx, cfg.Dir)
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	if err := CheckPort(cfg.Port); err != nil {
		return nil, err
	}
	if err := bootstrap(ctx, cfg, program, lock); err != nil {
		return nil, err
	}
	socket, cleanup, err := placeSocket(cfg.Dir)
	if err != nil {
		return nil, err
	}
	p, err := Start(Command{
		Name: cfg.Name, Path: program.Path, Args: cfg.args(program, socket),
		Dir: cfg.Dir, LogFile: cfg.logFile(),
		inherit: []*os.File{lock}, cleanup: cleanup,
	})
	if err != nil {
		return nil, err
	}
	m := &MariaDB{Process: p, Program: program, cfg: cfg, socket: socket}
	if err := m.awaitAnswer(ctx); err != nil {
		return nil, errors.Join(err, p.Kill())
	}
	return m, nil
}

// complete fills in the defaults and refuses what could not work.
func (c MariaDBConfig) complete() (MariaDBConfig, error) {
	if c.BufferPoolMiB == 0 {
		c.BufferPoolMiB = 64
	}
	if c.MaxConnections == 0 {
		c.MaxConnections = 256
	}
	if err := c.validate(); err != nil {
		return c, err
	}
	dir, err := filepath.Abs(c.Dir) // mariadbd changes its working directory
	c.Dir = dir
	return c, err
}

// validate checks a configuration whose defaults are filled in.
func (c *MariaDBConfig) validate() error {
	switch {
	case !nameShape.MatchString(c.Name):
		return fmt.Errorf("mariadbd %q: name does not match %v", c.Name, nameShape)
	case c.Dir == "":
		return fmt.Errorf("mariadbd %s: no directory", c.Name)
	case c.ServerID < 1:
		return fmt.Errorf("mariadbd %s: want 1 <= server id, have %d", c.Name, c.ServerID)
	case c.AdminPassword == "":
		return fmt.Errorf("mariadbd %s: the admin password is empty", c.Name)
	case c.BufferPoolMiB < 8:
		return fmt.Errorf("mariadbd %s: want 8 <= MiB of buffer pool, have %d", c.Name, c.BufferPoolMiB)
	case c.MaxConnections < 10:
		return fmt.Errorf("mariadbd %s: want 10 <= max connections, have %d", c.Name, c.MaxConnections)
	}
	return nil
}

func (c MariaDBConfig) dataDir() string { return filepath.Join(c.Dir, "data") }
func (c MariaDBConfig) logFile() string { return filepath.Join(c.Dir, "mariadbd.log") }

// placeSocket chooses the socket's path: in dir, or where that is too long for
// the kernel, in a directory of its own under os.TempDir, which cleanup removes.
func placeSocket(dir string) (path string, cleanup func(), err error) {
	path = filepath.Join(dir, "mariadbd.sock")
	if len(path) <= socketPathMax {
		return path, nil, nil
	}
	short, err := os.MkdirTemp("", "hongbao-")
	if err != nil {
		return "", nil, fmt.Errorf("directory for a socket whose path is short enough: %w", err)
	}
	return filepath.Join(short, "mariadbd.sock"), func() { os.RemoveAll(short) }, nil
}

// awaitAnswer waits until the server answers a query of the admin account.
func (m *MariaDB) awaitAnswer(ctx context.Context) error {
	cfg := m.connect(AdminUser, m.cfg.AdminPassword, "")
	cfg.Logger = &mysql.NopLogger{} // a refused connection is expected here
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return err
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	return m.Process.awaitAnswer(ctx, func(ctx context.Context) error { return m.ask(ctx, db) })
}

// ask runs one query and makes sure that it was our server that answered: one
// that took the port in the same moment may well have the same password.
func (m *MariaDB) ask(ctx context.Context, db *sql.DB) error {
	var socket string
	err := db.QueryRowContext(ctx, "SELECT @@socket").Scan(&socket)
	if denied, ok := errors.AsType[*mysql.MySQLError](err); ok && denied.Number == errAccessDenied {
		return fmt.Errorf("%w: %s was made with another admin password: %w", errHopeless, m.cfg.dataDir(), err)
	}
	if err != nil {
		return err
	}
	if socket != m.socket {
		return fmt.Errorf("another server answers at %s, that of %s", m.Addr(), socket)
	}
	return nil
}

// Addr is the server's "127.0.0.1:port".
func (m *MariaDB) Addr() string { return address(m.cfg.Port) }

// Socket is the path of its unix socket.
func (m *MariaDB) Socket() string { return m.socket }

// DSN names a database of this server, "" for none, for the mysql driver.
// Times are UTC on both sides, and no read or write waits longer than 10 s.
func (m *MariaDB) DSN(user, password, database string) string {
	return m.connect(user, password, database).FormatDSN()
}

// AdminDSN is DSN for AdminUser, which can do everything.
func (m *MariaDB) AdminDSN(database string) string {
	return m.DSN(AdminUser, m.cfg.AdminPassword, database)
}

func (m *MariaDB) connect(user, password, database string) *mysql.Config {
	cfg := mysql.NewConfig()
	cfg.User, cfg.Passwd, cfg.DBName = user, password, database
	cfg.Net, cfg.Addr = "tcp", m.Addr()
	cfg.InterpolateParams = true // one round trip a statement, not three
	cfg.ParseTime, cfg.Loc = true, time.UTC
	cfg.Params = map[string]string{"time_zone": "'+00:00'"}
	// A frozen server still accepts connections: only these bounds end the wait.
	cfg.Timeout, cfg.ReadTimeout, cfg.WriteTimeout = 3*time.Second, 10*time.Second, 10*time.Second
	return cfg
}
