package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"hongbao/envelope"
	"hongbao/internal/httpapi/bearer"
)

// Teller carries out what callers ask; *[envelope.Teller] does.
type Teller interface {
	Send(ctx context.Context, o envelope.Order) (envelope.Sent, error)
	Grab(ctx context.Context, id envelope.ID, user envelope.UserID, ticket string) (envelope.Outcome, error)
	Open(ctx context.Context, req envelope.OpenRequest, ticket string) (envelope.Opening, error)
	Show(ctx context.Context, id envelope.ID, user envelope.UserID, ticket string) (envelope.Details, error)
	Payout(ctx context.Context, id envelope.ID, user envelope.UserID, ticket string) ([]envelope.Transfer, error)
}

// Refused is why a notification was not taken.
type Refused uint8

// What can be wrong with a notification, before it meets our rows.
const (
	RefusedElsewhere  Refused = iota // it was taken to the rows: the error says the rest
	RefusedForged                    // it is not signed by the provider
	RefusedNotOurs                   // it is authentic and about a number that is not ours
	RefusedUnreadable                // it is authentic and makes no sense
)

// Metrics is a registry that can be read back; *[prometheus.Registry] is one.
type Metrics interface {
	prometheus.Registerer
	prometheus.Gatherer
}

// Defaults of the bounds in [Config].
const (
	DefaultBodyBytesMax         = 4 << 10
	DefaultNotificationBytesMax = 64 << 10
	DefaultAnswerMax            = 4 * time.Second
)

// Config is what the API works with. A bound left zero gets its default; all
// the rest is required.
type Config struct {
	Teller Teller
	Auth   *bearer.Authenticator

	// Notified takes a notification of the payment provider, raw as it came: nil
	// when there is nothing more to do. Refused says what an error of it means.
	Notified func(ctx context.Context, header http.Header, body []byte) error
	Refused  func(error) Refused

	// Books answer for /v1/me; without them its paths are not there.
	Books envelope.Books

	// Echo, if there is one, answers POST …/echo as open is answered. For
	// measuring only: it is not in the OpenAPI document.
	Echo func(ctx context.Context, req envelope.OpenRequest, ticket string) (envelope.Opening, error)

	Metrics Metrics
	Log     *slog.Logger
	Now     func() time.Time

	BodyBytesMax         int           // of a send
	NotificationBytesMax int           // of the provider's callback
	AnswerMax            time.Duration // what one call may take
}

// withDefaults is the configuration with its bounds filled in.
func (cfg Config) withDefaults() Config {
	setDefault(&cfg.BodyBytesMax, DefaultBodyBytesMax)
	setDefault(&cfg.NotificationBytesMax, DefaultNotificationBytesMax)
	setDefault(&cfg.AnswerMax, DefaultAnswerMax)
	return cfg
}

func (cfg *Config) validate() error {
	required := cfg.Teller != nil && cfg.Auth != nil && cfg.Notified != nil && cfg.Refused != nil &&
		cfg.Metrics != nil && cfg.Log != nil && cfg.Now != nil
	switch {
	case !required:
		return errors.New("httpapi: everything in the configuration but the bounds is required")
	case cfg.BodyBytesMax < 256:
		return fmt.Errorf("httpapi: want body bytes max >= 256, have %d", cfg.BodyBytesMax)
	case cfg.NotificationBytesMax < 256:
		return fmt.Errorf("httpapi: want notification bytes max >= 256, have %d", cfg.NotificationBytesMax)
	case cfg.AnswerMax < time.Millisecond:
		return fmt.Errorf("httpapi: want answer max >= 1ms, have %v", cfg.AnswerMax)
	}
	return nil
}

func setDefault[T comparable](v *T, value T) {
	var zero T
	if *v == zero {
		*v = value
	}
}

// API answers HTTP. It is safe for concurrent use.
type API struct {
	cfg      Config
	problems problemTable
	requests *requestMetrics
	engine   *gin.Engine
	buffers  sync.Pool   // of *[]byte: answers and bodies
	draining atomic.Bool // set once, by Serve: say goodbye with every answer

	forgedLogged atomic.Int64 // Unix second of the last forged notification in the log
}

// New builds the handler and registers the metrics.
func New(cfg Config) (*API, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	requests, err := newRequestMetrics(cfg.Metrics)
	if err != nil {
		return nil, fmt.Errorf("httpapi: metrics: %w", err)
	}
	a := &API{cfg: cfg, problems: newProblemTable(), requests: requests}
	a.buffers.New = func() any { b := make([]byte, 0, 1<<10); return &b }
	if a.engine, err = a.route(); err != nil {
		return nil, fmt.Errorf("httpapi: routes: %w", err)
	}
	return a, nil
}

// Public is what callers and the payment provider reach.
func (a *API) Public() http.Handler { return a.engine }

// Draining reports whether [Serve] has begun to stop.
func (a *API) Draining() bool { return a.draining.Load() }

// route builds the public engine. gin's conveniences that answer on their own
// (redirects to similar paths, plain-text errors, the request logger) stay off.
func (a *API) route() (*gin.Engine, error) {
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.RedirectTrailingSlash = false
	e.RedirectFixedPath = false
	e.HandleMethodNotAllowed = true
	// Paths are matched as they were sent: one that needs decoding is not ours.
	e.UseEscapedPath, e.UnescapePathValues = true, false
	if err := e.SetTrustedProxies(nil); err != nil {
		return nil, err
	}
	e.Use(a.observe)
	e.NoRoute(a.answer(func(*gin.Context) error { return errNoSuchPath }))
	e.NoMethod(a.answer(func(*gin.Context) error { return errMethodNotAllowed }))

	read := func(path string, handle gin.HandlerFunc) {
		e.GET(path, handle)
		e.HEAD(path, handle) // net/http leaves the body out
	}
	read("/openapi.json", a.openAPI)
	e.POST("/v1/payment/notifications", a.notified)
	e.POST("/v1/envelopes", a.answer(a.send))
	read("/v1/envelopes/:id", a.answer(a.show))
	e.POST("/v1/envelopes/:id/grab", a.answer(a.grab))
	e.POST("/v1/envelopes/:id/open", a.answer(a.open))
	e.POST("/v1/envelopes/:id/payout", a.answer(a.payout))
	read("/v1/me/received", a.answer(a.received))
	read("/v1/me/sent", a.answer(a.sent))
	read("/v1/me/summary", a.answer(a.summary))
	if a.cfg.Echo != nil {
		e.POST("/v1/envelopes/:id/echo", a.answer(a.echo))
	}
	return e, nil
}

// answer makes a handler of a call: what the call returns goes through the one
// table.
func (a *API) answer(call func(*gin.Context) error) gin.HandlerFunc {
	return func(c *gin.Context) {
		if err := call(c); err != nil {
			a.refuse(c, err)
		}
	}
}
