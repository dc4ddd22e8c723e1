package measure

import (
	"math"
	"testing"
)

func TestAQuantileIsReadBetweenBounds(t *testing.T) {
	before := Buckets{Bounds: []float64{0.1, 0.2, math.Inf(1)}, Counts: []float64{10, 10, 10}}
	after := Buckets{Bounds: before.Bounds, Counts: []float64{10 + 50, 10 + 90, 10 + 100}}
	b := after.Since(before)
	for q, want := range map[float64]float64{0.5: 100, 0.25: 50, 0.7: 150, 0.9: 200, 0.99: 200} {
		if have := b.Quantile(q); math.Abs(have-want) > 0.001 {
			t.Errorf("quantile %v is %v ms, want %v", q, have, want)
		}
	}
	if n := (Buckets{}).Quantile(0.99); n != 0 {
		t.Errorf("nothing takes %v ms", n)
	}
}
