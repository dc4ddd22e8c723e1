package simulator

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
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
