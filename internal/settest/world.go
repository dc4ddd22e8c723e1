package settest

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hongbao/envelope"
	"hongbao/internal/books"
	"hongbao/internal/cluster"
	"hongbao/orderset"
	"hongbao/orderset/audit"
	"hongbao/reconcile"
	"hongbao/schema"
)

// World is some SETs of a test's own, with a router on them.
type World struct {
	Specs    []orderset.SetSpec
	Topology orderset.Topology
	DrawKey  envelope.DrawKey
	App      orderset.Account
	Router   *Router
	Proxies  []*Proxy // in front of each SET's database; passing unless told

	servers []*cluster.MariaDB // by SET
	serial  atomic.Int64
}

// World makes n SETs, each behind a proxy, with the tables of yesterday, today
// and tomorrow. When the test ends their books are audited.
func (s *Servers) World(t testing.TB, n int) *World {
	t.Helper()
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	key, err := envelope.NewDrawKey([]byte("settest draw key, 32 bytes long."))
	if err != nil {
		t.Fatal(err)
	}
	app := accounts().App
	w := &World{DrawKey: key, App: orderset.Account{User: app.User, Password: app.Password}}
	for i := range n {
		number := envelope.SetNumber(s.nextSet.Add(1) - 1)
		server := s.servers[i%serverCount]
		makeSet(t, server, number, i)
		proxy := NewProxy(t, server.Addr())
		w.servers = append(w.servers, server)
		w.Proxies = append(w.Proxies, proxy)
		w.Specs = append(w.Specs, orderset.SetSpec{Number: number, Primary: proxy.Addr(), Minting: true, MachineBlock: i})
	}
	if w.Topology, err = orderset.NewTopology(w.Specs); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.CheckBooks(t) })
	w.Router = w.NewRouter(t)
	return w
}

func makeSet(t testing.TB, server *cluster.MariaDB, number envelope.SetNumber, block int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startMax)
	defer cancel()
	db, err := sql.Open("mysql", server.AdminDSN(""))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var machines []int
	for i := range orderset.MachineBlockSize {
		machines = append(machines, block*orderset.MachineBlockSize+i)
	}
	if err := schema.ApplySet(ctx, db, int(number), accounts(), "drill", machines); err != nil {
		t.Fatal(err)
	}
	today := envelope.DayOf(time.Now())
	for ahead := -1; ahead <= 1; ahead++ {
		if err := schema.MakeDayTables(ctx, db, int(number), today.Add(ahead).OfMonth()); err != nil {
			t.Fatal(err)
		}
	}
}

// Books is a shard of users' books of its own behind a proxy, on the last SET's
// server. Worlds share it, so senders tell them apart.
func (w *World) Books(t testing.TB) (*books.Books, *Proxy) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startMax)
	defer cancel()
	server := w.servers[len(w.servers)-1]
	db, err := sql.Open("mysql", server.AdminDSN(""))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := schema.ApplyBooks(ctx, db, schema.BookShard{Number: 0, Of: 1}, accounts(), "drill"); err != nil {
		t.Fatal(err)
	}
	proxy := NewProxy(t, server.Addr())
	b, err := books.Open(books.Config{Shards: []books.Shard{{Addr: proxy.Addr()}}, App: books.Account(w.App)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b, proxy
}

// NewRouter is another order server on the same SETs, minting until the test
// ends.
func (w *World) NewRouter(t testing.TB) *Router {
	t.Helper()
	r, err := orderset.NewRouter(orderset.Config{
		Topology: w.Topology, App: w.App, DrawKey: w.DrawKey, Memory: 1024, Owner: fmt.Sprintf("%s/%d", t.Name(), w.serial.Add(1)),
		Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ready := make(chan struct{})
	var minting sync.WaitGroup
	minting.Go(func() { r.KeepMinting(ctx, ready) })
	t.Cleanup(func() {
		stop()
		minting.Wait()
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	select {
	case <-ready:
	case <-time.After(startMax):
		t.Fatal("no machine number was leased")
	}
	return &Router{r}
}

// CheckBooks audits every SET, each amount recomputed from the draw key, and
// fails the test at any violation.
func (w *World) CheckBooks(t testing.TB) (all []*audit.Books) {
	t.Helper()
	driver := reconcile.Driver{Looks: 1}
	for i := range w.Specs {
		a := w.auditor(t, i)
		defer a.Close()
		driver.Sources = append(driver.Sources, sourceOf(a, func(b *audit.Books) { all = append(all, b) }))
	}
	run(t, driver)
	return all
}

// Audit is CheckBooks for tests that plant damage: it only reports.
func (w *World) Audit(t testing.TB) (all []*audit.Books) {
	t.Helper()
	for i := range w.Specs {
		a := w.auditor(t, i)
		books, err := a.Audit(context.Background())
		a.Close()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, books)
	}
	return all
}

func (w *World) auditor(t testing.TB, set int) *audit.Auditor {
	t.Helper()
	reader := accounts().Audit
	a, err := audit.OpenDSN(w.servers[set].DSN(reader.User, reader.Password, schema.DatabaseName(int(w.Specs[set].Number))), w.DrawKey)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Active sends and pays one envelope in a SET of the world.
func (w *World) Active(t testing.TB, set int, o envelope.Order) envelope.Envelope {
	t.Helper()
	e := w.Unpaid(t, set, o)
	paid, err := w.Router.Pay(context.Background(), envelope.Payment{
		OrderNo: e.ID, TransactionID: fmt.Sprintf("tx%x", sha256.Sum256([]byte(e.ID)))[:32], Amount: e.Total, PaidAt: time.Now(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return paid
}

// Unpaid sends one envelope in a SET of the world. Fields of the order that
// are zero get ordinary values.
func (w *World) Unpaid(t testing.TB, set int, o envelope.Order) envelope.Envelope {
	t.Helper()
	s := w.Sending(t, set, o)
	r, err := w.Router.Create(context.Background(), s)
	if err != nil {
		t.Fatal(err)
	}
	if r.ID != s.Envelope.ID {
		t.Fatalf("key %s of %s has made %s before", s.Key, s.Envelope.Sender, r.ID)
	}
	return s.Envelope
}

// Sending is an order, completed and minted, that has not been created yet.
func (w *World) Sending(t testing.TB, set int, o envelope.Order) envelope.Sending {
	t.Helper()
	if o.Sender == "" {
		o.Sender = "sender"
	}
	if o.Key == "" {
		o.Key = fmt.Sprintf("key-%d", w.serial.Add(1))
	}
	if o.Kind == "" {
		o.Kind = envelope.Lucky
	}
	if o.Group == "" {
		o.Group = "group"
	}
	limits := envelope.DefaultLimits()
	limits.CountMax = 500
	o, err := limits.Check(o)
	if err != nil {
		t.Fatal(err)
	}
	body, err := w.Router.Mint(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	id := body.In(w.Specs[set].Number)
	e := limits.New(o, id, w.DrawKey.Seed(id).Commitment(), time.Now().UTC().Truncate(time.Millisecond))
	return envelope.Sending{Envelope: e, Key: o.Key, Hash: o.Hash()}
}
