package settings_test

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"

	"hongbao/envelope"
	"hongbao/internal/books"
	"hongbao/internal/cluster"
	"hongbao/internal/mariadb"
	"hongbao/internal/settest"
	"hongbao/internal/settings"
	"hongbao/orderset"
	"hongbao/schema"
)

// secured is a deployment on a server that takes encrypted connections only.
func secured(t *testing.T, a *settest.Authority, host string) *deployment {
	t.Helper()
	d, server := served(t, a.ServerArgs(t, host)...)
	db, err := sql.Open("mysql", server.AdminDSN(""))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("SET GLOBAL require_secure_transport = ON"); err != nil {
		t.Fatal(err)
	}
	return d
}

// served is a deployment on a server of its own.
func served(t *testing.T, args ...string) (*deployment, *cluster.MariaDB) {
	t.Helper()
	ports, err := cluster.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	server, err := cluster.StartMariaDB(t.Context(), cluster.MariaDBConfig{
		Name: "served", Dir: t.TempDir(), Port: ports[0], ServerID: 1, AdminPassword: "admin's password", Args: args,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Kill(); err != nil {
			t.Error(err)
		}
	})
	d := newDeployment(t)
	block := 0
	d.Sets = []settings.Set{{Set: "000", Primary: server.Addr(), Minting: true, MachineBlock: &block}}
	d.Books = []settings.Shard{{Primary: server.Addr()}}
	d.Accounts.Host = "127.0.0.1"
	return d, server
}

// account is one of the deployment's accounts, as the programs read it.
func account(t *testing.T, s *settings.Settings, name string, a settings.Account) orderset.Account {
	t.Helper()
	read, err := s.Account(name, a)
	if err != nil {
		t.Fatal(err)
	}
	return read
}

// serves goes the way of every account and every database: it applies the schema,
// makes day tables, sends, pays and opens, and reads the books.
func serves(t *testing.T, s *settings.Settings) error {
	t.Helper()
	topology, err := s.Topology()
	if err != nil {
		t.Fatal(err)
	}
	spec, app := topology.Specs()[0], account(t, s, "app", s.Accounts.App)
	if err := apply(t, s, spec); err != nil {
		return err
	}
	migrator := account(t, s, "migrator", s.Accounts.Migrator)
	if err := orderset.Examine(t.Context(), spec, app, migrator); err != nil {
		return err
	}
	shelf, err := books.Open(books.Config{App: app, Shards: []books.Shard{{Addr: s.Books[0].Primary}}})
	if err != nil {
		t.Fatal(err)
	}
	key, err := s.DrawKey()
	if err != nil {
		t.Fatal(err)
	}
	router, err := orderset.NewRouter(orderset.Config{Topology: topology, App: app, DrawKey: key, Memory: 16, Owner: "tls", Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return errors.Join(shelf.Check(t.Context()), shelf.Close(), opens(t.Context(), &settest.Router{Router: router}, key), router.Close())
}

func apply(t *testing.T, s *settings.Settings, spec orderset.SetSpec) error {
	t.Helper()
	admin, err := schema.Connect(spec.Primary, account(t, s, "admin", s.Accounts.Admin))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	credential := func(user string) schema.Credential {
		return schema.Credential{User: user, Password: user + "'s password"}
	}
	accounts := schema.Accounts{Host: "127.0.0.1", App: credential("app"), Migrator: credential("migrator"), Audit: credential("audit"), Arbiter: credential("arbiter")}
	if err := schema.ApplySet(t.Context(), admin.DB, int(spec.Number), accounts, s.Environment, []int{0}); err != nil {
		return err
	}
	for ahead := range 2 {
		if err := schema.MakeDayTables(t.Context(), admin.DB, int(spec.Number), envelope.DayOf(time.Now()).Add(ahead).OfMonth()); err != nil {
			return err
		}
	}
	return schema.ApplyBooks(t.Context(), admin.DB, schema.BookShard{Of: 1}, accounts, s.Environment)
}

// opens sends, pays and opens an envelope, the second time on the connections of the
// lanes, whose sockets are not the runtime's.
func opens(ctx context.Context, router *settest.Router, key envelope.DrawKey) error {
	ctx, stop := context.WithCancel(ctx)
	ready := make(chan struct{})
	var minting sync.WaitGroup
	defer minting.Wait()
	defer stop()
	minting.Go(func() { router.KeepMinting(ctx, ready) })
	select {
	case <-ready:
	case <-time.After(10 * time.Second):
		return errors.New("no machine number was leased")
	}
	body, err := router.Mint(ctx)
	if err != nil {
		return err
	}
	limits, id := envelope.DefaultLimits(), body.In(0)
	order, err := limits.Check(envelope.Order{Sender: "ann", Key: string(id), Kind: envelope.Lucky, Total: 200, Count: 2, Group: "g"})
	if err != nil {
		return err
	}
	e := limits.New(order, id, key.Seed(id).Commitment(), time.Now().UTC().Truncate(time.Millisecond))
	if _, err := router.Create(ctx, envelope.Sending{Envelope: e, Key: order.Key, Hash: order.Hash()}); err != nil {
		return err
	}
	if _, err := router.Pay(ctx, envelope.Payment{OrderNo: id, TransactionID: "tx-" + string(id), Amount: 200, PaidAt: time.Now()}); err != nil {
		return err
	}
	for _, user := range []envelope.UserID{"bob", "carl"} {
		openings, err := router.Sets()[0].Open(ctx, []envelope.OpenRequest{{ID: id, User: user}})
		if err != nil || openings[0].Outcome != envelope.Opened {
			return errors.Join(err, errors.New("not opened"))
		}
	}
	return nil
}

// TestEveryAccountUsesTLS holds FS37, on a server that takes nothing else.
func TestEveryAccountUsesTLS(t *testing.T) {
	ours, other := settest.NewAuthority(t), settest.NewAuthority(t)
	d := secured(t, ours, "127.0.0.1")
	for _, c := range []struct {
		name      string
		databases settings.Databases
		want      string // in the error; empty: it serves
	}{
		{"in the clear", settings.Databases{}, "the server takes encrypted connections only"},
		{"of another authority", settings.Databases{TLS: settings.TLSVerify, CAFile: other.File}, "certificate signed by unknown authority"},
		{"of an authority that the system does not know", settings.Databases{TLS: settings.TLSVerify}, "certificate signed by unknown authority"},
		{"required", settings.Databases{TLS: settings.TLSRequired}, ""},
		{"verified", settings.Databases{TLS: settings.TLSVerify, CAFile: ours.File}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d.Databases = c.databases
			err := serves(t, d.mustLoad(t))
			if c.want != "" {
				wantRefused(t, err, c.want)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("another host's certificate", func(t *testing.T) {
		d := secured(t, ours, "db.example")
		d.Databases = settings.Databases{TLS: settings.TLSVerify, CAFile: ours.File}
		wantRefused(t, serves(t, d.mustLoad(t)), "127.0.0.1")
	})
}

// wantRefused wants the setting named, and the server as good as down for requests.
func wantRefused(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "databases.tls") || !mariadb.Unavailable(err) {
		t.Errorf("got %v, want it unavailable, with %q and databases.tls", err, want)
	}
}

// FS37: a server that does not encrypt is not used where the settings want it to.
func TestAServerWithoutEncryptionIsRefused(t *testing.T) {
	program, err := cluster.FindDatabase()
	if err != nil {
		t.Fatal(err)
	}
	off := "--skip-ssl"
	if program.MySQL {
		off = "--tls-version="
	}
	d, _ := served(t, off)
	d.Databases = settings.Databases{TLS: settings.TLSRequired}
	wantRefused(t, serves(t, d.mustLoad(t)), "does not encrypt")
}

// FS37: a DSN says what the settings say, and the server takes it.
func TestADSNIsAsEncryptedAsTheSettings(t *testing.T) {
	ours := settest.NewAuthority(t)
	_, server := served(t, ours.ServerArgs(t, "127.0.0.1")...)
	for _, c := range []struct {
		tls, suffix, want string // want is in the error; empty: it connects
		encrypted         bool
	}{{"", "/", "", false}, {settings.TLSRequired, "?tls=skip-verify", "", true}, {settings.TLSVerify, "?tls=true", "unknown authority", true}} {
		dsn := settings.Databases{TLS: c.tls}.DSN(cluster.AdminUser, "admin's password", server.Addr(), "")
		db, err := sql.Open("mysql", dsn)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		var name, cipher string
		err = db.QueryRow("SHOW STATUS LIKE 'Ssl_cipher'").Scan(&name, &cipher)
		if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) || c.want == "" && (err != nil || (cipher != "") != c.encrypted) {
			t.Errorf("%s: cipher %q, %v", dsn, cipher, err)
		}
		if !strings.HasSuffix(dsn, c.suffix) {
			t.Errorf("%s does not end in %s", dsn, c.suffix)
		}
	}
}

func TestInvalidDatabasesAreRefusedByName(t *testing.T) {
	for want, databases := range map[string]settings.Databases{
		"databases.tls":     {TLS: "yes"},
		"databases.ca_file": {TLS: settings.TLSRequired, CAFile: "ca.pem"},
	} {
		d := newDeployment(t)
		d.Databases = databases
		_, err := d.load(t)
		wantError(t, want, err, want)
	}
	d := newDeployment(t)
	d.Databases = settings.Databases{TLS: settings.TLSVerify, CAFile: "ca.pem"}
	d.write(t, "ca.pem", "no certificate")
	s := d.mustLoad(t)
	_, err := s.Account("app", s.Accounts.App)
	wantError(t, "ca_file", err, "databases.ca_file: want certificates in PEM")
}
