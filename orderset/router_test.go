package orderset_test

import (
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"hongbao/envelope"
	"hongbao/internal/settest"
	"hongbao/orderset"
	"hongbao/orderset/decision"
	"hongbao/orderset/layout"
)

// unreachable listens, and tells how many connections it got. It answers none.
func unreachable(t *testing.T) (addr string, connections func() int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan net.Conn, 16)
	accepting := make(chan struct{})
	go func() {
		defer close(accepting)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			got <- c
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-accepting
		for len(got) > 0 {
			(<-got).Close()
		}
	})
	return l.Addr().String(), func() int { return len(got) }
}

// lone is a router of one SET with number at addr, in which nothing runs.
func lone(t *testing.T, number envelope.SetNumber, addr string, now func() time.Time) *settest.Router {
	t.Helper()
	topology, err := orderset.NewTopology([]orderset.SetSpec{at(spec(number, 0), addr)})
	if err != nil {
		t.Fatal(err)
	}
	return newRouter(t, orderset.Config{
		Topology: topology, App: orderset.Account{User: "app", Password: "app-test"}, Owner: "test",
		DrawKey: drawKey(t), Now: now, Log: slog.New(slog.DiscardHandler),
	})
}

// idAt is an ID whose body was minted at an instant.
func idAt(at time.Time, set envelope.SetNumber) envelope.ID {
	return envelope.Body(at.Sub(envelope.BodyEpoch()).Milliseconds() << 22).In(set)
}

// FC22: an ID that cannot exist is not found, without a connection.
func TestImpossibleIDTouchesNoDatabase(t *testing.T) {
	noon := time.Date(2026, 3, 15, 4, 0, 0, 0, time.UTC) // in UTC+08:00
	day := 24 * time.Hour
	addr, connections := unreachable(t)
	r := lone(t, 7, addr, func() time.Time { return noon })
	for name, id := range map[string]envelope.ID{
		"unknown SET":          idAt(noon, 8),
		"last SET":             idAt(noon, 999),
		"first SET":            idAt(noon, 0),
		"the day after next":   idAt(noon.Add(2*day), 7),
		"next month, same dd":  idAt(noon.AddDate(0, 1, 0), 7),
		"last month, same dd":  idAt(noon.AddDate(0, -1, 0), 7),
		"27 days ago":          idAt(noon.Add(-27*day), 7),
		"the first body":       idAt(envelope.BodyEpoch().Add(time.Millisecond), 7),
		"the last body's year": idAt(time.Date(2094, 1, 1, 0, 0, 0, 0, time.UTC), 7),
	} {
		ctx := t.Context()
		_, findErr := r.Find(ctx, id)
		_, peekErr := r.Peek(ctx, id, "ann")
		_, createErr := r.Create(ctx, envelope.Sending{Envelope: envelope.Envelope{ID: id}})
		_, setErr := r.HotSet(id)
		for call, err := range map[string]error{"find": findErr, "peek": peekErr, "create": createErr, "set": setErr} {
			if !errors.Is(err, envelope.ErrNotFound) {
				t.Errorf("%s, %s: got %v, want ErrNotFound", name, call, err)
			}
		}
	}
	elsewhere := idAt(noon, 8)
	if _, err := r.Set(elsewhere); !errors.Is(err, envelope.ErrNotFound) {
		t.Errorf("an unknown SET: got %v, want ErrNotFound", err)
	}
	if _, err := r.Pay(t.Context(), envelope.Payment{OrderNo: elsewhere, TransactionID: "tx", Amount: 1}); !errors.Is(err, envelope.ErrNotFound) {
		t.Errorf("a payment in an unknown SET: got %v, want ErrNotFound", err)
	}
	for _, home := range []envelope.KeyHome{{Set: 8}, {Witness: true}, {Set: 7, Witness: true}} {
		// Never "not found": that would be believed.
		if _, err := r.FindKey(t.Context(), home, "ann", "k"); err == nil || errors.Is(err, envelope.ErrNotFound) {
			t.Errorf("find a key in %+v, which is no home: got %v", home, err)
		}
		if _, err := r.ClaimKey(t.Context(), home, envelope.KeyRecord{}); err == nil || errors.Is(err, envelope.ErrNotFound) {
			t.Errorf("claim a key in %+v, which is no home: got %v", home, err)
		}
	}
	if n := connections(); n != 0 {
		t.Errorf("the database got %d connections", n)
	}
	// The control: an ID that can exist does go there.
	if s, err := r.HotSet(idAt(noon, 7)); err != nil || s.Number() != 7 {
		t.Fatalf("got %v, %v, want SET 007", s, err)
	}
	go r.Sets()[0].Ping(t.Context())
	eventually(t, 5*time.Second, "the database gets a connection", func() bool { return connections() > 0 })
}

// FD3: no two days that are served share a table.
func TestServedDaysShareNoTable(t *testing.T) {
	var now time.Time
	r := lone(t, 7, nobodyThere(t), func() time.Time { return now })
	start := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC) // 2028 is a leap year
	for d := range 800 {
		now = start.AddDate(0, 0, d)
		served := map[int]envelope.Day{}
		for ahead := -40; ahead <= 5; ahead++ {
			id := idAt(now.AddDate(0, 0, ahead), 7)
			if _, err := r.HotSet(id); err != nil {
				continue
			}
			if other, taken := served[id.Day().OfMonth()]; taken {
				t.Errorf("on %v both %v and %v are served from the same tables", envelope.DayOf(now), other, id.Day())
			}
			served[id.Day().OfMonth()] = id.Day()
		}
		today := envelope.DayOf(now)
		for _, want := range []envelope.Day{today.Add(-3), today, today.Add(1)} {
			if served[want.OfMonth()] != want {
				t.Errorf("on %v, %v is not served", today, want)
			}
		}
	}
}

// FD1: around midnight the day of an envelope is its ID's.
func TestDayAroundMidnightIsTheIDsOwn(t *testing.T) {
	midnight := time.Date(2026, 11, 23, 16, 0, 0, 0, time.UTC) // 00:00 in UTC+08:00
	for ms := -2000; ms <= 2000; ms += 50 {
		minted := midnight.Add(time.Duration(ms) * time.Millisecond)
		id := idAt(minted, 7)
		want := 24
		if ms < 0 {
			want = 23
		}
		for _, zone := range []string{"UTC", "America/Los_Angeles", "Pacific/Kiritimati"} {
			loc, err := time.LoadLocation(zone)
			if err != nil {
				t.Fatal(err)
			}
			r := lone(t, 7, nobodyThere(t), func() time.Time { return midnight.Add(time.Second).In(loc) })
			if _, err := r.HotSet(id); err != nil {
				t.Errorf("minted %d ms from midnight, asked in %s: %v", ms, zone, err)
			}
		}
		if got := layout.TableOf(id); got.Day != want || got.Digit != id.TableDigit() {
			t.Errorf("minted %d ms from midnight: %+v, want day %d", ms, got, want)
		}
	}
}

// TestHeldTransferIsReachedAtAnyAge has a clock that is 40 days on: the public is
// shown nothing any more, but callbacks and people do what they did before (FS6).
func TestHeldTransferIsReachedAtAnyAge(t *testing.T) {
	w := servers.World(t, 1)
	cfg := configOf(w, "later")
	cfg.Now = func() time.Time { return time.Now().AddDate(0, 0, 40) }
	later := newRouter(t, cfg)
	s, tr := held(t, w)
	if _, err := later.Find(t.Context(), tr.OrderNo); !errors.Is(err, envelope.ErrNotFound) {
		t.Errorf("shown after 40 days: %v", err)
	}
	set, err := later.Set(tr.OrderNo)
	if err != nil {
		t.Fatal(err)
	}
	if err := proposing(t, set, tr.No(), "ann", decision.ActionRelease, ""); err != nil {
		t.Error(err)
	}
	if next, err := approve(t, set, tr.No(), "bob"); err != nil || next.Round != 2 {
		t.Errorf("released as %+v, %v", next, err)
	}
	words := say(envelope.ProgressDone, claim(t, s, 10)...)
	if errs, err := set.Owed().RecordTransfers(t.Context(), words); err != nil || len(errs) != 1 || errs[0] != nil {
		t.Errorf("heard: %v, %v", errs, err)
	}
	if own, err := later.Transfers(t.Context(), tr.OrderNo, tr.Payee, tr.Seq); err != nil || len(own) != 1 || own[0].State != envelope.Posted {
		t.Errorf("transfers of the payee: %+v, %v", own, err)
	}
	unpaid := w.Unpaid(t, 0, envelope.Order{Total: 100, Count: 1})
	paid, err := later.Pay(t.Context(), envelope.Payment{OrderNo: unpaid.ID, TransactionID: "old", Amount: unpaid.Total, PaidAt: time.Now()})
	if err != nil || paid.State != envelope.Active {
		t.Errorf("paid as %s, %v", paid.State, err)
	}
}

func TestRouterRefusesNonsense(t *testing.T) {
	topology, err := orderset.NewTopology([]orderset.SetSpec{spec(0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		change func(*orderset.Config)
		want   string
	}{
		{func(c *orderset.Config) { c.Topology = orderset.Topology{} }, "the topology is empty"},
		{func(c *orderset.Config) { c.Owner = "" }, "want an owner of 1 to 128 bytes, have 0"},
		{func(c *orderset.Config) { c.Owner = strings.Repeat("o", 129) }, "want an owner of 1 to 128 bytes, have 129"},
		{func(c *orderset.Config) { c.Now = nil }, "now, log and draw key are required"},
		{func(c *orderset.Config) { c.Log = nil }, "now, log and draw key are required"},
		{func(c *orderset.Config) { c.DrawKey = envelope.DrawKey{} }, "now, log and draw key are required"},
	} {
		cfg := orderset.Config{
			Topology: topology, Owner: "o", DrawKey: drawKey(t), Now: time.Now, Log: slog.New(slog.DiscardHandler),
		}
		c.change(&cfg)
		if _, err := orderset.NewRouter(cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}

func TestRouterMintsByAnySETThatAnswers(t *testing.T) {
	w := servers.World(t, 2)
	if err := w.Router.Minting(); err != nil {
		t.Errorf("a router that mints: %v", err)
	}
	cfg := configOf(w, "idle")
	if err := newRouter(t, cfg).Minting(); err == nil || !strings.Contains(err.Error(), "no machine number") {
		t.Errorf("a router without a machine number: got %v", err)
	}
	dead := nobodyThere(t)
	cfg.Topology = topologyOf(t, w, func(specs []orderset.SetSpec) { specs[0].Primary = dead })
	r := newRouter(t, cfg)
	keepMinting(t, r)
	if err := r.Minting(); err != nil {
		t.Errorf("one of two SETs is down: %v", err)
	}
	wantBusy(t, r.Sets()[0].Ping(t.Context()), "set_unavailable")
	if err := r.Sets()[1].Ping(t.Context()); err != nil {
		t.Errorf("the other SET: %v", err)
	}
}
