package main_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hongbao/envelope"
	"hongbao/internal/cluster"
	"hongbao/internal/httpapi/bearer"
	"hongbao/internal/settest"
	"hongbao/internal/settings"
)

const (
	serviceMax   = 60 * time.Second
	serviceAdmin = "service-admin"
)

// service is a real hongbaod on a mariadbd of its own, with no supervisor: its
// settings, its database and its process are the test's to change.
type service struct {
	*deployment
	t        *testing.T
	port     int // of the database
	database *cluster.MariaDB
	daemon   *cluster.Process
}

// newService makes the deployment and its database. Nothing serves yet.
func newService(t *testing.T, args ...string) *service {
	t.Helper()
	s := &service{deployment: newDeployment(t, settest.Programs(t)), t: t}
	ports, err := cluster.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	s.port = ports[0]
	at := fmt.Sprintf("127.0.0.1:%d", s.port)
	s.Sets[0].Primary, s.Books[0].Primary = at, at
	s.Listen.DrainNotice = 50 * time.Millisecond
	s.Accounts.Host = "127.0.0.1"
	account := func(user string) settings.Account {
		return settings.Account{User: user, PasswordFile: user + ".password"}
	}
	s.Accounts.Admin, s.Accounts.Audit, s.Accounts.Arbiter = account("admin"), account("audit"), account("arbiter")
	for _, user := range []string{"admin", "audit", "arbiter"} {
		if err := os.WriteFile(s.path(user+".password"), []byte(serviceAdmin), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.save(t)
	t.Cleanup(s.stop)
	s.startDatabase(args...)
	s.apply()
	return s
}

func (s *service) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), serviceMax)
	defer cancel()
	if s.daemon != nil {
		if err := s.daemon.Stop(ctx); err != nil {
			s.t.Error(err)
		}
	}
	if s.database != nil {
		if err := s.database.Kill(); err != nil {
			s.t.Error(err)
		}
	}
}

// startDatabase starts the server, or again after it has ended, with these
// arguments over its own.
func (s *service) startDatabase(args ...string) {
	s.t.Helper()
	var err error
	s.database, err = cluster.StartMariaDB(s.t.Context(), cluster.MariaDBConfig{
		Name: "db", Dir: s.path("db"), Port: s.port, ServerID: 1, AdminPassword: serviceAdmin, Args: args,
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *service) killDatabase() {
	s.t.Helper()
	if err := s.database.Kill(); err != nil {
		s.t.Fatal(err)
	}
}

// apply makes the databases as an operator does.
func (s *service) apply() {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), filepath.Join(s.bin, "hongbaoctl"), "--config", s.path("hongbao.yaml"), "schema", "apply")
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("schema apply: %v\n%s", err, out)
	}
}

// admin runs statements as the administrator.
func (s *service) admin(statements ...string) {
	s.t.Helper()
	db, err := sql.Open("mysql", s.database.AdminDSN("hb_000"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer db.Close()
	for _, statement := range statements {
		if _, err := db.ExecContext(s.t.Context(), statement); err != nil {
			s.t.Fatalf("%s: %v", statement, err)
		}
	}
}

// serve starts the daemon and returns once its operator listener answers.
func (s *service) serve() {
	s.t.Helper()
	var err error
	s.daemon, err = cluster.Start(cluster.Command{
		Name: "hongbaod", Path: filepath.Join(s.bin, "hongbaod"), LogFile: s.path("hongbaod.log"),
		Args: []string{"serve", "--config", s.path("hongbao.yaml")},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.await("the operator's listener", func() error {
		_, _, err := s.ask(s.Listen.Operator, "/healthz", "")
		return err
	})
}

// await asks until the answer is nil.
func (s *service) await(what string, ask func() error) {
	s.t.Helper()
	deadline := time.Now().Add(serviceMax)
	for {
		err := ask()
		if err == nil {
			return
		}
		var ended <-chan struct{}
		if s.daemon != nil {
			ended = s.daemon.Done()
		}
		select {
		case <-ended:
			s.t.Fatalf("%s: hongbaod has ended: %v\n%s", what, s.daemon.Err(), s.log())
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%s: %v\n%s", what, err, s.log())
		}
	}
}

func (s *service) log() string {
	raw, err := os.ReadFile(s.path("hongbaod.log"))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(raw)
}

// ask is one GET.
func (s *service) ask(addr, path, token string) (status int, body string, err error) {
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, "http://"+addr+path, nil)
	if err != nil {
		return 0, "", err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	return res.StatusCode, string(raw), err
}

// wants asks until readyz says status and all of parts.
func (s *service) wants(status int, parts ...string) {
	s.t.Helper()
	s.await(fmt.Sprintf("readyz %d %q", status, parts), func() error {
		got, body, err := s.ask(s.Listen.Operator, "/readyz", "")
		for _, part := range parts {
			if !strings.Contains(body, part) {
				err = errors.Join(err, fmt.Errorf("no %q in it", part))
			}
		}
		if err != nil || got != status {
			return fmt.Errorf("readyz says %d %q: %w", got, body, err)
		}
		return nil
	})
}

// token is a caller's under a key of this file.
func (s *service) token(kid, file string) string {
	s.t.Helper()
	raw, err := os.ReadFile(s.path(file))
	if err != nil {
		s.t.Fatal(err)
	}
	key := bearer.Key{ID: kid, Algorithm: bearer.HS256, Secret: []byte(strings.TrimSpace(string(raw)))}
	token, err := bearer.Mint(key, envelope.UserID("u"), "", time.Hour, time.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	return token
}
