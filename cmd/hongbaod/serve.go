package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"hongbao/envelope"
	"hongbao/internal/books"
	"hongbao/internal/httpapi"
	"hongbao/internal/keyring"
	"hongbao/internal/mariadb"
	"hongbao/internal/operator"
	"hongbao/internal/orderserver"
	"hongbao/internal/sets"
	"hongbao/internal/settings"
	"hongbao/internal/worker"
	"hongbao/orderset"
)

// lanesDrainMax is how long admitted openers may take after the listeners have closed.
const lanesDrainMax = 10 * time.Second

type serveCmd struct {
	Config string `help:"The settings file." default:"hongbao.yaml" env:"HONGBAO_CONFIG" type:"path"`
	Role   string `help:"Which parts to run." default:"all" enum:"all"`
	Mode   string `help:"How opens reach the database; fifo and plain are for measuring group against." name:"open-mode" default:"group" enum:"group,fifo,plain" env:"HONGBAO_OPEN_MODE"`
}

// gcPercent trades memory for speed: at some 10 KB of garbage an open, the
// default collects every few hundred opens. GOGC and GOMEMLIMIT override it.
const gcPercent = 400

// processors is how many threads may run Go code at once. The lanes' sockets
// block theirs (orderset/dial.go), and a blocked one is given up only a moment
// later; as many again as there are lanes, up to twice the CPUs, keep the others
// served. GOMAXPROCS overrides it.
func processors(lanes int) int {
	cpus := runtime.NumCPU()
	return cpus + min(lanes, 2*cpus)
}

// Run serves until ctx ends, then stops in the order in which things are needed:
// listeners, lanes, jobs, the machine number, the databases.
func (s serveCmd) Run(ctx context.Context) error {
	conf, err := settings.Load(s.Config)
	if err != nil {
		return err
	}
	level := &slog.LevelVar{}
	log := settings.NewLogger(os.Stderr, conf.Log.Format, level)
	hangups := make(chan os.Signal, 1) // asked for early: a signal while we start must not kill
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	if err := conf.SetLevel(level); err != nil {
		return err
	}
	for _, warning := range conf.Warnings() {
		log.Warn("settings", "warning", warning)
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	public, operators, err := listen(conf.Listen)
	if err != nil {
		return err
	}
	d, err := assemble(conf, orderserver.Mode(s.Mode), log)
	if err != nil {
		return err
	}
	defer d.close()
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(processors(orderserver.GroupLanes * len(d.router.Sets())))
	}
	if d.keys.OperatorTLS != nil {
		operators = tls.NewListener(operators, d.keys.OperatorTLS)
	}
	if err := d.trust(ctx); err != nil {
		return err
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	running.Go(func() { d.router.KeepMinting(background, nil) })
	d.sets.Start()
	reload := &reloader{file: s.Config, conf: conf, keys: d.keys, level: level, log: log}
	running.Go(func() { reload.run(background, hangups) })
	log.Info("serving", "public", conf.Listen.Public, "operator", conf.Listen.Operator, "environment", conf.Environment)
	err = httpapi.Serve(ctx, httpapi.ServerConfig{
		API: d.api, Public: public, Operator: operators, OperatorHandler: d.ops,
		ConnectionsMax: conf.Listen.ConnectionsMax, ConnectionsPerAddressMax: conf.Listen.ConnectionsPerAddressMax,
		DrainNotice: conf.Listen.Notice(), IdleMax: conf.Listen.IdleTime(),
	})
	drain, cancel := context.WithTimeout(background, lanesDrainMax)
	defer cancel()
	err = errors.Join(err, d.sets.Close(drain))
	stop()
	running.Wait()
	log.Info("stopped")
	return err
}

func listen(l settings.Listen) (public, operator net.Listener, err error) {
	if public, err = net.Listen("tcp", l.Public); err != nil {
		return nil, nil, fmt.Errorf("listen.public: %w", err)
	}
	if operator, err = net.Listen("tcp", l.Operator); err != nil {
		public.Close()
		return nil, nil, fmt.Errorf("listen.operator: %w", err)
	}
	return public, operator, nil
}

// daemon is every part of hongbaod, tied together.
type daemon struct {
	log     *slog.Logger
	conf    *settings.Settings
	mode    orderserver.Mode
	keys    *keyring.Keyring
	metrics *prometheus.Registry // of the process; a SET's are with its unit
	books   *books.Books
	router  *orderset.Router
	sets    *sets.Registry
	api     *httpapi.API
	ops     *operator.API
}

// assemble ties the parts together. It opens connections and makes no call: what
// the databases are is for trust to say.
func assemble(conf *settings.Settings, mode orderserver.Mode, log *slog.Logger) (*daemon, error) {
	keys, err := keyring.Read(conf)
	d := &daemon{log: log, conf: conf, mode: mode, keys: keys, metrics: prometheus.NewRegistry()}
	if err == nil {
		err = d.build()
	}
	if err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

func (d *daemon) build() (err error) {
	if d.books, err = d.keys.OpenBooks(d.conf); err != nil {
		return err
	}
	if err := d.addSets(); err != nil {
		return err
	}
	teller, err := envelope.NewTeller(envelope.TellerConfig{
		Placement: d.sets, Provider: d.keys.Provider, DrawKey: d.keys.Draw, Tickets: d.keys.Tickets,
		Limits: d.conf.Bounds(), Now: time.Now,
	})
	if err != nil {
		return err
	}
	return errors.Join(d.addAPI(teller), d.register())
}

// addSets opens the SETs and makes what serves each.
func (d *daemon) addSets() error {
	topology, err := d.conf.Topology()
	if err != nil {
		return err
	}
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	owner := fmt.Sprintf("%.20s/%d/%d", host, os.Getpid(), time.Now().UnixNano())
	d.router, err = orderset.NewRouter(orderset.Config{
		Topology: topology, App: d.keys.App, DrawKey: d.keys.Draw, Memory: d.mode.Memory(), Owner: owner,
		BatchPayouts: d.conf.Payment.InBatches(), Witness: d.books, Now: time.Now, Log: d.log,
	})
	if err != nil {
		return err
	}
	d.sets, err = sets.New(sets.Config{
		Router: d.router, Mode: d.mode, Owner: owner, DrawKey: d.keys.Draw, Migrator: d.keys.Migrator,
		Worker: worker.Config{
			Cashier: d.keys.Provider, Bookkeeper: d.books, Events: d.keys.Events(), Gone: d.keys.Gone,
			PayWithin: d.conf.Bounds().PayWithin, ReturnAfter: d.conf.Payment.ReturnAfter(), Now: time.Now,
		},
		Log: d.log,
	})
	return err
}

// register adds the metrics of what is the process's own.
func (d *daemon) register() error {
	d.metrics.MustRegister(buildInfo(), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	err := errors.Join(d.books.Register(d.metrics), d.router.Register(d.metrics), d.metrics.Register(d.keys.Provider))
	if d.keys.Sender != nil {
		err = errors.Join(err, d.metrics.Register(d.keys.Sender))
	}
	return err
}

func (d *daemon) addAPI(teller *envelope.Teller) (err error) {
	notices := &worker.NoticeRouter{Parse: d.keys.Provider.ParseNotice, Paid: teller.Paid, Worker: d.sets.Worker}
	d.api, err = httpapi.New(httpapi.Config{
		Teller: teller, Books: d.books, Auth: d.keys.Auth, Echo: echo(d.conf, d.keys.Tickets),
		Notified: notices.Route, Refused: refusedNotice,
		Metrics: d.metrics, Log: d.log, Now: time.Now,
	})
	if err != nil {
		return err
	}
	d.ops, err = d.operator()
	return err
}

// trust refuses to serve on databases whose settings make our promises untrue.
// One that does not answer is no reason: a SET fails alone.
func (d *daemon) trust(ctx context.Context) error {
	var mistakes []error
	for _, set := range d.router.Sets() {
		err := set.CheckSettings(ctx)
		if _, down := errors.AsType[*envelope.BusyError](err); down {
			d.log.Error("a SET does not answer; serving the others", "set", set.Number(), "error", err)
			continue
		}
		mistakes = append(mistakes, err)
	}
	mistakes = append(mistakes, d.router.CheckKnown(ctx))
	err := d.books.Check(ctx)
	if _, unfit := errors.AsType[*mariadb.UnfitError](err); err != nil && !unfit {
		d.log.Error("users' books do not answer; they follow later", "error", err)
		err = nil
	}
	return errors.Join(append(mistakes, err)...)
}

func (d *daemon) close() {
	if d.sets != nil {
		_ = d.sets.Close(context.Background()) // closed already, or not yet started
	}
	d.keys.Close()
	if d.books != nil {
		d.books.Close()
	}
	if d.router != nil {
		d.router.Close()
	}
}
