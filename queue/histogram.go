package queue

import "math/bits"

// histogramBuckets covers values up to 2^25-1: 33 s in microseconds.
const histogramBuckets = 26

// Histogram counts whole numbers in buckets of powers of two: bucket i holds
// the values below 2^i that bucket i-1 does not. The last one also holds all above.
type Histogram struct {
	Counts [histogramBuckets]uint64
	Sum    uint64
}

func (h *Histogram) add(v uint64) {
	h.Counts[min(bits.Len64(v), histogramBuckets-1)]++
	h.Sum += v
}

// Count returns how many values were added.
func (h *Histogram) Count() uint64 {
	var n uint64
	for _, c := range h.Counts {
		n += c
	}
	return n
}
