package sets_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hongbao/envelope"
	"hongbao/internal/orderserver"
	"hongbao/internal/sets"
	"hongbao/internal/settest"
	"hongbao/internal/worker"
	"hongbao/orderset"
)

// databases are the servers of every test in this package.
var databases settest.Servers

func TestMain(m *testing.M) { os.Exit(databases.Main(m)) }

const waitMax = time.Minute

// counterparts stand for the provider, the books and the IM backend: charges can be
// placed, and everything else is to be asked again.
type counterparts struct{}

var errLater = &envelope.BusyError{Reason: "later", RetryAfter: time.Second}

func (counterparts) Prepay(_ context.Context, c envelope.Charge) (string, error) {
	return "pay://" + string(c.OrderNo), nil
}

func (counterparts) QueryCharge(context.Context, envelope.ID) (envelope.ChargeStatus, error) {
	return envelope.ChargeStatus{}, errLater
}
func (counterparts) CloseCharge(context.Context, envelope.ID) error { return errLater }

func (counterparts) Place(context.Context, envelope.Transfer) (envelope.TransferStatus, error) {
	return envelope.TransferStatus{}, errLater
}

func (counterparts) Query(context.Context, envelope.Transfer) (envelope.TransferStatus, error) {
	return envelope.TransferStatus{}, errLater
}

func (counterparts) PlaceBatch(context.Context, envelope.PayoutBatch) (envelope.PayoutBatchStatus, error) {
	return envelope.PayoutBatchStatus{}, errLater
}

func (counterparts) QueryBatch(context.Context, envelope.PayoutBatch) (envelope.PayoutBatchStatus, error) {
	return envelope.PayoutBatchStatus{}, errLater
}
func (counterparts) Post(context.Context, []envelope.Fact) error { return nil }
func (counterparts) Notify(context.Context, envelope.Fact) error { return nil }

// process is what serves some SETs of a world, with a teller in front.
type process struct {
	*sets.Registry
	world   *settest.World
	router  *orderset.Router
	teller  *envelope.Teller
	tickets *envelope.Tickets
}

// newProcess serves the first n SETs of a world until the test ends.
func newProcess(t *testing.T, w *settest.World, n int) *process {
	t.Helper()
	topology, err := orderset.NewTopology(w.Specs[:n])
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	p := &process{world: w}
	p.router, err = orderset.NewRouter(orderset.Config{Topology: topology, App: w.App, DrawKey: w.DrawKey,
		Memory: orderserver.ModeGroup.Memory(), Owner: "process", Now: time.Now, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	p.Registry, err = sets.New(sets.Config{Router: p.router, Mode: orderserver.ModeGroup, Owner: "process", DrawKey: w.DrawKey,
		Migrator: orderset.Account{User: "migrator", Password: "migrator-test"},
		Worker: worker.Config{Cashier: counterparts{}, Bookkeeper: counterparts{}, Events: counterparts{},
			PayWithin: 15 * time.Minute, Now: time.Now}, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	if p.tickets, err = envelope.NewTickets(envelope.TicketKey{Secret: []byte("a ticket key of 32 bytes at least")}); err != nil {
		t.Fatal(err)
	}
	p.teller, err = envelope.NewTeller(envelope.TellerConfig{Placement: p, Provider: counterparts{}, DrawKey: w.DrawKey,
		Tickets: p.tickets, Limits: envelope.DefaultLimits(), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ready := make(chan struct{})
	var minting sync.WaitGroup
	minting.Go(func() { p.router.KeepMinting(ctx, ready) })
	p.Start()
	t.Cleanup(func() {
		drain, cancel := context.WithTimeout(context.Background(), waitMax)
		defer cancel()
		err := p.Close(drain)
		stop()
		minting.Wait()
		if err = errors.Join(err, p.router.Close()); err != nil {
			t.Error(err)
		}
	})
	<-ready
	return p
}

// load sends, pays and opens, and holds every failure to what may be refused.
type load struct {
	*process
	moving  map[envelope.SetNumber]bool // SETs that may be refused
	serial  atomic.Int64
	refused atomic.Int64
	mu      sync.Mutex                           // guards the field below
	made    map[envelope.SetNumber][]envelope.ID // envelopes of which every share was opened or tried
}

func (l *load) sent(n envelope.SetNumber) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.made[n])
}

// round sends one envelope and has three users open its three shares.
func (l *load) round(ctx context.Context) error {
	const count = 3
	key := fmt.Sprint("key-", l.serial.Add(1))
	var sent envelope.Sent
	err := l.again(ctx, func() (err error) {
		sent, err = l.teller.Send(ctx, envelope.Order{Sender: "ann", Key: key, Kind: envelope.Lucky, Total: 300, Count: count, Group: "g"})
		return err
	})
	id := sent.Envelope.ID
	if l.gone(id, err) {
		return nil
	}
	if err == nil {
		err = l.again(ctx, func() error {
			return l.teller.Paid(ctx, envelope.Payment{OrderNo: id, TransactionID: "tx-" + string(id)[3:], Amount: 300, PaidAt: time.Now()})
		})
	}
	for u := 0; u < count && err == nil; u++ {
		req := envelope.OpenRequest{ID: id, User: envelope.UserID(fmt.Sprint("u", u))}
		err = l.again(ctx, func() error {
			o, err := l.teller.Open(ctx, req, l.tickets.Mint(id))
			if err == nil && o.Outcome != envelope.Opened && o.Outcome != envelope.AlreadyOpened {
				err = fmt.Errorf("share %d: %v", u, o.Outcome)
			}
			return err
		})
	}
	if l.gone(id, err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", id, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.made[id.Set()] = append(l.made[id.Set()], id)
	return nil
}

// gone reports whether the SET of an envelope has refused to the last.
func (l *load) gone(id envelope.ID, err error) bool {
	_, busy := errors.AsType[*envelope.BusyError](err)
	return busy && (id == "" || l.moving[id.Set()])
}

// again repeats what is refused, as a caller does, a few times.
func (l *load) again(ctx context.Context, do func() error) (err error) {
	for range 20 {
		if err = do(); err == nil {
			return nil
		}
		busy, retry := errors.AsType[*envelope.BusyError](err)
		if !retry || busy.RetryAfter <= 0 {
			return err
		}
		l.refused.Add(1)
		select {
		case <-ctx.Done():
			return err
		case <-time.After(5 * time.Millisecond):
		}
	}
	return err
}

// run keeps some callers going while change changes the SETs.
func (l *load) run(t *testing.T, change func()) {
	t.Helper()
	stop := make(chan struct{})
	var callers sync.WaitGroup
	for range 6 {
		callers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := l.round(t.Context()); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	change()
	close(stop)
	callers.Wait()
}

func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(waitMax); !holds(); {
		if t.Failed() || time.Now().After(deadline) {
			t.Fatal(what + ": not within a minute")
		}
		<-time.After(5 * time.Millisecond)
	}
}

func newLoad(p *process, moving ...envelope.SetNumber) *load {
	l := &load{process: p, moving: map[envelope.SetNumber]bool{}, made: map[envelope.SetNumber][]envelope.ID{}}
	for _, n := range moving {
		l.moving[n] = true
	}
	return l
}

// wantMore waits for further envelopes of a SET.
func (l *load) wantMore(t *testing.T, n envelope.SetNumber) {
	t.Helper()
	from := l.sent(n)
	await(t, fmt.Sprintf("more envelopes in SET %v", n), func() bool { return l.sent(n) >= from+20 })
}

func TestSetsComeAndGoUnderLoad(t *testing.T) {
	w := databases.World(t, 3)
	p := newProcess(t, w, 2)
	stays, goes, comes := w.Specs[0], w.Specs[1], w.Specs[2]
	l := newLoad(p, goes.Number)
	l.run(t, func() {
		l.wantMore(t, goes.Number)
		if err := p.Join(t.Context(), comes); err != nil {
			t.Fatal(err)
		}
		l.wantMore(t, comes.Number)
		if err := p.Leave(goes.Number); err != nil {
			t.Fatal(err)
		}
		id := l.made[goes.Number][0]
		for what, err := range map[string]error{
			"open": second(p.teller.Open(t.Context(), envelope.OpenRequest{ID: id, User: "u0"}, p.tickets.Mint(id))),
			"show": second(p.teller.Show(t.Context(), id, "ann", p.tickets.Mint(id))),
			"keys": second(p.Keys(envelope.KeyHome{Set: goes.Number})),
			"pay":  p.teller.Paid(t.Context(), envelope.Payment{OrderNo: id}),
		} {
			if busy, ok := errors.AsType[*envelope.BusyError](err); !ok || busy.Reason != envelope.ReasonSetUnavailable || busy.RetryAfter <= 0 {
				t.Errorf("%s of an envelope whose SET has left: %v, want it busy", what, err)
			}
		}
		l.wantMore(t, stays.Number)
		l.wantMore(t, comes.Number)
		if n := len(p.All()); n != 2 || strings.Contains(gathered(t, p), fmt.Sprintf("%q", goes.Number.String())) {
			t.Errorf("%d SETs, metrics of\n%s", n, gathered(t, p))
		}
		if err := p.Join(t.Context(), goes); err != nil { // and comes back with all it had
			t.Fatal(err)
		}
		d, err := p.teller.Show(t.Context(), id, "ann", p.tickets.Mint(id))
		if err != nil || len(d.Shares) != 3 {
			t.Errorf("an envelope whose SET is back: %+v, %v", d, err)
		}
		l.wantMore(t, goes.Number)
	})
	t.Logf("%d refusals", l.refused.Load())
}

func TestASetIsReplacedUnderLoad(t *testing.T) {
	w := databases.World(t, 2)
	p := newProcess(t, w, 2)
	l := newLoad(p)
	l.run(t, func() {
		for range 3 {
			l.wantMore(t, w.Specs[0].Number)
			old, err := p.Unit(w.Specs[0].Number)
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Join(t.Context(), w.Specs[0]); err != nil {
				t.Fatal(err)
			}
			now, err := p.Unit(w.Specs[0].Number)
			if err != nil || now == old || len(p.All()) != 2 {
				t.Errorf("replaced %p by %p among %d, %v", old, now, len(p.All()), err)
			}
		}
		l.wantMore(t, w.Specs[0].Number)
	})
}

func TestASetThatDoesNotPassDoesNotJoin(t *testing.T) {
	w := databases.World(t, 3)
	p := newProcess(t, w, 2)
	third := w.Specs[2]
	for want, spoil := range map[string]func(*orderset.SetSpec){
		"both grant machine block": func(s *orderset.SetSpec) { s.MachineBlock = w.Specs[0].MachineBlock },
		"want host:port":           func(s *orderset.SetSpec) { s.Primary = "nowhere" },
		"does not join":            func(s *orderset.SetSpec) { s.Number += 200 },
		"memcached":                func(s *orderset.SetSpec) { s.Memcached = []string{"no port"} },
	} {
		spec := third
		spoil(&spec)
		if err := p.Join(t.Context(), spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	w.Proxies[2].Freeze(true)
	w.Proxies[2].Cut()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := p.Join(ctx, third); err == nil {
		t.Error("a SET that does not answer has joined")
	}
	w.Proxies[2].Freeze(false)
	if len(p.All()) != 2 || len(p.router.Topology().Specs()) != 2 {
		t.Errorf("%d units, %v", len(p.All()), p.router.Topology().Specs())
	}
	if err := p.Leave(third.Number); err == nil {
		t.Error("a SET that never joined has left")
	}
	if err := p.Leave(w.Specs[1].Number); err != nil {
		t.Error(err)
	}
	if err := p.Leave(w.Specs[0].Number); err == nil {
		t.Error("the last SET has left")
	}
	third.MachineBlock = w.Specs[1].MachineBlock
	if err := p.Join(t.Context(), third); err == nil || !strings.Contains(err.Error(), "may still be leased") {
		t.Errorf("%v: the machine numbers of a SET that has left are given out by another", err)
	}
}

func second[T any](_ T, err error) error { return err }

// gathered names the SETs that metrics are labelled with.
func gathered(t *testing.T, p *process) string {
	t.Helper()
	families, err := p.Gather()
	if err != nil {
		t.Fatal(err)
	}
	labels := map[string]bool{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, label := range m.GetLabel() {
				if label.GetName() == "set" {
					labels[fmt.Sprintf("%q", label.GetValue())] = true
				}
			}
		}
	}
	return fmt.Sprint(labels)
}
