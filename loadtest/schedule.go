package loadtest

import (
	"fmt"
	"time"
)

// arrivalsMax bounds a schedule: 8 bytes each.
const arrivalsMax = 20_000_000

// Stretch is a constant load for some time.
type Stretch struct {
	Rate float64       // arrivals a second, on average
	For  time.Duration // how long
}

// Arrivals draws when people come: independently of each other and of the
// service, so the gaps are exponential. Times count from the load's start.
func Arrivals(seed uint64, load []Stretch) ([]time.Duration, error) {
	for _, s := range load {
		if s.Rate <= 0 || s.For <= 0 {
			return nil, fmt.Errorf("arrivals: want rate > 0 and time > 0, have %v/s for %v", s.Rate, s.For)
		}
	}
	expected := ArrivalsIn(load)
	if expected > arrivalsMax {
		return nil, fmt.Errorf("arrivals: want at most %d, have %.0f", arrivalsMax, expected)
	}
	r := newRand(seed, "arrivals")
	due := make([]time.Duration, 0, int(expected*1.01)+100)
	var from time.Duration
	for _, s := range load {
		gap := float64(time.Second) / s.Rate
		for at := float64(from) + float64(r.ExpFloat64()*gap); at < float64(from+s.For); at += float64(r.ExpFloat64() * gap) {
			due = append(due, time.Duration(at))
		}
		from += s.For
	}
	return due, nil
}

// ArrivalsIn is how many arrivals a load is expected to have.
func ArrivalsIn(load []Stretch) (expected float64) {
	for _, s := range load {
		expected += s.Rate * s.For.Seconds()
	}
	return expected
}

// Length is how long a load lasts.
func Length(load []Stretch) (d time.Duration) {
	for _, s := range load {
		d += s.For
	}
	return d
}
