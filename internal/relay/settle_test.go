package relay_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"hongbao/envelope"
	"hongbao/internal/relay"
	"hongbao/internal/settest"
)

func TestOpensArePaidOutBookedAndNotified(t *testing.T) {
	b := newBench(t)
	b.start(t, b.set().Owed(), b.set())
	all := b.active(t, 20, 5)
	eventually(t, 30*time.Second, "everything is carried out", func() bool { return b.idle(t) })
	b.wantAllPaid(t, all)
	for _, e := range all {
		if snap, err := b.Router.Find(t.Context(), e.ID); err != nil || snap.Envelope.State != envelope.Settled {
			t.Errorf("%s is %s, %v", e.ID, snap.Envelope.State, err)
		}
	}
	if n := b.books.repeats() + b.events.repeats(); n != 0 {
		t.Errorf("%d repeats on a day without faults", n)
	}
}

func TestUnopenedMoneyGoesBack(t *testing.T) {
	b := newBench(t)
	b.start(t, b.set().Owed(), b.set())
	all := b.active(t, 5, 2)
	for _, e := range all {
		table := fmt.Sprintf("envelope_%d_%02d", e.ID.TableDigit(), e.ID.Day().OfMonth())
		b.exec(t, "UPDATE "+table+" SET expires_at = UTC_TIMESTAMP(3) WHERE order_id = ?", e.ID)
		if e, err := b.set().Expire(t.Context(), e.ID); err != nil || e.State != envelope.Expired {
			t.Fatalf("%s, %v", e.State, err)
		}
	}
	eventually(t, 30*time.Second, "everything is carried out", func() bool { return b.idle(t) })
	b.wantAllPaid(t, all)
}

// The provider answers what it likes: nothing, too late, after the fact (FG1, FG5).
func TestALyingProviderMovesEveryFenOnce(t *testing.T) {
	b := newBench(t)
	b.cashier.set(func(envelope.Transfer) lie { return lie(rand.N(int(strange))) })
	_, stop := b.start(t, b.set().Owed(), b.set())
	all := b.active(t, 40, 5)
	early := time.NewTicker(50 * time.Millisecond)
	defer early.Stop()
	for range 100 {
		<-early.C
		b.hurry(t) // leases end early, so looks overlap as well
	}
	stop()
	b.cashier.set(nil)
	b.start(t, b.set().Owed(), b.set())
	eventually(t, 30*time.Second, "everything is carried out", func() bool { b.hurry(t); return b.idle(t) })
	b.wantAllPaid(t, all)
}

// dying is the store of a relay that dies when it has something to record: just
// before the record, or just after.
type dying struct {
	relay.Store
	record bool
	die    func()
	once   sync.Once
}

var errDied = errors.New("the process has died")

func (d *dying) ClaimTransfers(ctx context.Context, _ int, lease time.Duration) ([]envelope.Transfer, error) {
	return d.Store.ClaimTransfers(ctx, 1, lease)
}

func (d *dying) RecordTransfers(ctx context.Context, words []envelope.TransferUpdate) ([]error, error) {
	died := true
	d.once.Do(func() { died = false })
	if !died && d.record {
		if _, err := d.Store.RecordTransfers(ctx, words); err != nil {
			return nil, err
		}
	}
	d.die()
	return nil, errDied
}

// FG6.
func TestARelayThatDiesPaysNoTransferTwice(t *testing.T) {
	const deaths = 200
	b := newBench(t)
	all := b.active(t, deaths/4, 5)
	for b.count(t, "SELECT COUNT(*) FROM outbox WHERE state = 'pending'") > 0 {
		if _, err := b.set().Owed().Spread(t.Context(), 256); err != nil {
			t.Fatal(err)
		}
	}
	for n := range deaths {
		died := make(chan struct{})
		store := &dying{Store: b.set().Owed(), record: n%2 == 1}
		store.die = sync.OnceFunc(func() { close(died) })
		_, stop := b.start(t, store, b.set())
		select {
		case <-died:
		case <-time.After(45 * time.Second): // those before may have claimed all that is due, for 30 s
			t.Fatalf("relay %d found nothing to do", n)
		}
		stop()
		if n%10 == 9 {
			b.hurry(t)
		}
	}
	b.hurry(t)
	b.start(t, b.set().Owed(), b.set())
	eventually(t, 30*time.Second, "everything is carried out", func() bool { return b.idle(t) })
	b.wantAllPaid(t, all)
	for no, n := range b.cashier.placed {
		if n > 1 {
			t.Errorf("%s was placed %d times, though the provider knew it", no, n)
		}
	}
}

// FG7.
func TestFourRelaysDoEachThingOnce(t *testing.T) {
	b := newBench(t)
	for range 4 {
		set := b.NewRouter(t).Sets()[0]
		_, stop := b.start(t, set.Owed(), set)
		defer stop()
	}
	all := b.active(t, 60, 5)
	eventually(t, 30*time.Second, "everything is carried out", func() bool { return b.idle(t) })
	b.wantAllPaid(t, all)
	b.cashier.mu.Lock()
	defer b.cashier.mu.Unlock()
	for no, n := range b.cashier.placed {
		if n != 1 {
			t.Errorf("%s was placed %d times", no, n)
		}
	}
	if n := b.books.repeats() + b.events.repeats(); n != 0 {
		t.Errorf("%d repeats", n)
	}
}

// FG8.
func TestAPoisonedTransferBlocksNoOther(t *testing.T) {
	b := newBench(t)
	first := b.active(t, 1, 1)[0]
	bad := envelope.TransferNo(first.ID, 1, 1)
	b.cashier.set(func(t envelope.Transfer) lie {
		if t.No() == bad {
			return strange
		}
		return truth
	})
	b.start(t, b.set().Owed(), b.set())
	all := b.active(t, 30, 5)
	eventually(t, 30*time.Second, "all the others are paid", func() bool {
		return b.count(t, "SELECT COUNT(*) FROM transfer WHERE state = 'posted'") == 150
	})
	eventually(t, 30*time.Second, "and told of", func() bool {
		return b.count(t, "SELECT COUNT(*) FROM delivery WHERE state = 'pending' AND topic <> 'charge'") == 0
	})
	b.wantAllPaid(t, all)
	if tr, err := b.set().Owed().Transfer(t.Context(), first.ID, 1); err != nil || tr.State != envelope.Stuck || tr.Attempts == 0 {
		t.Errorf("the poisoned one is %s after %d attempts, %v", tr.State, tr.Attempts, err)
	}
}

// FG10.
func TestALateOutboxRowIsNotSkipped(t *testing.T) {
	b := newBench(t)
	e := b.active(t, 1, 0)[0]
	tx, err := b.admin.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec("INSERT INTO outbox (touched, state, created_at) VALUES (?, 'pending', UTC_TIMESTAMP(3))", e.ID); err != nil {
		t.Fatal(err)
	}
	b.start(t, b.set().Owed(), b.set())
	all := append(b.active(t, 10, 5), e)
	eventually(t, 30*time.Second, "what came later is carried out", func() bool {
		if _, err := tx.Exec("DO 0"); err != nil { // the server ends transactions that idle
			t.Fatal(err)
		}
		return b.cashier.done() == 50 && b.idle(t)
	})
	before := b.count(t, "SELECT COUNT(*) FROM outbox WHERE state = 'spread'")
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	eventually(t, 30*time.Second, "the earlier row is spread", func() bool {
		return b.count(t, "SELECT COUNT(*) FROM outbox WHERE state = 'spread'") > before
	})
	eventually(t, 30*time.Second, "and carried out", func() bool { return b.idle(t) })
	b.wantAllPaid(t, all)
}

func TestAnOutageDrainsOnARealDatabase(t *testing.T) {
	b := newBench(t)
	b.cashier.set(func(envelope.Transfer) lie { return busy })
	b.start(t, b.set().Owed(), b.set())
	all := b.active(t, 200, 5)
	eventually(t, 30*time.Second, "everything is spread", func() bool {
		return b.count(t, "SELECT COUNT(*) FROM transfer") == 1000 && b.count(t, "SELECT COUNT(*) FROM outbox WHERE state = 'pending'") == 0
	})
	if n := b.count(t, "SELECT COUNT(*) FROM transfer WHERE attempts > 0"); n > 200 {
		t.Errorf("%d of 1000 were risked during the outage", n)
	}
	b.cashier.set(nil)
	eventually(t, 30*time.Second, "everything is carried out", func() bool { return b.idle(t) })
	b.wantAllPaid(t, all)
}

// A commit that is lost, before or after it took effect, costs time and nothing
// else.
func TestLostCommitsLoseNothing(t *testing.T) {
	for name, c := range map[string]struct {
		fault   settest.Fault
		batches bool
	}{"before": {settest.LostBefore, false}, "after": {settest.LostAfter, false}, "before, batches": {settest.LostBefore, true}, "after, batches": {settest.LostAfter, true}} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			all := b.active(t, 20, 5)
			set, want := b.set(), b.wantAllPaid
			if c.batches {
				set, want = b.batching(t), b.wantBatched
			}
			const faults = 8
			for range faults {
				b.Proxies[0].Lose(c.fault, "COMMIT")
			}
			b.start(t, set.Owed(), set)
			eventually(t, 60*time.Second, "everything is carried out", func() bool { b.hurry(t); return b.idle(t) && b.Proxies[0].Hits() == faults })
			want(t, all)
		})
	}
}

func TestFlakyReceiversGetEverything(t *testing.T) {
	b := newBench(t)
	fails := func() error {
		switch rand.N(6) {
		case 0:
			return errors.New("500")
		case 1:
			return &envelope.BusyError{RetryAfter: 20 * time.Millisecond}
		}
		return nil
	}
	b.books.fails, b.events.fails = fails, fails
	b.start(t, b.set().Owed(), b.set())
	all := b.active(t, 30, 5)
	eventually(t, 60*time.Second, "everything is carried out", func() bool { b.hurry(t); return b.idle(t) })
	b.wantAllPaid(t, all)
}

// FF7.
func TestAnUnreportedPaymentIsFound(t *testing.T) {
	b := newBench(t)
	b.cashier.charge = func(id envelope.ID) (envelope.ChargeStatus, error) {
		return envelope.ChargeStatus{State: envelope.ChargePaid, Payment: envelope.Payment{OrderNo: id, TransactionID: "tx" + string(id), Amount: 5000, PaidAt: time.Now()}}, nil
	}
	paid := b.Unpaid(t, 0, envelope.Order{Total: 5000, Count: 5})
	b.exec(t, "UPDATE delivery SET due_at = UTC_TIMESTAMP(3) WHERE topic = 'charge'")
	_, stop := b.start(t, b.set().Owed(), b.set())
	eventually(t, 20*time.Second, "it is active", func() bool {
		snap, err := b.Router.Find(t.Context(), paid.ID)
		return err == nil && snap.Envelope.State == envelope.Active && b.count(t, "SELECT COUNT(*) FROM delivery WHERE topic = 'charge' AND state <> 'idle'") == 0
	})
	stop()
	b.cashier.charge = nil
	unpaid := b.Unpaid(t, 0, envelope.Order{Total: 5000, Count: 5})
	table := fmt.Sprintf("envelope_%d_%02d", unpaid.ID.TableDigit(), unpaid.ID.Day().OfMonth())
	b.exec(t, "UPDATE "+table+" SET created_at = created_at - INTERVAL 16 MINUTE WHERE order_id = ?", unpaid.ID)
	b.exec(t, "UPDATE delivery SET due_at = UTC_TIMESTAMP(3) WHERE topic = 'charge' AND state = 'pending'")
	b.start(t, b.set().Owed(), b.set())
	eventually(t, 20*time.Second, "it is closed", func() bool {
		snap, err := b.Router.Find(t.Context(), unpaid.ID)
		return err == nil && snap.Envelope.State == envelope.Closed
	})
}

func TestCallbackMeetsAPollOfTheTransfer(t *testing.T) {
	b := newBench(t)
	b.cashier.set(func(envelope.Transfer) lie { return mute })
	r, _ := b.start(t, b.set().Owed(), b.set())
	all := b.active(t, 3, 5)
	eventually(t, 30*time.Second, "all are placed", func() bool { return b.cashier.done() == 15 })
	b.cashier.set(nil)
	var callers sync.WaitGroup
	for _, e := range all {
		for seq := 1; seq <= 5; seq++ {
			for range 3 { // FF1, FG2: callbacks come more than once
				callers.Go(func() {
					word := envelope.TransferUpdate{TransferStatus: envelope.TransferStatus{No: envelope.TransferNo(e.ID, seq, 1), Progress: envelope.ProgressDone}}
					if err := r.RecordTransfer(t.Context(), word); err != nil {
						t.Error(err)
					}
				})
			}
		}
	}
	b.hurry(t)
	callers.Wait()
	eventually(t, 30*time.Second, "everything is carried out", func() bool { return b.idle(t) })
	b.wantAllPaid(t, all)
}
