package simulator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	headerWaitMax  = 5 * time.Second
	requestWaitMax = 10 * time.Second
	answerWaitMax  = 15 * time.Second
	idleWaitMax    = 60 * time.Second
	headerBytesMax = 16 << 10
	shutdownMax    = 5 * time.Second
)

// Simulator is one provider. Call [Simulator.Run] once.
type Simulator struct {
	cfg       *Config
	journal   *journal
	dispatch  *dispatch
	callbacks *http.Client
	page      *page
	handler   http.Handler
}

// New opens the ledger file and reads it back. It refuses an incomplete
// configuration, and a ledger that another process has or that does not add up.
func New(cfg Config) (*Simulator, error) {
	c, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	p, err := newPage()
	if err != nil {
		return nil, err
	}
	j, err := openJournal(c.LedgerFile)
	if err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	s := &Simulator{cfg: c, journal: j, page: p, callbacks: newCallbackClient()}
	s.dispatch = newDispatch(s.deliver, c.Schedule, c.Log)
	s.handler = s.routes()
	return s, nil
}

func (s *Simulator) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /v3/pay/transactions/native", s.signed(s.native))
	mux.Handle("GET /v3/pay/transactions/out-trade-no/{no}", s.signed(s.query))
	mux.Handle("/v3/", s.signed(noSuchCall))
	mux.HandleFunc("GET /pay/{token}", s.getPay)
	mux.HandleFunc("POST /pay/{token}", s.postPay)
	mux.HandleFunc("GET /ledger", s.ledger)
	mux.HandleFunc("GET /healthz", s.healthz)
	return mux
}

// Format prints the configuration, without its keys, under every verb.
func (s *Simulator) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, s.cfg.String()) }

// Handler answers as the provider, while [Simulator.Run] runs: nothing is placed
// or paid without it.
func (s *Simulator) Handler() http.Handler { return s.handler }

// Run serves on ln and delivers notifications until ctx ends, which is nil, or
// something breaks. Notifications that an earlier life left undelivered are
// taken up first. It closes ln and the ledger file.
func (s *Simulator) Run(ctx context.Context, ln net.Listener) error {
	if err := s.resume(); err != nil {
		return err
	}
	server := s.server()
	writing, stopWriting := context.WithCancel(context.WithoutCancel(ctx))
	delivering, stopDelivering := context.WithCancel(writing)
	defer stopWriting()
	defer stopDelivering()
	delivered := make(chan struct{})

	group, running := errgroup.WithContext(ctx)
	group.Go(func() error { return s.journal.run(writing) })
	group.Go(func() error {
		defer close(delivered)
		s.dispatch.run(delivering)
		return nil
	})
	group.Go(func() error {
		if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("simulator: %w", err)
		}
		return nil
	})
	group.Go(func() error {
		<-running.Done()
		// Down in the opposite order of up: requests and notifications under way
		// still need the journal.
		shutdown(context.WithoutCancel(ctx), server)
		stopDelivering()
		<-delivered
		stopWriting()
		return nil
	})
	defer s.callbacks.CloseIdleConnections()
	return group.Wait()
}

// shutdown lets requests under way finish, up to a bound.
func shutdown(ctx context.Context, server *http.Server) {
	ctx, cancel := context.WithTimeout(ctx, shutdownMax)
	defer cancel()
	if server.Shutdown(ctx) != nil {
		_ = server.Close() // they had their time
	}
}

// resume queues the notifications that an earlier life left undelivered.
func (s *Simulator) resume() error {
	for from := 0; ; {
		orders, err := s.journal.book.page(from, ledgerPageMax)
		if err != nil {
			return err
		}
		for i := range orders {
			if !orders[i].paidAt.IsZero() && !orders[i].notified {
				s.dispatch.notify(orders[i].no)
			}
		}
		if from += len(orders); len(orders) < ledgerPageMax {
			return nil
		}
	}
}

func (s *Simulator) server() *http.Server {
	return &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: headerWaitMax,
		ReadTimeout:       requestWaitMax,
		WriteTimeout:      answerWaitMax,
		IdleTimeout:       idleWaitMax,
		MaxHeaderBytes:    headerBytesMax,
		ErrorLog:          slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelDebug),
	}
}
