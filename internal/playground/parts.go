package playground

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"

	"golang.org/x/sync/errgroup"

	"hongbao/internal/cluster"
	"hongbao/internal/provision"
	"hongbao/orderset"
	"hongbao/schema"
)

func (p *Playground) startDatabases(ctx context.Context) error {
	p.sets = make([]*cluster.MariaDB, p.shape.Sets)
	g, ctx := errgroup.WithContext(ctx)
	for i := range p.shape.Sets {
		g.Go(func() error { return p.startSet(ctx, i) })
	}
	g.Go(func() error { return p.startBooks(ctx) })
	return g.Wait()
}

func (p *Playground) startSet(ctx context.Context, set int) error {
	return p.startDatabase(ctx, &p.sets[set], cluster.MariaDBConfig{
		Name: setName(set), Port: p.shape.databasePort(set), ServerID: uint32(set + 1),
	})
}

func (p *Playground) startBooks(ctx context.Context) error {
	return p.startDatabase(ctx, &p.books, cluster.MariaDBConfig{Name: "books", Port: p.shape.BooksPort, ServerID: booksServerID})
}

// startDatabase keeps what was there until there is something else.
func (p *Playground) startDatabase(ctx context.Context, at **cluster.MariaDB, cfg cluster.MariaDBConfig) error {
	admin, err := p.settings.Account("admin", p.settings.Accounts.Admin)
	if err != nil {
		return err
	}
	cfg.Dir, cfg.AdminPassword, cfg.BufferPoolMiB = p.path(cfg.Name), admin.Password, 256
	db, err := cluster.StartMariaDB(ctx, cfg)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	*at = db
	return nil
}

// booksServerID is apart from the SETs' servers, which count from 1.
const booksServerID = 1000

func (p *Playground) startMemcached(ctx context.Context) error {
	m, err := cluster.StartMemcached(ctx, cluster.MemcachedConfig{Name: "memcached", Dir: p.path("memcached"), Port: p.shape.MemcachedPort})
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.memcached = m
	return nil
}

func (p *Playground) applySchema(ctx context.Context) error {
	err := provision.EachSet(p.settings, func(spec orderset.SetSpec, db *schema.Server) error {
		return provision.ApplySet(ctx, p.settings, spec, db)
	})
	if err != nil {
		return err
	}
	err = provision.EachShard(p.settings, func(shard schema.BookShard, db *schema.Server) error {
		return provision.ApplyBooks(ctx, p.settings, shard, db)
	})
	if err != nil {
		return err
	}
	return p.checkSchema(ctx)
}

// checkSchema refuses the databases of another version of these programs. Apply
// makes what is missing and changes no table that is there.
func (p *Playground) checkSchema(ctx context.Context) error {
	found, err := provision.Differences(ctx, p.settings)
	if err != nil || len(found) == 0 {
		return err
	}
	first := slices.Sorted(maps.Keys(found))[0]
	return fmt.Errorf("%s was made by another version of this program (%v): remove the directory, or start another in another directory", p.cfg.Dir, found[first][0])
}

func (p *Playground) startSimulator(ctx context.Context) error {
	proc, err := cluster.Start(cluster.Command{
		Name: "paysim", Path: p.cfg.Program, Env: p.cfg.env(), LogFile: p.path("paysim.log"),
		Args: []string{"payment-simulator", "--listen", Loopback(p.shape.SimulatorPort), "--keys", p.path("keys"), "--dir", p.path("paysim"),
			"--transfer-min", fmt.Sprint(int64(p.settings.Bounds().ShareMin)),
			"--payout-account", cmp.Or(p.settings.Payment.BillAccount, "BASIC")},
	})
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.simulator = proc
	p.mu.Unlock()
	return AwaitReady(ctx, proc, "http://"+Loopback(p.shape.SimulatorPort)+"/healthz")
}

func (p *Playground) startReceiver(ctx context.Context) error {
	proc, err := cluster.Start(cluster.Command{
		Name: "events", Path: p.cfg.Program, Env: p.cfg.env(), LogFile: p.path("events.log"),
		Args: []string{"event-receiver", "--listen", Loopback(p.shape.EventsPort), "--secret-file", p.path("keys", eventSecretName)},
	})
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.receiver = proc
	p.mu.Unlock()
	return AwaitReady(ctx, proc, "http://"+Loopback(p.shape.EventsPort)+"/events")
}

func (p *Playground) startDaemon(ctx context.Context) error {
	proc, err := cluster.Start(cluster.Command{
		Name: "hongbaod", Path: p.cfg.Daemon, Env: p.cfg.env(), LogFile: p.path("hongbaod.log"),
		Args: []string{"serve", "--config", p.path(SettingsName)},
	})
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.daemon = proc
	p.mu.Unlock()
	return AwaitReady(ctx, proc, "http://"+Loopback(p.shape.OperatorPort)+"/readyz")
}

// Loopback is the address of a port of this machine that no other reaches.
func Loopback(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }

// database is a running mariadbd and what it is for.
type database struct {
	of string
	*cluster.MariaDB
}

// databases are all that have been started.
func (p *Playground) databases() (started []database) {
	for i, db := range p.sets {
		if db != nil {
			started = append(started, database{fmt.Sprintf("SET %03d", i), db})
		}
	}
	if p.books != nil {
		started = append(started, database{"users' books", p.books})
	}
	return started
}

// stop ends everything in the order in which it was needed, last first.
func (p *Playground) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), StopMax)
	defer cancel()
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, proc := range []*cluster.Process{p.daemon, p.simulator, p.receiver} {
		if proc != nil && !ended(proc) {
			errs = append(errs, proc.Stop(ctx))
		}
	}
	if p.memcached != nil && !ended(p.memcached.Process) {
		errs = append(errs, p.memcached.Stop(ctx))
	}
	var wg sync.WaitGroup
	databases := p.databases()
	stopped := make([]error, len(databases))
	for i, db := range databases {
		if !ended(db.Process) {
			wg.Go(func() { stopped[i] = db.Stop(ctx) })
		}
	}
	wg.Wait()
	p.say("stopped; the data stays in %s", p.cfg.Dir)
	return errors.Join(append(errs, stopped...)...)
}
