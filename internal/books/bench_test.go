package books_test

import (
	"fmt"
	"testing"

	"hongbao/envelope"
)

// BenchmarkPost posts the lives of 512 envelopes of 10 shares at a time to one
// shard, each opener with a book of his own among 100,000.
func BenchmarkPost(b *testing.B) {
	const envelopes, shares, people = 512, 10, 100_000
	l := newLibrary(b, 1)
	rows, next := 0, 0
	for b.Loop() {
		b.StopTimer()
		var lives []envelope.Statement
		for range envelopes {
			openers := make([]envelope.UserID, shares)
			for i := range openers {
				openers[i] = envelope.UserID(fmt.Sprintf("user-%06d", (next*7919+i*104729)%people))
			}
			lives = append(lives, gift(next, openers[0], openers...))
			next++
		}
		facts := told(lives...)
		b.StartTimer()
		if err := l.Post(b.Context(), facts); err != nil {
			b.Fatal(err)
		}
		rows += envelopes * (shares + 1)
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(0, "ns/op")
}
