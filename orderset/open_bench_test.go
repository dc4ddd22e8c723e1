package orderset_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"hongbao/envelope"
	"hongbao/internal/settest"
)

const (
	benchCount = 500       // shares of an envelope
	benchTotal = 1_000_000 // fen in it
)

// BenchmarkOpen is one transaction of 100 opens, as a lane makes it: all of one
// envelope, or spread over 25.
func BenchmarkOpen(b *testing.B) {
	for _, spread := range []int{1, 25} {
		b.Run(fmt.Sprintf("100 opens of %d envelopes", spread), func(b *testing.B) {
			benchmarkOpen(b, servers.World(b, 1), spread)
		})
	}
}

// BenchmarkOutboxShape is the same with what an open leaves for later in two
// shapes: one outbox row a transaction, as it is, and beside it one transfer row
// a share, which a trigger adds to the same transaction.
func BenchmarkOutboxShape(b *testing.B) {
	for _, spread := range []int{1, 25} {
		for _, shape := range []string{"a row a batch", "a transfer a share"} {
			b.Run(fmt.Sprintf("%s/%d envelopes", shape, spread), func(b *testing.B) {
				w := servers.World(b, 1)
				if shape == "a transfer a share" {
					addTransferRows(b, w)
				}
				benchmarkOpen(b, w, spread)
			})
		}
	}
}

func addTransferRows(b *testing.B, w *settest.World) {
	b.Helper()
	day := envelope.DayOf(time.Now()).OfMonth()
	for digit := range envelope.TableDigits {
		exec(b, w.Admin(b, 0), fmt.Sprintf("CREATE TRIGGER a_transfer_a_share_%d AFTER INSERT ON share_%d_%02d FOR EACH ROW "+
			"INSERT INTO transfer (order_id, seq, payee_id, amount_fen, charged_fen, tier, created_at, due_at) "+
			"VALUES (NEW.order_id, NEW.seq, NEW.user_id, NEW.amount_fen, %d, IF(NEW.amount_fen >= 10000, 0, IF(NEW.amount_fen >= 1000, 1, 2)), NEW.opened_at, NEW.opened_at)",
			digit, digit, day, benchTotal))
	}
}

// benchmarkOpen opens 100 shares a transaction, of as many envelopes as spread says.
func benchmarkOpen(b *testing.B, w *settest.World, spread int) {
	const batch = 100
	set := w.Router.Sets()[0]
	var es []envelope.Envelope
	left := 0
	for i := 0; b.Loop(); i++ {
		if left < batch {
			b.StopTimer()
			es = es[:0]
			for range spread {
				es = append(es, w.Active(b, 0, envelope.Order{Total: benchTotal, Count: benchCount}))
			}
			left = spread * benchCount
			b.StartTimer()
		}
		reqs := make([]envelope.OpenRequest, batch)
		for j := range reqs {
			reqs[j] = envelope.OpenRequest{ID: es[j%spread].ID, User: envelope.UserID(fmt.Sprintf("u%d-%d", i, j))}
		}
		if _, err := set.Open(context.Background(), reqs); err != nil {
			b.Fatal(err)
		}
		left -= batch
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batch), "ns/open")
}
