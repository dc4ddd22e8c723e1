package envelope

import (
	"math"
	"slices"
	"testing"
)

// The tests of chance have fixed seeds: they pass always or never. They fail at
// p < 1e-3 on either side: draws that are too even are not chance either.

const oneInAThousand = 3.0902 // standard deviations, one-sided

// wantUniform is Pearson's chi-square test of counts against equal
// expectations, with Wilson and Hilferty's quantiles.
func wantUniform(t *testing.T, what string, counts []int) {
	t.Helper()
	n := 0
	for _, c := range counts {
		n += c
	}
	expected := float64(n) / float64(len(counts))
	if expected < 10 {
		t.Fatalf("%s: %d samples are too few for %d bins", what, n, len(counts))
	}
	chi2 := 0.0
	for _, c := range counts {
		chi2 += (float64(c) - expected) * (float64(c) - expected) / expected
	}
	k := float64(len(counts) - 1)
	quantile := func(z float64) float64 { return k * math.Pow(1-2/(9*k)+z*math.Sqrt(2/(9*k)), 3) }
	if low, high := quantile(-oneInAThousand), quantile(oneInAThousand); chi2 < low || chi2 > high {
		t.Errorf("%s: chi-square %.1f of %d samples, want %.1f to %.1f", what, chi2, n, low, high)
	}
}

// wantKolmogorov is the Kolmogorov–Smirnov test of samples against the uniform
// distribution on lo..hi.
func wantKolmogorov(t *testing.T, what string, samples []Fen, lo, hi Fen) {
	t.Helper()
	sorted := slices.Sorted(slices.Values(samples))
	if sorted[0] < lo || sorted[len(sorted)-1] > hi {
		t.Fatalf("%s: have %d to %d fen, want %d to %d", what, sorted[0], sorted[len(sorted)-1], lo, hi)
	}
	n, worst := float64(len(sorted)), 0.0
	for i, s := range sorted {
		if i+1 < len(sorted) && sorted[i+1] == s {
			continue // the step is at the last of its equals
		}
		want := float64(s-lo+1) / float64(hi-lo+1)
		worst = max(worst, math.Abs(float64(i+1)/n-want))
	}
	const critical = 1.9495 // of D·√n at p = 1e-3
	if d := worst * math.Sqrt(n); d > critical {
		t.Errorf("%s: D·√n = %.3f, want at most %.3f", what, d, critical)
	}
}

// wantUncorrelated fails when Pearson's r of two series is further from 0 than
// chance takes it.
func wantUncorrelated(t *testing.T, what string, xs, ys []Fen) {
	t.Helper()
	mx, sx := meanAndDeviation(xs)
	my, sy := meanAndDeviation(ys)
	r := 0.0
	for i := range xs {
		r += (float64(xs[i]) - mx) / sx * (float64(ys[i]) - my) / sy
	}
	if z := r / math.Sqrt(float64(len(xs))); math.Abs(z) > oneInAThousand {
		t.Errorf("%s: r·√n = %.2f, want within ±%.2f", what, z, oneInAThousand)
	}
}

func meanAndDeviation(xs []Fen) (mean, deviation float64) {
	for _, x := range xs {
		mean += float64(x)
	}
	mean /= float64(len(xs))
	for _, x := range xs {
		deviation += (float64(x) - mean) * (float64(x) - mean)
	}
	return mean, math.Sqrt(deviation / float64(len(xs)))
}
