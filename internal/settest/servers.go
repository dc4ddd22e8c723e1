package settest

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql" // the driver behind sql.Open

	"hongbao/internal/cluster"
	"hongbao/schema"
)

const (
	serverCount   = 2 // so that two SETs never share a server
	adminPassword = "settest-admin"
	startMax      = time.Minute
)

// Servers are the database servers of one test package, started when the first
// test asks for them. Declare one, and let TestMain call Main.
type Servers struct {
	once    sync.Once
	err     error
	dir     string
	servers [serverCount]*cluster.MariaDB
	nextSet atomic.Int32
}

// Main runs the tests and stops what they started.
func (s *Servers) Main(m *testing.M) int {
	defer s.stop()
	return m.Run()
}

func (s *Servers) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), startMax)
	defer cancel()
	for _, db := range s.servers {
		if db != nil {
			if err := db.Stop(ctx); err != nil {
				fmt.Fprintln(os.Stderr, "settest:", err)
			}
		}
	}
	if s.dir != "" {
		os.RemoveAll(s.dir)
	}
}

func (s *Servers) start() error {
	s.once.Do(func() {
		var ports []int
		if s.dir, s.err = os.MkdirTemp("", "settest"); s.err != nil {
			return
		}
		if ports, s.err = cluster.FreePorts(serverCount); s.err != nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), startMax)
		defer cancel()
		for i := range s.servers {
			name := fmt.Sprintf("db%d", i)
			s.servers[i], s.err = cluster.StartMariaDB(ctx, cluster.MariaDBConfig{
				Name: name, Dir: filepath.Join(s.dir, name), Port: ports[i], ServerID: uint32(i + 1), AdminPassword: adminPassword,
			})
			if s.err != nil {
				return
			}
		}
		fmt.Println("databases under test:", s.servers[0].Program)
	})
	return s.err
}

// accounts are the service's accounts in test databases.
func accounts() schema.Accounts {
	return schema.Accounts{
		Host:     "127.0.0.1",
		App:      schema.Credential{User: "app", Password: "app-test"},
		Migrator: schema.Credential{User: "migrator", Password: "migrator-test"},
		Audit:    schema.Credential{User: "audit", Password: "audit-test"},
		Arbiter:  schema.Credential{User: "arbiter", Password: "arbiter-test"},
	}
}

// Admin is a connection that may do everything, to plant damage with.
func (w *World) Admin(t testing.TB, set int) *sql.DB {
	t.Helper()
	db, err := sql.Open("mysql", w.servers[set].AdminDSN(schema.DatabaseName(int(w.Specs[set].Number)))+"&parseTime=true")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}
