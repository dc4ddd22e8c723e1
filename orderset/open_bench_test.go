package orderset_test

import (
	"context"
	"fmt"
	"testing"

	"hongbao/envelope"
	"hongbao/orderset"
)

// BenchmarkOpen is one transaction of 100 opens, as a lane makes it: all of one
// envelope, or spread over 25.
func BenchmarkOpen(b *testing.B) {
	for _, spread := range []int{1, 25} {
		b.Run(fmt.Sprintf("100 opens of %d envelopes", spread), func(b *testing.B) {
			w := servers.World(b, 1)
			set := w.Router.Sets()[0]
			const batch, count = 100, 500
			var es []envelope.Envelope
			left := 0
			for i := 0; b.Loop(); i++ {
				if left < batch {
					b.StopTimer()
					es = es[:0]
					for range spread {
						es = append(es, w.Active(b, 0, envelope.Order{Total: 1000000, Count: count}))
					}
					left = spread * count
					b.StartTimer()
				}
				reqs := make([]orderset.OpenRequest, batch)
				for j := range reqs {
					reqs[j] = orderset.OpenRequest{ID: es[j%spread].ID, User: envelope.UserID(fmt.Sprintf("u%d-%d", i, j))}
				}
				if _, err := set.Open(context.Background(), reqs); err != nil {
					b.Fatal(err)
				}
				left -= batch
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batch), "ns/open")
		})
	}
}
