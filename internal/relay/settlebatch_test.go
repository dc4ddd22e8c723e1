package relay_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hongbao/envelope"
	"hongbao/internal/relay"
	"hongbao/orderset"
)

// bundled is a batch as the cashier knows it.
type bundled struct {
	terms   map[string]envelope.Fen // by the payouts' numbers
	ended   bool
	refused []envelope.TransferStatus
}

// end moves the money of each payout that refuse does not name.
func (c *cashier) end(no string, b *bundled) {
	b.ended = true
	for payout, amount := range b.terms {
		if c.refuse != nil && c.refuse(payout) {
			b.refused = append(b.refused, envelope.TransferStatus{No: payout, Progress: envelope.ProgressRefused, Code: "ACCOUNT_FROZEN"})
			continue
		}
		if _, again := c.moved[payout]; again {
			c.wrong = append(c.wrong, payout+" moved again, in "+no)
		}
		c.moved[payout] = amount
	}
}

func (c *cashier) PlaceBatch(_ context.Context, b envelope.PayoutBatch) (envelope.PayoutBatchStatus, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	terms := map[string]envelope.Fen{}
	for i := range b.Payouts {
		terms[b.Payouts[i].No()] = b.Payouts[i].Amount
	}
	known := c.batches[b.No]
	if known != nil && !cmp.Equal(known.terms, terms) {
		c.wrong = append(c.wrong, b.No+" has other terms: "+cmp.Diff(known.terms, terms))
	}
	c.placed[b.No]++
	told := c.tells(b.Payouts[0])
	if known == nil && (told == truth || told == mute || told == late) {
		known = &bundled{terms: terms}
		c.batches[b.No] = known
		if told != late {
			c.end(b.No, known)
		}
	}
	return c.answerBatch(b.No, told)
}

func (c *cashier) QueryBatch(_ context.Context, b envelope.PayoutBatch) (envelope.PayoutBatchStatus, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known := c.batches[b.No]; known != nil && !known.ended && rand.N(2) == 0 {
		c.end(b.No, known)
	}
	return c.answerBatch(b.No, c.tells(b.Payouts[0]))
}

func (c *cashier) answerBatch(no string, told lie) (envelope.PayoutBatchStatus, error) {
	switch told {
	case silent, mute:
		return envelope.PayoutBatchStatus{}, fmt.Errorf("batch: %w", envelope.ErrUnknownOutcome)
	case busy:
		return envelope.PayoutBatchStatus{}, fmt.Errorf("batch: %w", &envelope.BusyError{Reason: "provider", RetryAfter: 100 * time.Millisecond})
	case strange:
		return envelope.PayoutBatchStatus{}, errors.New("PARAM_ERROR")
	}
	known := c.batches[no]
	switch {
	case known == nil:
		return envelope.PayoutBatchStatus{No: no, Progress: envelope.ProgressAbsent}, nil
	case !known.ended:
		return envelope.PayoutBatchStatus{No: no, Progress: envelope.ProgressUnderWay}, nil
	}
	status := envelope.PayoutBatchStatus{No: no, Progress: envelope.ProgressDone, ProviderNo: "b" + no, Paid: len(known.terms) - len(known.refused), Refused: known.refused}
	for _, amount := range known.terms {
		status.PaidAmount += amount
	}
	for _, r := range known.refused {
		status.PaidAmount -= known.terms[r.No]
	}
	return status, nil
}

// batching is an order server on the bench's SET whose spreads make batches.
func (b *bench) batching(t *testing.T) *orderset.Set {
	t.Helper()
	r, err := orderset.NewRouter(orderset.Config{
		Topology: b.Topology, App: b.App, DrawKey: b.DrawKey, Memory: 1024, Owner: t.Name() + "/batching", BatchPayouts: true,
		Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r.Sets()[0]
}

// wantBatched is wantAllPaid, and that payouts went in batches, each batch with
// the same terms however often it was placed.
func (b *bench) wantBatched(t *testing.T, all []envelope.Envelope) {
	t.Helper()
	b.wantAllPaid(t, all)
	if bills := b.count(t, "SELECT COUNT(*) FROM transfer WHERE batch = '' AND seq > 0"); bills > 0 {
		t.Errorf("%d payouts were made bills", bills)
	}
	if pending := b.count(t, "SELECT COUNT(*) FROM payout_batch WHERE state = 'pending'"); pending > 0 {
		t.Errorf("%d batches are pending, and all their payouts have ended", pending)
	}
	b.cashier.mu.Lock()
	defer b.cashier.mu.Unlock()
	for _, what := range b.cashier.wrong {
		t.Error(what)
	}
	if len(b.cashier.batches) == 0 || len(b.cashier.batches) > len(b.cashier.moved)/2 {
		t.Errorf("%d batches for %d payouts", len(b.cashier.batches), len(b.cashier.moved))
	}
}

func TestPayoutsGoInBatchesAndAllIsSettled(t *testing.T) {
	b := newBench(t)
	all := b.active(t, 40, 5)
	set := b.batching(t)
	b.start(t, set.Owed(), set)
	eventually(t, 30*time.Second, "everything is carried out", func() bool { return b.idle(t) })
	b.wantBatched(t, all)
	for _, e := range all {
		if snap, err := b.Router.Find(t.Context(), e.ID); err != nil || snap.Envelope.State != envelope.Settled {
			t.Errorf("%s is %s, %v", e.ID, snap.Envelope.State, err)
		}
	}
}

// Bills and batches under way at once, and a provider that answers what it likes (FG1, FG5).
func TestALyingProviderMovesBatchesOnce(t *testing.T) {
	b := newBench(t)
	b.cashier.set(func(envelope.Transfer) lie { return lie(rand.N(int(strange))) })
	set := b.batching(t)
	_, stop := b.start(t, set.Owed(), set)
	early := time.NewTicker(50 * time.Millisecond)
	defer early.Stop()
	var all []envelope.Envelope
	for n := range 60 {
		<-early.C
		if n%3 == 0 {
			all = append(all, b.active(t, 2, 5)...)
		}
		b.hurry(t) // leases end early, so looks overlap as well
	}
	stop()
	b.cashier.set(nil)
	b.start(t, set.Owed(), set)
	eventually(t, 30*time.Second, "everything is carried out", func() bool { b.hurry(t); return b.idle(t) })
	b.wantBatched(t, all)
}

// dyingBatch is the store of a relay that dies when it has the end of a batch to
// record: just before the record, or just after.
type dyingBatch struct {
	relay.Store
	record bool
	die    func()
	once   sync.Once
}

func (d *dyingBatch) ClaimBatches(ctx context.Context, _ int, lease time.Duration) ([]envelope.PayoutBatch, error) {
	return d.Store.ClaimBatches(ctx, 1, lease)
}

func (d *dyingBatch) RecordBatch(ctx context.Context, status envelope.PayoutBatchStatus) error {
	died := true
	d.once.Do(func() { died = false })
	if !died && d.record {
		if err := d.Store.RecordBatch(ctx, status); err != nil {
			return err
		}
	}
	d.die()
	return errDied
}

// FG6.
func TestARelayThatDiesPaysNoBatchTwice(t *testing.T) {
	const deaths = 20
	b := newBench(t)
	set := b.batching(t)
	var all []envelope.Envelope
	for range deaths {
		all = append(all, b.active(t, 2, 5)...)
		if _, err := set.Owed().Spread(t.Context(), 256); err != nil {
			t.Fatal(err)
		}
	}
	for n := range deaths {
		died := make(chan struct{})
		store := &dyingBatch{Store: set.Owed(), record: n%2 == 1, die: sync.OnceFunc(func() { close(died) })}
		_, stop := b.start(t, store, set)
		select {
		case <-died:
		case <-time.After(45 * time.Second): // those before may have claimed all that is due, for 30 s
			t.Fatalf("relay %d found nothing to do", n)
		}
		stop()
	}
	b.hurry(t)
	b.start(t, set.Owed(), set)
	eventually(t, 30*time.Second, "everything is carried out", func() bool { return b.idle(t) })
	b.wantBatched(t, all)
	for no, n := range b.cashier.placed {
		if n > 1 {
			t.Errorf("%s was placed %d times, though the provider knew it", no, n)
		}
	}
}

func TestRefusedPayoutsOfABatchAreHeld(t *testing.T) {
	b := newBench(t)
	all := b.active(t, 20, 5)
	bad := envelope.TransferNo(all[3].ID, 2, 1)
	b.cashier.refuse = func(no string) bool { return no == bad }
	set := b.batching(t)
	b.start(t, set.Owed(), set)
	eventually(t, 30*time.Second, "everything is carried out", func() bool { return b.idle(t) })
	if held, posted := b.count(t, "SELECT COUNT(*) FROM transfer WHERE state = 'held'"), b.count(t, "SELECT COUNT(*) FROM transfer WHERE state = 'posted'"); held != 1 || posted != 99 {
		t.Errorf("%d held, %d posted", held, posted)
	}
	if tr, err := set.Owed().Transfer(t.Context(), all[3].ID, 2); err != nil || tr.State != envelope.Held || tr.Reason != "ACCOUNT_FROZEN" {
		t.Errorf("the refused one is %s, %q, %v", tr.State, tr.Reason, err)
	}
}

// FG2.
func TestCallbackMeetsAPollOfTheBatch(t *testing.T) {
	b := newBench(t)
	all := b.active(t, 10, 5)
	b.cashier.set(func(envelope.Transfer) lie { return mute })
	set := b.batching(t)
	r, _ := b.start(t, set.Owed(), set)
	eventually(t, 30*time.Second, "all are placed", func() bool { return b.cashier.done() == 50 })
	b.cashier.set(nil)
	b.cashier.mu.Lock()
	var ends []envelope.PayoutBatchStatus
	for no := range b.cashier.batches {
		end, err := b.cashier.answerBatch(no, truth)
		if err != nil {
			t.Fatal(err)
		}
		ends = append(ends, end)
	}
	b.cashier.mu.Unlock()
	b.hurry(t)
	var callers sync.WaitGroup
	for _, end := range ends {
		for range 4 {
			callers.Go(func() {
				if err := r.RecordBatch(end); err != nil {
					t.Error(err)
				}
				unsaid := end
				unsaid.Progress = envelope.ProgressUnknown
				if err := r.RecordBatch(unsaid); err != nil {
					t.Error(err)
				}
			})
		}
	}
	callers.Wait()
	eventually(t, 30*time.Second, "everything is carried out", func() bool { return b.idle(t) })
	b.wantBatched(t, all)
}
