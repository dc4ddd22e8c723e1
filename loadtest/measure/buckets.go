package measure

import "math"

// Buckets are a histogram as Prometheus keeps it: of how many seconds at most
// so many observations were.
type Buckets struct {
	Bounds []float64 // seconds, rising, the last one infinite
	Counts []float64 // observations up to each bound, all of them at the last
}

// Since is what was observed after before.
func (b Buckets) Since(before Buckets) Buckets {
	later := Buckets{Bounds: b.Bounds, Counts: make([]float64, len(b.Counts))}
	for i := range b.Counts {
		later.Counts[i] = b.Counts[i]
		if i < len(before.Counts) {
			later.Counts[i] -= before.Counts[i]
		}
	}
	return later
}

// Count is how many there are.
func (b Buckets) Count() float64 {
	if len(b.Counts) == 0 {
		return 0
	}
	return b.Counts[len(b.Counts)-1]
}

// Quantile is the value in milliseconds that a share q of the observations does
// not exceed, straight between the bounds of its bucket; 0 without any. Beyond
// the last finite bound it is that bound: at least so much.
func (b Buckets) Quantile(q float64) float64 {
	rank, from, below := q*b.Count(), 0.0, 0.0
	if rank == 0 {
		return 0
	}
	for i, n := range b.Counts {
		if n >= rank && n > below {
			if math.IsInf(b.Bounds[i], 1) {
				return 1e3 * from
			}
			return 1e3 * (from + (b.Bounds[i]-from)*(rank-below)/(n-below))
		}
		from, below = b.Bounds[i], n
	}
	return 1e3 * from
}
