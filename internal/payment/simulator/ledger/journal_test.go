package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"hongbao/internal/payment/simulator/refusal"
)

// writing runs a journal on a file; stop ends it.
func writing(t testing.TB, name string) (j *Journal, stop func()) {
	t.Helper()
	j, err := Open(name)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- j.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return j, stop
}

func placeOrder(j *Journal, no string) error {
	want := &OrderTerms{AmountFen: 1, Description: "恭喜", ExpiresAt: time.Now().Add(time.Hour), Token: "token-" + no}
	return j.Commit(context.Background(), func(b *Book) (*Record, error) { return b.Place(no, want, time.Now()) })
}

func payOrder(j *Journal, no string) error {
	return j.Commit(context.Background(), func(b *Book) (*Record, error) { return b.Pay("token-"+no, time.Now()) })
}

// TestEveryTruncatedLedgerIsReadBack cuts the file at every byte, as a killed
// writer may: whole lines count, the rest is dropped and written over.
func TestEveryTruncatedLedgerIsReadBack(t *testing.T) {
	name := filepath.Join(t.TempDir(), "ledger.jsonl")
	j, stop := writing(t, name)
	for _, err := range []error{placeOrder(j, "order-1"), payOrder(j, "order-1"), placeOrder(j, "order-2")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	stop()
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(whole) + 1 {
		if err := os.WriteFile(name, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		j, err := Open(name)
		if err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		lines := bytes.Count(whole[:n], []byte{'\n'})
		if orders := len(j.Book.orders); orders != (lines+1)/2 || j.Book.paid != int64(lines/2) {
			t.Errorf("%d bytes, %d lines: %d orders, %d paid", n, lines, orders, j.Book.paid)
		}
		if err := j.write([]change{{done: make(chan error, 1), decide: func(b *Book) (*Record, error) {
			return b.Place("order-9", &OrderTerms{ExpiresAt: time.Now().Add(time.Hour)}, time.Now())
		}}}); err != nil {
			t.Fatal(err)
		}
		j.file.Close()
		if content, err := os.ReadFile(name); err != nil || !bytes.HasSuffix(content, []byte{'\n'}) {
			t.Fatalf("%d bytes: a torn line is left behind, %v", n, err)
		}
		if again, err := Open(name); err != nil || again.Book.orders["order-9"] == nil {
			t.Fatalf("%d bytes, written on: %v", n, err)
		} else {
			again.file.Close()
		}
	}
}

func TestLedgerThatDoesNotAddUpIsRefused(t *testing.T) {
	placed := `{"kind":"placed","order_no":"1","at":"2026-01-01T00:00:00Z","order":{"token":"t"}}` + "\n"
	paid := `{"kind":"paid","order_no":"1","at":"2026-01-01T00:00:00Z","transaction_id":"4"}` + "\n"
	batch := `{"kind":"batch_accepted","order_no":"b","at":"2026-01-01T00:00:00Z","transaction_id":"1","batch":{"details":[{"no":"b0"},{"no":"b1"}]}}` + "\n"
	ended := func(end, failed string) string {
		return `{"kind":"batch_ended","order_no":"b","at":"2026-01-01T00:00:00Z","end":"` + end + `","failed":[` + failed + `]}` + "\n"
	}
	for what, content := range map[string]string{
		"a batch twice":           batch + batch,
		"a batch ended twice":     batch + ended("FINISHED", "") + ended("FINISHED", ""),
		"an end of no batch":      ended("FINISHED", ""),
		"a batch without an end":  batch + ended("SUCCESS", ""),
		"a detail that is not":    batch + ended("FINISHED", `{"detail":2,"reason":"x"}`),
		"a detail failed twice":   batch + ended("FINISHED", `{"detail":1,"reason":"x"},{"detail":1,"reason":"x"}`),
		"a batch told too early":  batch + `{"kind":"batch_notified","order_no":"b","at":"2026-01-01T00:00:00Z"}` + "\n",
		"no JSON":                 "x\n",
		"an empty line":           placed + "\n",
		"placed twice":            placed + placed,
		"paid twice":              placed + paid + paid,
		"paid out of nothing":     paid,
		"notified before it paid": placed + `{"kind":"notified","order_no":"1","at":"2026-01-01T00:00:00Z"}` + "\n",
		"an unknown kind":         placed + `{"kind":"refunded","order_no":"1","at":"2026-01-01T00:00:00Z"}` + "\n",
		"a line without an end":   strings.Repeat("x", recordBytesMax+1),
	} {
		name := filepath.Join(t.TempDir(), "ledger.jsonl")
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(name); err == nil {
			t.Errorf("%s: accepted", what)
		}
	}
}

func TestLedgerHasOneWriter(t *testing.T) {
	name := filepath.Join(t.TempDir(), "ledger.jsonl")
	_, stop := writing(t, name)
	if _, err := Open(name); err == nil {
		t.Error("opened twice")
	}
	stop()
	writing(t, name)
}

// TestNothingIsAcknowledgedBeforeFsync has the fault both ways: the write
// fails, and the write is taken but its fsync fails.
func TestNothingIsAcknowledgedBeforeFsync(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	reader, pipe, err := os.Pipe() // takes writes, refuses fsync
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	for what, file := range map[string]*os.File{"the write fails": full, "the fsync fails": pipe} {
		j := &Journal{Book: newBook(ordersMax), file: file, changes: make(chan change, changesMax), stopped: make(chan struct{})}
		ended := make(chan error, 1)
		go func() { ended <- j.Run(context.Background()) }()
		if err := placeOrder(j, "order-1"); err == nil {
			t.Errorf("%s: told that it is placed", what)
		}
		if err := <-ended; err == nil {
			t.Errorf("%s: went on", what)
		}
		if o, err := j.Book.Order("order-1"); err == nil || errors.Is(err, refusal.ErrNoOrder) {
			t.Errorf("%s: read %+v, %v", what, o, err)
		}
		if err := placeOrder(j, "order-2"); !errors.Is(err, ErrStopped) {
			t.Errorf("%s: afterwards %v", what, err)
		}
	}
}

func TestConcurrentChangesShareOneFsync(t *testing.T) {
	j := &Journal{changes: make(chan change, changesMax)}
	for range batchMax + 10 {
		j.changes <- change{}
	}
	first := j.gather([]change{<-j.changes})
	second := j.gather([]change{<-j.changes})
	if len(first) != batchMax || len(second) != 10 {
		t.Errorf("batches of %d and %d, want %d and 10", len(first), len(second), batchMax)
	}
}

func TestBookIsBounded(t *testing.T) {
	b := newBook(2)
	want := &OrderTerms{ExpiresAt: time.Now().Add(time.Hour)}
	for i, no := range []string{"order-1", "order-2", "order-3"} {
		r, err := b.Place(no, want, time.Now())
		if full := i == 2; full != (err != nil) {
			t.Fatalf("%s: %+v, %v", no, r, err)
		}
		if err != nil {
			continue
		}
		if err := b.apply(r); err != nil {
			t.Fatalf("%s: %v", no, err)
		}
	}
	if r, err := b.Place("order-1", want, time.Now()); r != nil || err != nil {
		t.Errorf("a repeat in a full book: %+v, %v", r, err)
	}
}

// BenchmarkPay is payments a second on disk, with 64 payers at once per core.
func BenchmarkPay(b *testing.B) {
	j, stop := writing(b, filepath.Join(b.TempDir(), "ledger.jsonl"))
	defer stop()
	var mu sync.Mutex
	var n int
	b.SetParallelism(64)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			mu.Lock()
			n++
			no := fmt.Sprintf("order-%d", n)
			mu.Unlock()
			if err := errors.Join(placeOrder(j, no), payOrder(j, no)); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pays/s")
}
