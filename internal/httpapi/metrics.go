package httpapi

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
)

// requestMetrics are by route and status, never by user or envelope: a label's
// values must be few.
type requestMetrics struct {
	seconds  *prometheus.HistogramVec
	inFlight prometheus.Gauge

	connectionsRefused prometheus.Counter
}

func newRequestMetrics(reg prometheus.Registerer) (*requestMetrics, error) {
	m := &requestMetrics{
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "hongbao_http_request_seconds",
			Help:    "Time from the headers of a public request to its answer, by route and status.",
			Buckets: []float64{.0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2},
		}, []string{"route", "status"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "hongbao_http_requests_in_flight",
			Help: "Public requests being answered.",
		}),
		connectionsRefused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "hongbao_http_connections_refused_total",
			Help: "Public connections closed at once, because their client address had as many as it may have.",
		}),
	}
	return m, errors.Join(reg.Register(m.seconds), reg.Register(m.inFlight), reg.Register(m.connectionsRefused))
}

// routeName is the pattern, never the path: paths hold IDs.
func routeName(c *gin.Context) string {
	if route := c.FullPath(); route != "" {
		return route
	}
	return "none"
}

// observe stands around every public request.
func (a *API) observe(c *gin.Context) {
	if a.draining.Load() {
		c.Writer.Header()["Connection"] = closing
	}
	a.requests.inFlight.Inc()
	defer a.observed(c, a.cfg.Now())
	if err := a.wellFormed(c); err != nil {
		c.Writer.Header().Del("Allow") // the router may have matched another path
		a.refuse(c, err)
		c.Abort()
		return
	}
	c.Next()
}

// observed is deferred: it also turns a panic into the opaque 500 of the table,
// with the stack in the log and none of the request.
func (a *API) observed(c *gin.Context, start time.Time) {
	a.requests.inFlight.Dec()
	if p := recover(); p != nil {
		err := fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		if c.Writer.Written() {
			a.cfg.Log.Error("panic after the answer began", slog.String("route", routeName(c)), slog.Any("error", err))
			panic(http.ErrAbortHandler) // the client must not take half an answer for one
		}
		a.refuse(c, err)
	}
	took := a.cfg.Now().Sub(start)
	status := c.Writer.Status()
	a.requests.seconds.WithLabelValues(routeName(c), strconv.Itoa(status)).Observe(took.Seconds())
	ctx := c.Request.Context()
	if a.cfg.Log.Enabled(ctx, slog.LevelDebug) {
		a.cfg.Log.LogAttrs(ctx, slog.LevelDebug, "request", slog.String("method", c.Request.Method),
			slog.String("route", routeName(c)), slog.Int("status", status),
			slog.Int("bytes", c.Writer.Size()), slog.Duration("took", took))
	}
}
