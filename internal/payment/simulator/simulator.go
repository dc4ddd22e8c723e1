package simulator

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"hongbao/internal/payment/simulator/certificate"
	"hongbao/internal/payment/simulator/dispatch"
	"hongbao/internal/payment/simulator/ledger"
	"hongbao/internal/payment/simulator/lies"
	"hongbao/internal/payment/simulator/statement"
	"hongbao/internal/payment/simulator/wire"
)

const (
	headerWaitMax  = 5 * time.Second
	requestWaitMax = 10 * time.Second
	answerWaitMax  = 15 * time.Second
	idleWaitMax    = 60 * time.Second
	// moversMax bounds the refunds and payouts being carried out at once. They wait
	// for the disk together, so it is also how many share an fsync.
	moversMax      = 128
	headerBytesMax = 16 << 10
	shutdownMax    = 5 * time.Second
)

// Simulator is one provider. Call [Simulator.Run] once.
type Simulator struct {
	cfg        *Config
	rules      wire.Rules // for requests
	statements statement.Writer
	journal    *ledger.Journal
	moves      *dispatch.Agenda   // refunds, payouts and what is executed later
	dispatch   *dispatch.Dispatch // notifications
	copies     sync.WaitGroup     // of notifications: lies
	callbacks  *http.Client
	pages      *pages
	handler    http.Handler

	certificate *certificate.Certificate
	certified   atomic.Bool // certificates were asked for

	liar          *lies.Liar
	afterthoughts atomic.Int64  // calls that wait to be executed later
	stopping      chan struct{} // closed when silence has to end
}

// New opens the ledger file and reads it back. It refuses an incomplete
// configuration, and a ledger that another process has or that does not add up.
func New(cfg Config) (*Simulator, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	c := &cfg
	p, err := newPages()
	if err != nil {
		return nil, err
	}
	cert, err := certificate.New(c.PlatformKey, c.Now())
	if err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	c.PlatformSerial = cmp.Or(c.PlatformSerial, cert.Serial)
	j, err := ledger.Open(c.LedgerFile)
	if err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	s := &Simulator{
		cfg: c, journal: j, moves: dispatch.NewAgenda(moversMax), pages: p, callbacks: newCallbackClient(),
		liar: lies.New(), certificate: cert, stopping: make(chan struct{}),
	}
	s.statements = statement.Writer{Book: j.Book, MerchantID: c.MerchantID, AppID: c.AppID}
	s.rules = wire.Rules{MerchantID: c.MerchantID, AppID: c.AppID, TransferMinFen: c.TransferMinFen, PlatformKey: c.PlatformKey, Now: c.Now}
	s.dispatch = dispatch.New(s.deliver, c.Schedule, c.Log)
	s.handler = numbered(s.routes())
	return s, nil
}

func (s *Simulator) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /v3/pay/transactions/native", s.signed(s.native))
	mux.Handle("GET /v3/certificates", s.signed(s.certificates))
	mux.Handle("GET /v3/pay/transactions/id/{id}", s.signed(s.queryTransaction))
	mux.Handle("GET /v3/pay/transactions/out-trade-no/{no}", s.signed(s.query))
	mux.Handle("POST /v3/pay/transactions/out-trade-no/{no}/close", s.signed(s.close))
	mux.Handle("POST /v3/refund/domestic/refunds", s.signed(s.refund))
	mux.Handle("GET /v3/refund/domestic/refunds/{no}", s.signed(s.queryRefund))
	mux.Handle("POST /v3/fund-app/mch-transfer/transfer-bills", s.signed(s.transfer))
	mux.Handle("GET /v3/fund-app/mch-transfer/transfer-bills/out-bill-no/{no}", s.signed(s.queryTransfer))
	mux.Handle("GET /v3/fund-app/mch-transfer/transfer-bills/transfer-bill-no/{id}", s.signed(s.queryBill))
	mux.Handle("POST /v3/fund-app/mch-transfer/transfer-bills/out-bill-no/{no}/cancel", s.signed(s.cancelTransfer))
	mux.Handle("POST /v3/transfer/batches", s.signedUpTo(ledger.BatchBytesMax, s.payOutBatch))
	mux.Handle("GET /v3/transfer/batches/out-batch-no/{no}", s.signed(s.queryBatch))
	mux.Handle("GET /v3/transfer/batches/batch-id/{id}", s.signed(s.queryBatchID))
	mux.Handle("GET /v3/transfer/batches/batch-id/{id}/details/detail-id/{detail}", s.signed(s.queryDetailID))
	mux.Handle("GET /v3/transfer/batches/out-batch-no/{no}/details/out-detail-no/{detail}", s.signed(s.queryDetail))
	mux.Handle("GET /v3/bill/tradebill", s.signed(s.tradeBill))
	mux.Handle("GET /v3/bill/fundflowbill", s.signed(s.fundFlowBill))
	mux.HandleFunc("GET "+downloadPath, s.download)
	mux.Handle("/v3/", s.signed(noSuchCall))
	mux.HandleFunc("GET /pay/{token}", s.getPay)
	mux.HandleFunc("POST /pay/{token}", s.postPay)
	mux.HandleFunc("GET /confirm/{token}", s.getConfirm)
	mux.HandleFunc("POST /confirm/{token}", s.postConfirm)
	mux.Handle("GET /simulator/ledger", loopbackOnly(s.getMovements))
	mux.Handle("GET /simulator/totals", loopbackOnly(s.getTotals))
	mux.Handle("POST /simulator/refunds/{no}/finish", loopbackOnly(s.postFinish))
	mux.Handle("GET /simulator/lies", loopbackOnly(s.getLies))
	mux.Handle("PUT /simulator/lies", loopbackOnly(s.putLies))
	mux.Handle("DELETE /simulator/lies", loopbackOnly(s.deleteLies))
	mux.HandleFunc("GET /ledger", s.ledger)
	mux.HandleFunc("GET /healthz", s.healthz)
	return mux
}

// Format prints the configuration, without its keys, under every verb.
func (s *Simulator) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, s.cfg.String()) }

// headerRequestID is what the provider's support asks for.
const headerRequestID = "Request-ID"

// numbered gives every answer a number of its own.
func numbered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(headerRequestID, rand.Text())
		next.ServeHTTP(w, r)
	})
}

// Handler answers as the provider, while [Simulator.Run] runs: nothing is placed
// or paid without it.
func (s *Simulator) Handler() http.Handler { return s.handler }

// loopbackOnly hides what is unsigned from other machines.
func loopbackOnly(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from, err := netip.ParseAddrPort(r.RemoteAddr)
		if err != nil || !from.Addr().Unmap().IsLoopback() {
			http.NotFound(w, r)
			return
		}
		next(w, r)
	})
}

// Run serves on ln, moves money and delivers notifications until ctx ends, which
// is nil, or something breaks. What an earlier life left under way is taken up
// first. It closes ln and the ledger file.
func (s *Simulator) Run(ctx context.Context, ln net.Listener) error {
	s.resume()
	server := s.server()
	writing, stopWriting := context.WithCancel(context.WithoutCancel(ctx))
	moving, stopMoving := context.WithCancel(writing)
	delivering, stopDelivering := context.WithCancel(writing)
	defer stopWriting()
	defer stopDelivering()
	defer stopMoving()
	moved, delivered := make(chan struct{}), make(chan struct{})

	group, running := errgroup.WithContext(ctx)
	group.Go(func() error { return s.journal.Run(writing) })
	group.Go(func() error {
		defer close(moved)
		s.moves.Run(moving)
		return nil
	})
	group.Go(func() error {
		defer close(delivered)
		s.dispatch.Run(delivering)
		s.copies.Wait()
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
		// Down in the opposite order of up: each of them needs those after it.
		close(s.stopping)
		shutdown(context.WithoutCancel(ctx), server)
		stopMoving()
		<-moved
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
