package measure

import (
	"math"
	"slices"
	"testing"
)

const metricsPage = `# HELP a_total Of b.
# TYPE a_total counter
a_total 9
# TYPE a gauge
a{set="000"} 2
a{set="001"} 1.5e+03
# TYPE took_seconds histogram
took_seconds_bucket{route="/a",le="0.1"} 1
took_seconds_bucket{route="/a",le="+Inf"} 3
took_seconds_sum{route="/a"} 1
took_seconds_count{route="/a"} 3
took_seconds_bucket{route="/b",le="0.1"} 10
took_seconds_bucket{route="/b",le="+Inf"} 10
took_seconds_sum{route="/b"} 1
took_seconds_count{route="/b"} 10
# TYPE endless_seconds histogram
endless_seconds_bucket{le="0.1"} 1
untyped 4
`

func TestAMetricIsSummedOverItsLabels(t *testing.T) {
	m, err := ParseMetrics([]byte(metricsPage))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]float64{"a": 1502, "a_total": 9, "untyped": 4} {
		if sum, err := m.Sum(name); err != nil || sum != want {
			t.Errorf("the sum of %s is %v, %v", name, sum, err)
		}
	}
	for _, name := range []string{"c", "took_seconds"} {
		if sum, err := m.Sum(name); err == nil {
			t.Errorf("%s is %v", name, sum)
		}
	}
	if m, err := ParseMetrics([]byte("b nonsense\n")); err == nil {
		t.Errorf("nonsense was read as %v", m)
	}
}

func TestAHistogramIsSummedWhereItsLabelIs(t *testing.T) {
	m, err := ParseMetrics([]byte(metricsPage))
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range []struct {
		label, value string
		counts       []float64
	}{{"", "", []float64{11, 13}}, {"route", "/b", []float64{10, 10}}, {"route", "/", nil}} {
		b, err := m.Histogram("took_seconds", one.label, one.value)
		if err != nil || !slices.Equal(b.Counts, one.counts) {
			t.Errorf("%s=%q: %+v, %v", one.label, one.value, b, err)
		}
		if len(b.Bounds) > 0 && (b.Bounds[0] != 0.1 || !math.IsInf(b.Bounds[1], 1)) {
			t.Errorf("%s=%q: bounds %v", one.label, one.value, b.Bounds)
		}
	}
	if b, err := m.Histogram("nothing_yet_seconds", "", ""); err != nil || b.Count() != 0 {
		t.Errorf("what has counted nothing: %+v, %v", b, err)
	}
	for _, name := range []string{"endless_seconds", "a"} {
		if b, err := m.Histogram(name, "", ""); err == nil {
			t.Errorf("%s: %+v", name, b)
		}
	}
}
