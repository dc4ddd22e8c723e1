package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"hongbao/internal/mariadb"
)

// Bounds of an administrator's connections: connecting may not take long, DDL may.
const (
	connectMax = 2 * time.Second
	answerMax  = time.Minute
	adminsMax  = 4
)

// Server is an administrator's connection to one database server, for programs
// that apply or verify the schema and run no SQL of their own.
type Server struct{ DB *sql.DB }

// Connect opens a connection to addr (host:port) without a database.
func Connect(addr string, admin mariadb.Account) (*Server, error) {
	c := admin.Config(addr, "")
	c.Timeout, c.ReadTimeout, c.WriteTimeout = connectMax, answerMax, answerMax
	db, err := mariadb.Open(c, adminsMax)
	if err != nil {
		return nil, fmt.Errorf("schema: connect to %s: %w", addr, err)
	}
	return &Server{DB: db}, nil
}

// VerifySettings compares the server's settings with what hongbaod demands before
// it serves on it. Nil means no difference.
func (s *Server) VerifySettings(ctx context.Context) ([]Difference, error) {
	err := mariadb.CheckSettings(ctx, s.DB)
	unsafe, ok := errors.AsType[*mariadb.UnsafeError](err)
	if !ok {
		return nil, err
	}
	var found []Difference
	for _, u := range unsafe.Settings {
		found = append(found, Difference{Object: "server setting " + u.Variable, Want: u.Want + ": " + u.Why, Got: fmt.Sprintf("%q", u.Have)})
	}
	return found, nil
}

// Close closes the connection.
func (s *Server) Close() error { return s.DB.Close() }
