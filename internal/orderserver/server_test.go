package orderserver_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hongbao/envelope"
	"hongbao/internal/orderserver"
	"hongbao/internal/settest"
	"hongbao/queue"
)

// databases are the servers of every test in this package.
var databases settest.Servers

func TestMain(m *testing.M) { os.Exit(databases.Main(m)) }

// closeMax bounds the end of a test's server.
const closeMax = 10 * time.Second

// configOf is that of the order server of a world's first SET.
func configOf(w *settest.World, mode orderserver.Mode) orderserver.Config {
	return orderserver.Config{Set: w.Router.Sets()[0], Mode: mode, Owner: "test", DrawKey: w.DrawKey, Log: slog.New(slog.DiscardHandler)}
}

// serve makes and starts a server that ends with the test.
func serve(t *testing.T, cfg orderserver.Config) *orderserver.Server {
	t.Helper()
	s, err := orderserver.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { closeServer(t, s) })
	return s
}

func closeServer(t *testing.T, s *orderserver.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), closeMax)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		t.Error(err)
	}
}

func open(ctx context.Context, s *orderserver.Server, id envelope.ID, user int) (envelope.Opening, error) {
	return s.Open(ctx, envelope.OpenRequest{ID: id, User: envelope.UserID(fmt.Sprintf("u%d", user))})
}

func TestACrowdEmptiesAnEnvelope(t *testing.T) {
	for _, mode := range []orderserver.Mode{orderserver.ModeGroup, orderserver.ModeFIFO, orderserver.ModePlain} {
		t.Run(string(mode), func(t *testing.T) {
			w := databases.World(t, 1)
			s := serve(t, configOf(w, mode))
			const users, count = 60, 20
			e := w.Active(t, 0, envelope.Order{Total: 5000, Count: count})
			var crowd sync.WaitGroup
			var outcomes [users]envelope.Outcome
			for u := range users {
				crowd.Go(func() {
					for { // the gate caps a key's requests: come again
						o, err := open(t.Context(), s, e.ID, u)
						if _, busy := errors.AsType[*envelope.BusyError](err); busy {
							continue
						}
						if err != nil {
							t.Error(err)
						}
						outcomes[u] = o.Outcome
						return
					}
				})
			}
			crowd.Wait()
			opened := 0
			for _, o := range outcomes {
				if o == envelope.Opened {
					opened++
				}
			}
			if opened != count {
				t.Errorf("%d users opened %d shares", opened, count)
			}
		})
	}
}

func TestAnEnvelopeEndsAmongItsOpens(t *testing.T) {
	for _, mode := range []orderserver.Mode{orderserver.ModeGroup, orderserver.ModePlain} {
		w := databases.World(t, 1)
		s := serve(t, configOf(w, mode))
		e := w.Active(t, 0, envelope.Order{Total: 1000, Count: 10})
		if early, err := s.Expire(t.Context(), e.ID); err != nil || early.State != envelope.Active {
			t.Errorf("%s: expired before its time: %+v, %v", mode, early, err)
		}
		_, err := w.Admin(t, 0).Exec(fmt.Sprintf("UPDATE envelope_%d_%02d SET expires_at = UTC_TIMESTAMP(3) - INTERVAL 1 HOUR WHERE order_id = '%s'",
			e.ID.TableDigit(), e.ID.Day().OfMonth(), e.ID))
		if err != nil {
			t.Fatal(err)
		}
		due, err := s.DueExpiries(t.Context(), 10)
		if err != nil || len(due) != 1 || due[0] != e.ID {
			t.Fatalf("%s: due are %v, %v", mode, due, err)
		}
		var crowd sync.WaitGroup
		for u := range 20 {
			crowd.Go(func() {
				if o, err := open(t.Context(), s, e.ID, u); err != nil || o.Outcome == envelope.Opened {
					t.Errorf("%s: %+v, %v after the end of the life", mode, o, err)
				}
			})
			crowd.Go(func() {
				if ended, err := s.Expire(t.Context(), e.ID); err != nil || ended.State != envelope.Expired || ended.Refunded != 1000 {
					t.Errorf("%s: %+v, %v", mode, ended, err)
				}
			})
		}
		crowd.Wait()
	}
}

// FB1: a database that is back is found by probing, without an open that fails for it.
func TestRecoveryIsFoundWithoutOpens(t *testing.T) {
	w := databases.World(t, 1)
	s := serve(t, configOf(w, orderserver.ModeGroup))
	e := w.Active(t, 0, envelope.Order{Total: 1000, Count: 10})
	w.Proxies[0].Freeze(true)
	w.Proxies[0].Cut()
	await(t, "the SET is refused", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := open(ctx, s, e.ID, 1); err == nil {
			t.Fatal("an open was answered without its database")
		}
		return s.Refusing() == string(queue.ReasonDatabaseDown)
	})
	w.Proxies[0].Freeze(false)
	await(t, "the SET answers", func() bool { return s.Refusing() != string(queue.ReasonDatabaseDown) })
	await(t, "an open is served", func() bool { // the first ones are probes of a database that was slow
		o, err := open(t.Context(), s, e.ID, 2)
		return err == nil && o.Outcome == envelope.Opened
	})
}

func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); {
		if time.Now().After(deadline) {
			t.Fatal(what + ": not within a minute")
		}
		<-time.After(10 * time.Millisecond)
	}
}

// FA15: after Close an open is refused with a time to try again.
func TestClosedServerRefuses(t *testing.T) {
	w := databases.World(t, 1)
	s := serve(t, configOf(w, orderserver.ModeGroup))
	e := w.Active(t, 0, envelope.Order{Total: 1000, Count: 10})
	closeServer(t, s)
	_, err := open(t.Context(), s, e.ID, 1)
	if busy, ok := errors.AsType[*envelope.BusyError](err); !ok || busy.Reason != envelope.Reason(queue.ReasonDraining) || busy.RetryAfter <= 0 {
		t.Errorf("%v, want a refusal to try again", err)
	}
	if _, err := s.Expire(t.Context(), e.ID); err == nil {
		t.Error("a closed server expired an envelope")
	}
}

func TestARefusingServerSendsElsewhere(t *testing.T) {
	w := databases.World(t, 1)
	s := serve(t, configOf(w, orderserver.ModeGroup))
	s.Refuse(true)
	n := w.Sending(t, 0, envelope.Order{Total: 100, Count: 1})
	_, err := s.Create(t.Context(), n)
	if _, busy := errors.AsType[*envelope.BusyError](err); !busy || s.Refusing() != string(queue.ReasonDraining) {
		t.Errorf("%v while refusing %q", err, s.Refusing())
	}
	if _, err := s.FindKey(t.Context(), n.Envelope.Sender, n.Key); !errors.Is(err, envelope.ErrNotFound) {
		t.Errorf("a home that refuses opens answers %v, want that it has no such key", err)
	}
	s.Refuse(false)
	if r, err := s.Create(t.Context(), n); err != nil || r.ID != n.Envelope.ID {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestMetricsNameTheLanes(t *testing.T) {
	w := databases.World(t, 1)
	s := serve(t, configOf(w, orderserver.ModeGroup))
	reg := prometheus.NewRegistry()
	if err := s.Register(reg); err != nil {
		t.Fatal(err)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), "hongbao_lane_") && len(f.GetMetric()) < orderserver.GroupLanes {
			t.Errorf("%s has %d lanes", f.GetName(), len(f.GetMetric()))
		}
	}
}

func TestAConfigSaysWhatItWants(t *testing.T) {
	w := databases.World(t, 1)
	for want, spoil := range map[string]func(*orderserver.Config){
		"set and log": func(c *orderserver.Config) { c.Set = nil },
		"required":    func(c *orderserver.Config) { c.Log = nil },
		"want mode":   func(c *orderserver.Config) { c.Mode = "all" },
		"draw key":    func(c *orderserver.Config) { c.DrawKey = envelope.DrawKey{} },
		"Holder":      func(c *orderserver.Config) { c.Owner = "a b" },
		"memcached":   func(c *orderserver.Config) { c.Memcached = []string{"no port"} },
	} {
		cfg := configOf(w, orderserver.ModeGroup)
		spoil(&cfg)
		if _, err := orderserver.New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want it to say %q", err, want)
		}
	}
}
