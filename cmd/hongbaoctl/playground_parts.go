package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"hongbao/internal/cluster"
	"hongbao/internal/settings"
	"hongbao/orderset"
	"hongbao/schema"
)

const (
	readyMax   = 30 * time.Second
	readyEvery = 50 * time.Millisecond
)

// playground runs the parts of one local deployment.
type playground struct {
	cmd      playgroundUpCmd
	say      *narrator
	last     up // how it was started before
	settings *settings.Settings

	mu        sync.Mutex // guards the parts, which supervise restarts
	sets      []*cluster.MariaDB
	books     *cluster.MariaDB
	memcached *cluster.Memcached
	simulator *cluster.Process
	receiver  *cluster.Process // of events
	daemon    *cluster.Process
}

func (p *playground) path(parts ...string) string {
	return filepath.Join(append([]string{p.cmd.Dir}, parts...)...)
}

// start brings everything up in the order of need. On an error the caller stops
// what did start.
func (p *playground) start(ctx context.Context) error {
	for _, port := range p.cmd.ports() {
		if err := cluster.CheckPort(port.port); err != nil {
			return fmt.Errorf("%w (or choose another with --%s)", err, port.flag)
		}
	}
	p.say.say("playground in %s", p.cmd.Dir)
	steps := []struct {
		what string
		do   func() error
	}{
		{"settings and keys", p.writeSettings},
		{fmt.Sprintf("%d mariadbd (one primary a SET, one for users' books)", p.cmd.Sets+1), func() error { return p.startDatabases(ctx) }},
		{"memcached", func() error { return p.startMemcached(ctx) }},
		{"databases, accounts, day tables", func() error { return p.applySchema(ctx) }},
		{"payment simulator", func() error { return p.startSimulator(ctx) }},
		{"receiver of events", func() error { return p.startReceiver(ctx) }},
		{"hongbaod", func() error { return p.startDaemon(ctx) }},
		{reportName, p.writeReport},
	}
	for _, s := range steps {
		if err := p.say.step(s.what, s.do); err != nil {
			return err
		}
	}
	return nil
}

func (p *playground) startDatabases(ctx context.Context) error {
	p.sets = make([]*cluster.MariaDB, p.cmd.Sets)
	g, ctx := errgroup.WithContext(ctx)
	for i := range p.cmd.Sets {
		g.Go(func() error { return p.startSet(ctx, i) })
	}
	g.Go(func() error { return p.startBooks(ctx) })
	return g.Wait()
}

func (p *playground) startSet(ctx context.Context, set int) error {
	return p.startDatabase(ctx, &p.sets[set], cluster.MariaDBConfig{
		Name: setName(set), Port: p.cmd.databasePort(set), ServerID: uint32(set + 1),
	})
}

func (p *playground) startBooks(ctx context.Context) error {
	return p.startDatabase(ctx, &p.books, cluster.MariaDBConfig{Name: "books", Port: p.cmd.BooksPort, ServerID: booksServerID})
}

// startDatabase keeps what was there until there is something else.
func (p *playground) startDatabase(ctx context.Context, at **cluster.MariaDB, cfg cluster.MariaDBConfig) error {
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

func (p *playground) startMemcached(ctx context.Context) error {
	m, err := cluster.StartMemcached(ctx, cluster.MemcachedConfig{Name: "memcached", Dir: p.path("memcached"), Port: p.cmd.MemcachedPort})
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.memcached = m
	return nil
}

func (p *playground) applySchema(ctx context.Context) error {
	err := eachSet(p.settings, func(spec orderset.SetSpec, db *schema.Server) error {
		return applySet(ctx, p.settings, spec, db)
	})
	if err != nil {
		return err
	}
	err = eachShard(p.settings, func(shard schema.BookShard, db *schema.Server) error {
		return applyBooks(ctx, p.settings, shard, db)
	})
	if err != nil {
		return err
	}
	return p.checkSchema(ctx)
}

// checkSchema refuses the databases of another version of these programs. Apply
// makes what is missing and changes no table that is there.
func (p *playground) checkSchema(ctx context.Context) error {
	found, err := differences(ctx, p.settings)
	if err != nil || len(found) == 0 {
		return err
	}
	first := slices.Sorted(maps.Keys(found))[0]
	return fmt.Errorf("%s was made by another version of this program (%v): remove the directory, or start another with --dir", p.cmd.Dir, found[first][0])
}

func (p *playground) startSimulator(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	proc, err := cluster.Start(cluster.Command{
		Name: "paysim", Path: self, LogFile: p.path("paysim.log"),
		Args: []string{"payment-simulator", "--listen", loopback(p.cmd.SimulatorPort), "--keys", p.path("keys"), "--dir", p.path("paysim"),
			"--transfer-min", fmt.Sprint(int64(p.settings.Bounds().ShareMin)),
			"--payout-account", cmp.Or(p.settings.Payment.BillAccount, "BASIC")},
	})
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.simulator = proc
	p.mu.Unlock()
	return waitReady(ctx, proc, "http://"+loopback(p.cmd.SimulatorPort)+"/healthz")
}

func (p *playground) startReceiver(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	proc, err := cluster.Start(cluster.Command{
		Name: "events", Path: self, LogFile: p.path("events.log"),
		Args: []string{"event-receiver", "--listen", loopback(p.cmd.EventsPort), "--secret-file", p.path("keys", eventSecretName)},
	})
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.receiver = proc
	p.mu.Unlock()
	return waitReady(ctx, proc, "http://"+loopback(p.cmd.EventsPort)+"/events")
}

func (p *playground) startDaemon(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	proc, err := cluster.Start(cluster.Command{
		Name: "hongbaod", Path: filepath.Join(filepath.Dir(self), "hongbaod"), LogFile: p.path("hongbaod.log"),
		Args: []string{"serve", "--config", p.path(configName)},
	})
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.daemon = proc
	p.mu.Unlock()
	return waitReady(ctx, proc, "http://"+loopback(p.cmd.OperatorPort)+"/readyz")
}

func loopback(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }

// waitReady polls url until it answers 200, the process ends or readyMax is over.
func waitReady(ctx context.Context, proc *cluster.Process, url string) error {
	ctx, cancel := context.WithTimeout(ctx, readyMax)
	defer cancel()
	tick := time.NewTicker(readyEvery)
	defer tick.Stop()
	for {
		last := askReady(ctx, url)
		if last == nil {
			return nil
		}
		select {
		case <-proc.Done():
			return errors.Join(errors.New("ended before it was ready"), proc.Err())
		case <-ctx.Done():
			return fmt.Errorf("not ready within %v: %w", readyMax, last)
		case <-tick.C:
		}
	}
}

func askReady(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, res.Status)
	}
	return nil
}

func ended(proc *cluster.Process) bool {
	if proc == nil {
		return true
	}
	select {
	case <-proc.Done():
		return true
	default:
		return false
	}
}

// database is a running mariadbd and what it is for.
type database struct {
	of string
	*cluster.MariaDB
}

// databases are all that have been started.
func (p *playground) databases() (started []database) {
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
func (p *playground) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopMax)
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
	p.say.say("stopped; the data stays in %s", p.cmd.Dir)
	return errors.Join(append(errs, stopped...)...)
}
