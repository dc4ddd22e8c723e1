package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"hongbao/internal/httpapi/intake"
)

// HeaderBytesMax bounds a request's line and headers; net/http adds 4 KiB of
// slack and answers 431 beyond.
const HeaderBytesMax = 8 << 10

// DefaultConnectionsMax bounds the public connections where nothing else is set.
const DefaultConnectionsMax = 10_000

// operatorAnswerMax leaves room for a profile of a minute.
const operatorAnswerMax = 2 * time.Minute

// ServerConfig is how the API is put on the wire. A bound left zero gets its
// default; the rest is required.
type ServerConfig struct {
	API      *API
	Public   net.Listener // Serve closes both
	Operator net.Listener
	// OperatorHandler answers on the operator's listener.
	OperatorHandler http.Handler

	ConnectionsMax int // public connections; more wait in the backlog. 10000
	// ConnectionsPerAddressMax is how many of them one client address may have (of
	// IPv6, a /64); more are closed at once. A proxy is one address. Half of all
	ConnectionsPerAddressMax int

	ReadingMax    int           // requests being read at once; more wait in the kernel. 64
	ReadHeaderMax time.Duration // from a request's first byte to its last header. 2 s
	ReadMax       time.Duration // to the last byte of its body. 5 s
	WriteMax      time.Duration // from the headers to the end of the answer. 10 s
	IdleMax       time.Duration // a connection without a request, a new one too. 60 s
	// DrainNotice is how long the API still takes requests after it has stopped
	// being ready: answers say "Connection: close", so that callers that keep
	// connections leave on their own instead of racing the close. 200 ms
	DrainNotice time.Duration
	DrainMax    time.Duration // then, to answer what was admitted. 15 s
}

// withDefaults is the configuration with its bounds filled in.
func (cfg ServerConfig) withDefaults() ServerConfig {
	setDefault(&cfg.ConnectionsMax, DefaultConnectionsMax)
	setDefault(&cfg.ConnectionsPerAddressMax, max(1, cfg.ConnectionsMax/2))
	setDefault(&cfg.ReadingMax, 64)
	setDefault(&cfg.ReadHeaderMax, 2*time.Second)
	setDefault(&cfg.ReadMax, 5*time.Second)
	setDefault(&cfg.WriteMax, 10*time.Second)
	setDefault(&cfg.IdleMax, time.Minute)
	setDefault(&cfg.DrainNotice, 200*time.Millisecond)
	setDefault(&cfg.DrainMax, 15*time.Second)
	return cfg
}

// validate holds the bounds to each other; what the connections alone may be is
// the intake's to say.
func (cfg *ServerConfig) validate() error {
	if cfg.API == nil || cfg.Public == nil || cfg.Operator == nil || cfg.OperatorHandler == nil {
		return errors.New("server: API, both listeners and the operator's handler are required")
	}
	switch answer := cfg.API.cfg.AnswerMax; {
	case cfg.ReadHeaderMax <= 0 || cfg.ReadHeaderMax > cfg.ReadMax:
		return fmt.Errorf("server: want 0 < read header max <= read max, have %v and %v", cfg.ReadHeaderMax, cfg.ReadMax)
	case cfg.ReadMax+answer >= cfg.WriteMax:
		return fmt.Errorf("server: want read max + answer max < write max, have %v + %v and %v", cfg.ReadMax, answer, cfg.WriteMax)
	case cfg.DrainNotice < 0:
		return fmt.Errorf("server: want drain notice >= 0, have %v", cfg.DrainNotice)
	case answer >= cfg.DrainMax:
		return fmt.Errorf("server: want answer max < drain max, have %v and %v", answer, cfg.DrainMax)
	}
	return nil
}

// Serve answers on both listeners until ctx ends, then stops in order: not ready,
// a notice to callers, no new connections, an answer to every request that was
// admitted, and the operator's listener last, so that the drain can be watched
// (FA15). The error says what was cut off, or why a listener failed.
func Serve(ctx context.Context, cfg ServerConfig) error {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return err
	}
	in, err := cfg.listen()
	if err != nil {
		return err
	}
	public, operator := cfg.publicServer(ctx), cfg.operatorServer(ctx)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return serving("public", public.Serve(in)) })
	g.Go(func() error { return serving("operator", operator.Serve(cfg.Operator)) })
	g.Go(func() error {
		<-ctx.Done()
		return cfg.drain(context.WithoutCancel(ctx), public, operator)
	})
	return g.Wait()
}

func serving(which string, err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("%s listener: %w", which, err)
}

func (cfg *ServerConfig) drain(ctx context.Context, public, operator *http.Server) error {
	cfg.API.draining.Store(true)
	notice := time.NewTimer(cfg.DrainNotice)
	defer notice.Stop()
	<-notice.C
	ctx, cancel := context.WithTimeout(ctx, cfg.DrainMax)
	defer cancel()
	err := shutDown(ctx, "public", public)
	// Profiles and scrapes are cut off: nothing of them is lost.
	return errors.Join(err, operator.Close())
}

func shutDown(ctx context.Context, which string, s *http.Server) error {
	err := s.Shutdown(ctx)
	if err == nil {
		return nil
	}
	return errors.Join(fmt.Errorf("%s listener: requests cut off at shutdown: %w", which, err), s.Close())
}

func (cfg *ServerConfig) publicServer(ctx context.Context) *http.Server {
	return &http.Server{
		Handler:           cfg.API.Public(),
		ReadHeaderTimeout: cfg.ReadHeaderMax,
		ReadTimeout:       cfg.ReadMax,
		WriteTimeout:      cfg.WriteMax,
		IdleTimeout:       cfg.IdleMax,
		MaxHeaderBytes:    HeaderBytesMax,
		ConnContext:       intake.ConnContext,
		ConnState:         intake.ConnState,
		// "OPTIONS *" is no call of ours: the router refuses it like any other.
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     cfg.errorLog(),
		// Requests outlive the signal that stops the server: they are admitted.
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
}

func (cfg *ServerConfig) operatorServer(ctx context.Context) *http.Server {
	return &http.Server{
		Handler:           cfg.OperatorHandler,
		ReadHeaderTimeout: cfg.ReadHeaderMax,
		ReadTimeout:       cfg.ReadMax,
		WriteTimeout:      operatorAnswerMax,
		IdleTimeout:       cfg.IdleMax,
		MaxHeaderBytes:    HeaderBytesMax,
		ErrorLog:          cfg.errorLog(),
		BaseContext:       func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
}

// listen puts the intake in front of the public listener.
func (cfg *ServerConfig) listen() (*intake.Listener, error) {
	return intake.Listen(cfg.Public, intake.Config{
		ConnectionsMax: cfg.ConnectionsMax, ConnectionsPerAddressMax: cfg.ConnectionsPerAddressMax, ReadingMax: cfg.ReadingMax,
		IdleMax: cfg.IdleMax, ReadHeaderMax: cfg.ReadHeaderMax, Refusals: ownRefusals(),
		Refused: cfg.API.requests.connectionsRefused, Log: cfg.API.cfg.Log, Now: cfg.API.cfg.Now,
	})
}

// errorLog takes what net/http says about single connections: noise, mostly.
func (cfg *ServerConfig) errorLog() *log.Logger {
	return slog.NewLogLogger(cfg.API.cfg.Log.Handler(), slog.LevelDebug)
}
