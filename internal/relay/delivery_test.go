package relay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hongbao/envelope"
)

func TestTheBooksArePostedInBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		for n := range 2000 {
			s.owe(envelope.TopicBook, active(n), envelope.Share{Seq: 1, User: "bob", Amount: 10})
		}
		run(t, s.relay(t), time.Second)
		if n := len(s.called("post")); n != 4 {
			t.Errorf("%d posts", n)
		}
		for _, p := range s.deliveries {
			if p.state != "idle" || p.d.At != (envelope.Cursor{Stage: envelope.StageActive, Seq: 1}) {
				t.Fatalf("%s is %s at %+v", p.d.ID, p.state, p.d.At)
			}
		}
	})
}

// FG8.
func TestAPoisonedEnvelopeIsParkedAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		for n := range 300 {
			s.owe(envelope.TopicBook, active(n))
		}
		unwritable, unreadable := s.deliveries[123], s.deliveries[124]
		s.post = func(fs []envelope.Fact) error {
			if slices.ContainsFunc(fs, func(f envelope.Fact) bool { return f.Envelope.ID == unwritable.d.ID }) {
				return errors.New("column is too short " + strings.Repeat("x", 1000))
			}
			return nil
		}
		s.read = func(id envelope.ID) error {
			if id == unreadable.d.ID {
				return errors.New("state \"paid\": unknown")
			}
			return nil
		}
		for minute := range 3 { // poison must not hold up what comes after it, either
			run(t, s.relay(t), time.Minute)
			for _, p := range s.deliveries {
				if p != unwritable && p != unreadable && p.state != "idle" {
					t.Fatalf("minute %d: %s is %s", minute, p.d.ID, p.state)
				}
			}
			for n := range 100 {
				s.owe(envelope.TopicBook, active(1000+100*minute+n))
			}
		}
		s.trickle(envelope.TopicBook, 2*time.Hour)
		run(t, s.relay(t), 2*time.Hour)
		for _, p := range []*parcel{unwritable, unreadable} {
			if p.state != "parked" || p.d.Attempts != attemptsMax || len(p.reason) > reasonBytesMax || p.reason == "" {
				t.Errorf("%s after %d attempts: %q", p.state, p.d.Attempts, p.reason)
			}
		}
	})
}

// trickle adds a delivery every minute: a SET is never idle.
func (s *script) trickle(topic envelope.Topic, most time.Duration) {
	for minute := range int(most / time.Minute) {
		s.after(time.Duration(minute)*time.Minute, func() { s.owe(topic, active(10_000+minute)) })
	}
}

func TestBooksThatAreOutParkNothing(t *testing.T) {
	for name, out := range map[string]error{"busy": &envelope.BusyError{RetryAfter: time.Second}, "broken": errors.New("no route to host"), "silent": context.DeadlineExceeded} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const outage = 2 * time.Hour
				s := newScript()
				for n := range 1500 {
					s.owe(envelope.TopicBook, active(n))
				}
				s.post = func([]envelope.Fact) error {
					if time.Since(start()) < outage {
						return fmt.Errorf("shard 0: %w", out)
					}
					return nil
				}
				run(t, s.relay(t), outage+5*time.Minute)
				for _, p := range s.deliveries {
					if p.state != "idle" {
						t.Fatalf("%s is %s after %d attempts: %s", p.d.ID, p.state, p.d.Attempts, p.reason)
					}
				}
			})
		})
	}
}

func TestFactsOfOneEnvelopeAreSentInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		for n := range 50 {
			e := active(n)
			e.State = envelope.Empty
			s.owe(envelope.TopicEvent, e, envelope.Share{Seq: 1, User: "bob", Amount: 40}, envelope.Share{Seq: 2, User: "eve", Amount: 60})
		}
		telling, most := 0, 0
		s.tell = func(context.Context, envelope.Fact) error {
			s.mu.Lock()
			telling++
			most = max(most, telling)
			s.mu.Unlock()
			time.Sleep(10 * time.Millisecond)
			s.mu.Lock()
			telling--
			s.mu.Unlock()
			return nil
		}
		run(t, s.relay(t), time.Second)
		heard := map[string][]string{}
		for _, c := range s.calls {
			id, kind, _ := strings.Cut(c.no, " ")
			heard[id] = append(heard[id], kind)
		}
		for _, p := range s.deliveries {
			if !slices.Equal(heard[string(p.d.ID)], []string{"envelope.active", "share.opened", "envelope.finished"}) || p.d.At.Stage != envelope.StageFinished {
				t.Errorf("%s heard %q, at %+v", p.d.ID, heard[string(p.d.ID)], p.d.At)
			}
		}
		if most != eventsInFlight {
			t.Errorf("%d told at once", most)
		}
	})
}

// What is claimed is told before the lease ends, though the receiver is getting
// slower.
func TestASlowReceiversEventsAreClaimedOnce(t *testing.T) {
	for name, each := range map[string]time.Duration{"1 s": time.Second, "2 s": 2 * time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScript()
				for n := range 4000 {
					s.owe(envelope.TopicEvent, active(n))
				}
				s.tell = func(context.Context, envelope.Fact) error {
					time.Sleep(min(each, 100*time.Millisecond+time.Since(start())/60))
					return nil
				}
				run(t, s.relay(t), 15*time.Minute)
				for _, p := range s.deliveries {
					if p.state != "idle" {
						t.Fatalf("%s is %s", p.d.ID, p.state)
					}
				}
				if n := s.claims["event"]; n != len(s.deliveries) {
					t.Errorf("%d claimed, %d owed", n, len(s.deliveries))
				}
			})
		})
	}
}

func TestClaimsGoByThePaceOfTheReceiver(t *testing.T) {
	for _, c := range []struct {
		last int
		took time.Duration
		want int
	}{
		{1, 0, eventsMax},
		{1, 20 * time.Millisecond, 250},
		{128, 100 * time.Millisecond, eventsMax},
		{128, 2500 * time.Millisecond, 256},
		{512, time.Minute, eventsMin},
		{1, 10 * time.Second, eventsMin},
	} {
		if got := eventsWithin(c.last, c.took); got != c.want {
			t.Errorf("%d in %v: then %d, want %d", c.last, c.took, got, c.want)
		}
	}
}

// FS30: the cursor moves with every event that is acknowledged.
func TestEventsAreSentUntilAcknowledged(t *testing.T) {
	kinds := []envelope.FactKind{envelope.FactActive, envelope.FactOpened, envelope.FactFinished, envelope.FactRefunded}
	for _, refused := range kinds {
		for how, stop := range map[string]error{"refused": errors.New("500"), "gone": errGone, "busy": &envelope.BusyError{RetryAfter: time.Second}} {
			t.Run(string(refused)+" is "+how, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newScript()
					e := active(0)
					e.State = envelope.Expired
					p := s.owe(envelope.TopicEvent, e, envelope.Share{Seq: 1, User: "bob", Amount: 40})
					p.s.Refund = envelope.Refund{Amount: 60, PostedAt: start()}
					var taken []envelope.FactKind
					failures := 3
					s.tell = func(_ context.Context, f envelope.Fact) error {
						if f.Kind == refused && failures > 0 {
							failures--
							return stop
						}
						taken = append(taken, f.Kind)
						return nil
					}
					for range failures + 1 {
						run(t, s.relay(t), time.Minute)
						delete(s.paused, "event")
					}
					if p.state != "idle" || !slices.Equal(taken, kinds) {
						t.Errorf("%s, acknowledged %q", p.state, taken)
					}
				})
			})
		}
	}
}

func TestAcknowledgedEventsAreNotSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		e := active(0)
		e.State = envelope.Empty
		p := s.owe(envelope.TopicEvent, e, envelope.Share{Seq: 1, User: "bob", Amount: 100})
		var taken []envelope.FactKind
		s.tell = func(_ context.Context, f envelope.Fact) error {
			time.Sleep(2 * time.Second)
			taken = append(taken, f.Kind)
			return nil
		}
		for range 3 { // each relay is stopped while it tells
			run(t, s.relay(t), time.Second)
		}
		if p.state != "idle" || !slices.Equal(taken, []envelope.FactKind{envelope.FactActive, envelope.FactOpened, envelope.FactFinished}) {
			t.Errorf("%s at %+v, acknowledged %q", p.state, p.d.At, taken)
		}
	})
}

func TestParkedEventKeepsItsCursor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		e := active(0)
		e.State = envelope.Empty
		bad := s.owe(envelope.TopicEvent, e, envelope.Share{Seq: 1, User: "bob", Amount: 100})
		told := 0
		s.tell = func(_ context.Context, f envelope.Fact) error {
			switch {
			case f.Envelope.ID != bad.d.ID:
			case f.Kind == envelope.FactActive:
				told++
			default:
				return errors.New("422")
			}
			return nil
		}
		s.trickle(envelope.TopicEvent, 2*time.Hour)
		run(t, s.relay(t), 2*time.Hour)
		if bad.state != "parked" || told != 1 || bad.d.At.Stage != envelope.StageActive {
			t.Errorf("%s at %+v, told of its payment %d times", bad.state, bad.d.At, told)
		}
	})
}

// FG8.
func TestAPoisonedEventIsParkedAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		bad := s.owe(envelope.TopicEvent, active(0))
		for n := range 500 {
			s.owe(envelope.TopicEvent, active(n+1))
		}
		s.tell = func(ctx context.Context, f envelope.Fact) error {
			if f.Envelope.ID == bad.d.ID {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}
		run(t, s.relay(t), time.Minute)
		for _, p := range s.deliveries[1:] {
			if p.state != "idle" {
				t.Fatalf("%s is %s", p.d.ID, p.state)
			}
		}
		s.trickle(envelope.TopicEvent, 2*time.Hour)
		run(t, s.relay(t), 2*time.Hour)
		if bad.state != "parked" || bad.d.Attempts != attemptsMax {
			t.Errorf("%s after %d attempts", bad.state, bad.d.Attempts)
		}
	})
}

func TestAGoneReceiverPausesItsTopic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		for n := range 500 {
			s.owe(envelope.TopicEvent, active(n))
			s.owe(envelope.TopicBook, active(n))
		}
		s.tell = func(context.Context, envelope.Fact) error {
			if time.Since(start()) < time.Hour {
				return fmt.Errorf("post: %w", errGone)
			}
			return nil
		}
		s.after(time.Hour, func() {
			if n := len(s.called("tell")); n > 2*eventsInFlight || s.paused["event"] == "" {
				t.Errorf("%d calls of a receiver that is gone, paused %v", n, s.paused)
			}
			delete(s.paused, "event")
		})
		run(t, s.relay(t), time.Hour+5*time.Minute)
		for _, p := range s.deliveries {
			if p.state != "idle" {
				t.Fatalf("%s %s is %s", p.d.Topic, p.d.ID, p.state)
			}
		}
	})
}

func TestAPausedTopicClaimsNothing(t *testing.T) {
	topics := []string{"charge", "book", "event", "transfer"}
	for _, topic := range topics {
		t.Run(topic, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScript()
				for _, topic := range topics[:3] {
					s.owe(envelope.Topic(topic), active(0))
				}
				m, b := s.debt(0), s.batch(1, 3)
				s.paused[topic] = "people said so"
				s.after(time.Minute, func() {
					for _, p := range s.deliveries {
						if paused := string(p.d.Topic) == topic; paused != (p.d.Attempts == 0 && p.state == "pending") {
							t.Errorf("%s: %s after %d attempts", p.d.Topic, p.state, p.d.Attempts)
						}
					}
					if paused := topic == "transfer"; paused != (m.Attempts == 0) {
						t.Errorf("transfer: %d attempts", m.Attempts)
					}
					if paused := topic == "transfer"; paused != (b.Attempts == 0) {
						t.Errorf("batch: %d attempts", b.Attempts)
					}
					delete(s.paused, topic)
				})
				run(t, s.relay(t), time.Minute+3*time.Second)
				for _, p := range s.deliveries {
					if p.state != "idle" {
						t.Errorf("resumed, and %s is %s", p.d.Topic, p.state)
					}
				}
				if m.State != envelope.Posted {
					t.Errorf("resumed, and the transfer is %s", m.State)
				}
				if !b.ended {
					t.Error("resumed, and the batch is pending")
				}
			})
		})
	}
}

func TestConfigIsRefusedWithItsInequality(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"store":                   func(c *Config) { c.Store = nil },
		"bookkeeper":              func(c *Config) { c.Bookkeeper = nil },
		"now and log":             func(c *Config) { c.Now = nil },
		"backlog":                 func(c *Config) { c.Backlog = nil },
		"1s <= pay within <= 24h": func(c *Config) { c.PayWithin = time.Millisecond },
		"16 <= in flight <= 1024": func(c *Config) { c.InFlight = 15 },
		"<= 1024, have 1025":      func(c *Config) { c.InFlight = 1025 },
	} {
		cfg := newScript().relay(t).cfg
		change(&cfg)
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want one that says %q", err, want)
		}
	}
}

func TestTheMetricsShowWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		for n := range 30 {
			s.debt(n)
		}
		s.batch(100, 12)
		reg := prometheus.NewRegistry()
		r := s.relay(t, func(c *Config) {
			c.Backlog = func(context.Context) (map[string]Backlog, error) {
				return map[string]Backlog{"transfer": {Pending: 7, Oldest: 90 * time.Second, Stuck: 2}}, nil
			}
		})
		if err := r.Register(reg); err != nil {
			t.Fatal(err)
		}
		run(t, r, time.Second)
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]float64{}
		for _, f := range families {
			for _, m := range f.Metric {
				got[f.GetName()] += m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
		for name, want := range map[string]float64{
			"hongbao_relay_pending": 7, "hongbao_relay_oldest_seconds": 90, "hongbao_relay_stuck": 2,
			"hongbao_relay_claimed_total": 42, "hongbao_relay_transfers_total": 42, "hongbao_relay_first_call_seconds": 42,
		} {
			if got[name] != want {
				t.Errorf("%s is %v, want %v", name, got[name], want)
			}
		}
	})
}
