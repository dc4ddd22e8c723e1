package relay_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"hongbao/envelope"
	"hongbao/internal/relay"
	"hongbao/internal/settest"
	"hongbao/orderset"
)

// servers are the databases of every test in this package.
var servers settest.Servers

func TestMain(m *testing.M) {
	useMemory()
	code := servers.Main(m)
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// useMemory puts the servers' files into memory where there is room: nothing
// here pulls the plug, and an fsync there costs nothing.
func useMemory() {
	const dir, room = "/dev/shm", 4 << 30
	var fs syscall.Statfs_t
	if os.Getenv("TMPDIR") == "" && syscall.Statfs(dir, &fs) == nil && fs.Bavail*uint64(fs.Bsize) > room {
		os.Setenv("TMPDIR", dir)
	}
}

// bench is a world of one SET on a real database, with receivers that remember
// what they were told and that a test can make lie.
type bench struct {
	*settest.World
	admin   *sql.DB
	cashier *cashier
	books   *receiver
	events  *receiver
}

func newBench(t *testing.T) *bench {
	t.Helper()
	w := servers.World(t, 1)
	return &bench{World: w, admin: w.Admin(t, 0), cashier: &cashier{moved: map[string]envelope.Fen{}, placed: map[string]int{}, batches: map[string]*bundled{}}, books: newReceiver(), events: newReceiver()}
}

func (b *bench) set() *orderset.Set { return b.Router.Sets()[0] }

func (b *bench) config(s relay.Store, set *orderset.Set) relay.Config {
	return relay.Config{
		Store: s, Orders: set, Cashier: b.cashier, Bookkeeper: b.books, Events: b.events, PayWithin: 15 * time.Minute, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Backlog: func(ctx context.Context) (map[string]relay.Backlog, error) {
			waiting, err := set.Owed().Backlog(ctx)
			all := map[string]relay.Backlog{}
			for topic, w := range waiting {
				all[topic] = relay.Backlog{Pending: w.Pending, Oldest: w.Oldest, Stuck: w.Stuck}
			}
			return all, err
		},
	}
}

// start runs a relay until stop.
func (b *bench) start(t *testing.T, s relay.Store, set *orderset.Set) (r *relay.Relay, stop func()) {
	t.Helper()
	r, err := relay.New(b.config(s, set))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { r.Run(ctx) })
	stop = func() { cancel(); running.Wait() }
	t.Cleanup(stop)
	return r, stop
}

// active sends envelopes of five shares, and opens that many shares of each.
func (b *bench) active(t *testing.T, n, opened int) (all []envelope.Envelope) {
	t.Helper()
	for range n {
		all = append(all, b.Active(t, 0, envelope.Order{Total: 5000, Count: 5}))
	}
	for k := range opened {
		b.openAll(t, all, envelope.UserID(fmt.Sprintf("user-%d", k)))
	}
	return all
}

// openAll opens each envelope for one user, in one transaction.
func (b *bench) openAll(t *testing.T, all []envelope.Envelope, user envelope.UserID) {
	t.Helper()
	reqs := make([]envelope.OpenRequest, len(all))
	for i, e := range all {
		reqs[i] = envelope.OpenRequest{ID: e.ID, User: user}
	}
	openings, err := b.set().Open(t.Context(), reqs)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range openings {
		if o.Outcome != envelope.Opened {
			t.Fatalf("%s: %s, %v", user, o.Outcome, o.Err)
		}
	}
}

// hurry makes everything due that waits for a lease or a wait to end.
func (b *bench) hurry(t *testing.T) {
	t.Helper()
	b.exec(t, "UPDATE transfer SET due_at = UTC_TIMESTAMP(3) WHERE state = 'pending' AND due_at > UTC_TIMESTAMP(3)")
	b.exec(t, "UPDATE payout_batch SET due_at = UTC_TIMESTAMP(3) WHERE state = 'pending' AND due_at > UTC_TIMESTAMP(3)")
	b.exec(t, "UPDATE delivery SET due_at = UTC_TIMESTAMP(3) WHERE state = 'pending' AND topic <> 'charge' AND due_at > UTC_TIMESTAMP(3)")
}

// exec runs a statement that may meet the relays' locks.
func (b *bench) exec(t *testing.T, statement string, args ...any) {
	t.Helper()
	eventually(t, 10*time.Second, statement, func() bool { _, err := b.admin.Exec(statement, args...); return err == nil })
}

func (b *bench) count(t *testing.T, query string, args ...any) (n int) {
	t.Helper()
	if err := b.admin.QueryRow(query, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// idle reports whether everything that was committed has been carried out.
func (b *bench) idle(t *testing.T) bool {
	t.Helper()
	// One statement is one snapshot: work moves from table to table.
	return b.count(t, "SELECT (SELECT COUNT(*) FROM outbox WHERE state = 'pending') + (SELECT COUNT(*) FROM transfer WHERE state = 'pending') + "+
		"(SELECT COUNT(*) FROM delivery WHERE state = 'pending' AND topic <> 'charge')") == 0
}

// wantAllPaid holds the provider, the books and the IM backend against the
// shares that were opened: each paid out once, and each notified.
func (b *bench) wantAllPaid(t *testing.T, all []envelope.Envelope) {
	t.Helper()
	want := map[string]envelope.Fen{}
	for _, e := range all {
		snap, err := b.Router.Find(t.Context(), e.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range snap.Shares {
			want[envelope.TransferNo(e.ID, s.Seq, 1)] = s.Amount
		}
		if snap.Envelope.Refunded > 0 {
			want[envelope.TransferNo(e.ID, 0, 1)] = snap.Envelope.Refunded
		}
		for name, r := range map[string]*receiver{"books": b.books, "events": b.events} {
			r.wantTold(t, name, &snap)
		}
	}
	b.cashier.mu.Lock()
	defer b.cashier.mu.Unlock()
	for no, amount := range want {
		if b.cashier.moved[no] != amount {
			t.Errorf("%s moved %d fen, want %d", no, b.cashier.moved[no], amount)
		}
	}
	if len(b.cashier.moved) != len(want) {
		t.Errorf("%d transfers moved money, want %d (I7)", len(b.cashier.moved), len(want))
	}
}

func eventually(t testing.TB, most time.Duration, what string, done func() bool) {
	t.Helper()
	ask := time.NewTicker(5 * time.Millisecond)
	defer ask.Stop()
	for deadline := time.Now().Add(most); !done(); <-ask.C {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", most, what)
		}
	}
}

// cashier moves money once under each number, and answers as lie says.
type cashier struct {
	mu     sync.Mutex
	moved  map[string]envelope.Fen
	placed map[string]int // calls of Place and PlaceBatch, by number
	queue  []envelope.Transfer

	batches map[string]*bundled
	refuse  func(payoutNo string) bool // nil: none
	wrong   []string                   // what should not have been asked for

	lie    func(t envelope.Transfer) lie                       // nil: the truth
	charge func(id envelope.ID) (envelope.ChargeStatus, error) // nil: unpaid
}

// A lie is what is wrong with an answer.
type lie int

const (
	truth  lie = iota
	silent     // not carried out, and no answer
	mute       // carried out, and no answer
	late       // carried out at some later call, and no answer until then
	busy
	strange // refused with an error that is no status
)

func (c *cashier) answer(t envelope.Transfer) (envelope.TransferStatus, error) {
	progress := envelope.ProgressAbsent
	if _, moved := c.moved[t.No()]; moved {
		progress = envelope.ProgressDone
	}
	return envelope.TransferStatus{No: t.No(), Progress: progress, Amount: t.Amount, ProviderNo: "w" + t.No()}, nil
}

func (c *cashier) tells(t envelope.Transfer) lie {
	if c.lie == nil {
		return truth
	}
	return c.lie(t)
}

func (c *cashier) Place(_ context.Context, t envelope.Transfer) (envelope.TransferStatus, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.placed[t.No()]++
	switch c.tells(t) {
	case silent:
		return envelope.TransferStatus{}, fmt.Errorf("place: %w", envelope.ErrUnknownOutcome)
	case mute:
		c.moved[t.No()] = t.Amount
		return envelope.TransferStatus{}, fmt.Errorf("place: %w", envelope.ErrUnknownOutcome)
	case late:
		c.queue = append(c.queue, t)
		return envelope.TransferStatus{}, context.DeadlineExceeded
	case busy:
		return envelope.TransferStatus{}, fmt.Errorf("place: %w", &envelope.BusyError{Reason: "provider", RetryAfter: 100 * time.Millisecond})
	case strange:
		return envelope.TransferStatus{}, errors.New("PARAM_ERROR")
	}
	c.moved[t.No()] = t.Amount
	return c.answer(t)
}

func (c *cashier) Query(_ context.Context, t envelope.Transfer) (envelope.TransferStatus, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.queue) > 0 && rand.N(2) == 0 {
		q := c.queue[0]
		c.queue, c.moved[q.No()] = c.queue[1:], q.Amount
	}
	switch c.tells(t) {
	case silent, mute, late:
		return envelope.TransferStatus{}, fmt.Errorf("query: %w", envelope.ErrUnknownOutcome)
	case busy:
		return envelope.TransferStatus{}, fmt.Errorf("query: %w", &envelope.BusyError{Reason: "provider", RetryAfter: 100 * time.Millisecond})
	case strange:
		return envelope.TransferStatus{}, errors.New("PARAM_ERROR")
	}
	return c.answer(t)
}

func (c *cashier) QueryCharge(_ context.Context, id envelope.ID) (envelope.ChargeStatus, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.charge == nil {
		return envelope.ChargeStatus{State: envelope.ChargeUnpaid}, nil
	}
	return c.charge(id)
}

func (c *cashier) CloseCharge(context.Context, envelope.ID) error { return nil }

// set changes how the cashier lies.
func (c *cashier) set(lie func(envelope.Transfer) lie) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lie = lie
}

func (c *cashier) done() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.moved)
}

// receiver remembers what it was told of each envelope, for books and events.
type receiver struct {
	mu    sync.Mutex
	told  map[envelope.ID]*told
	fails func() error // nil: never
}

type told struct {
	shares  map[int]envelope.Fen
	last    envelope.Cursor // the furthest it has heard of
	gaps    []string        // what came too early
	repeats int
}

func newReceiver() *receiver { return &receiver{told: map[envelope.ID]*told{}} }

func (r *receiver) Post(_ context.Context, facts []envelope.Fact) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fails != nil {
		if err := r.fails(); err != nil {
			return err
		}
	}
	for i := range facts {
		r.hear(&facts[i])
	}
	return nil
}

func (r *receiver) Notify(ctx context.Context, f envelope.Fact) error {
	return r.Post(ctx, []envelope.Fact{f})
}

func (r *receiver) hear(f *envelope.Fact) {
	of := r.told[f.Envelope.ID]
	if of == nil {
		of = &told{shares: map[int]envelope.Fen{}}
		r.told[f.Envelope.ID] = of
	}
	stage := map[envelope.FactKind]envelope.Stage{
		envelope.FactActive: envelope.StageActive, envelope.FactFinished: envelope.StageFinished, envelope.FactRefunded: envelope.StageRefunded,
	}[f.Kind]
	if f.Kind == envelope.FactOpened {
		for _, s := range f.Shares {
			if s.Seq > of.last.Seq+1 || of.last.Stage < envelope.StageActive {
				of.gaps = append(of.gaps, fmt.Sprintf("share %d after %+v", s.Seq, of.last))
			}
			if _, again := of.shares[s.Seq]; again {
				of.repeats++
			}
			of.shares[s.Seq] = s.Amount
			of.last.Seq = max(of.last.Seq, s.Seq)
		}
		return
	}
	if stage > of.last.Stage+1 {
		of.gaps = append(of.gaps, fmt.Sprintf("%s after %+v", f.Kind, of.last))
	}
	if stage <= of.last.Stage {
		of.repeats++
	}
	of.last.Stage = max(of.last.Stage, stage)
}

// wantTold fails unless the receiver knows of exactly what happened, and heard it
// in order.
func (r *receiver) wantTold(t *testing.T, name string, snap *envelope.Snapshot) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	of := r.told[snap.Envelope.ID]
	if of == nil {
		t.Errorf("%s: never told of %s", name, snap.Envelope.ID)
		return
	}
	if len(of.gaps) > 0 {
		t.Errorf("%s: of %s heard %v", name, snap.Envelope.ID, of.gaps)
	}
	for _, s := range snap.Shares {
		if of.shares[s.Seq] != s.Amount {
			t.Errorf("%s: share %d of %s is %d fen, was told %d", name, s.Seq, snap.Envelope.ID, s.Amount, of.shares[s.Seq])
		}
	}
	stage := envelope.StageActive
	if snap.Envelope.State.Finished() {
		stage = envelope.StageFinished
	}
	if snap.Envelope.Refunded > 0 {
		stage = envelope.StageRefunded
	}
	if len(of.shares) != len(snap.Shares) || of.last.Stage != stage {
		t.Errorf("%s: of %s was told %d shares up to %+v, there are %d in %s", name, snap.Envelope.ID, len(of.shares), of.last, len(snap.Shares), snap.Envelope.State)
	}
}

// repeats counts what was told more than once.
func (r *receiver) repeats() (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, of := range r.told {
		n += of.repeats
	}
	return n
}
