package schema

import (
	"database/sql"
	"fmt"
	"time"

	"github.com/go-sql-driver/mysql"
)

// Bounds of an administrator's connection: DDL may take a while, connecting
// may not.
const (
	connectMax = 2 * time.Second
	answerMax  = time.Minute
)

// Server is an administrator's connection to one database server, for programs
// that apply or verify the schema and run no SQL of their own.
type Server struct{ DB *sql.DB }

// Connect opens a connection to addr (host:port) without a database.
func Connect(addr string, admin Credential) (*Server, error) {
	cfg := mysql.NewConfig()
	cfg.Net, cfg.Addr, cfg.User, cfg.Passwd = "tcp", addr, admin.User, admin.Password
	cfg.Timeout, cfg.ReadTimeout, cfg.WriteTimeout = connectMax, answerMax, answerMax
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, fmt.Errorf("schema: connect to %s: %w", addr, err)
	}
	return &Server{DB: sql.OpenDB(connector)}, nil
}

// Close closes the connection.
func (s *Server) Close() error { return s.DB.Close() }
