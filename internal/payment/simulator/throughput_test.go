package simulator

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hongbao/internal/payment/simulator/ledger"
)

// BenchmarkTransfers is payouts a second over HTTP with 2048-bit keys, from the
// request to the callback: one signature and one check of it on either side for
// the call, and one signature more for the callback. The merchant that signs and
// checks shares the cores.
func BenchmarkTransfers(b *testing.B) {
	cfg := testConfig(b)
	cfg.ConfirmAfter, cfg.TransferAfter = 1, 1
	d := openDesk(b, cfg)
	var n atomic.Int64
	b.SetParallelism(64)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			no := fmt.Sprintf("payout%d", n.Add(1))
			if r := d.ask(context.Background(), "POST", transfersTarget, d.transferOf(no, 1)); r.status != 200 {
				b.Errorf("%+v", r)
			}
			<-d.heard
		}
	})
	b.StopTimer()
	if moved := int64(len(d.movements())); moved != n.Load() {
		b.Errorf("%d moved, want %d", moved, n.Load())
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "transfers/s")
}

// BenchmarkBatches is what a payout in a batch of 300 costs a simulator that runs
// in a process of its own, from the request to the callback: the processor time of
// that process alone.
func BenchmarkBatches(b *testing.B) {
	const size = 300
	dir := b.TempDir()
	linkKeys(b, dir)
	cfg, err := configIn(dir, "http://127.0.0.1:1")
	if err != nil {
		b.Fatal(err)
	}
	d := newDesk(b, cfg)
	cmd, base := child(b, dir)
	d.base = base
	var n atomic.Int64
	before := processorTime(b, cmd.Process.Pid)
	b.SetParallelism(4)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			no := fmt.Sprintf("batch%d", n.Add(1))
			if r := d.ask(context.Background(), "POST", batchesTarget, d.batchOf(no, size)); r.status != 200 {
				b.Errorf("%+v", r)
			}
			<-d.heard
		}
	})
	used := processorTime(b, cmd.Process.Pid) - before
	b.StopTimer()
	var sums ledger.Totals
	if d.tool("GET", "/simulator/totals", "", &sums); sums.Payout.Count != size*n.Load() {
		b.Errorf("%+v moved, want %d", sums, size*n.Load())
	}
	details := float64(b.N * size)
	b.ReportMetric(details/b.Elapsed().Seconds(), "details/s")
	b.ReportMetric(float64(used.Microseconds())/details, "cpu-µs/detail")
}

// processorTime is what a process has used so far. The kernel counts it in
// hundredths of a second.
func processorTime(t testing.TB, pid int) time.Duration {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		t.Fatal(err)
	}
	_, fields, _ := strings.Cut(string(text), ") ") // behind the name, from the third on
	var used time.Duration
	for _, field := range strings.Fields(fields)[11:13] {
		ticks, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		used += time.Duration(ticks) * (time.Second / 100)
	}
	return used
}
