package measure

import (
	"bytes"
	"fmt"
	"math"
	"slices"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// Metrics are what a service says about itself in the text format of Prometheus.
type Metrics struct {
	families map[string]*dto.MetricFamily
}

// ParseMetrics reads a whole page, or none of it.
func ParseMetrics(page []byte) (Metrics, error) {
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(page))
	if err != nil {
		return Metrics{}, fmt.Errorf("metrics: %w", err)
	}
	return Metrics{families}, nil
}

// Sum is a counter or a gauge, summed over its labels.
func (m Metrics) Sum(name string) (sum float64, err error) {
	family, there := m.families[name]
	if !there {
		return 0, fmt.Errorf("metric %s: the service has none of that name", name)
	}
	for _, one := range family.GetMetric() {
		switch {
		case one.Counter != nil:
			sum += one.GetCounter().GetValue()
		case one.Gauge != nil:
			sum += one.GetGauge().GetValue()
		case one.Untyped != nil:
			sum += one.GetUntyped().GetValue()
		default:
			return 0, fmt.Errorf("metric %s: want a counter or a gauge, have a %s", name, family.GetType())
		}
	}
	return sum, nil
}

// Histogram is a histogram summed over its labels, where label has value; "" as a
// label stands for all. One that has counted nothing yet has no buckets.
func (m Metrics) Histogram(name, label, value string) (b Buckets, err error) {
	counts := map[float64]float64{}
	for _, one := range m.families[name].GetMetric() {
		if label != "" && !slices.ContainsFunc(one.GetLabel(), func(l *dto.LabelPair) bool { return l.GetName() == label && l.GetValue() == value }) {
			continue
		}
		if one.Histogram == nil {
			return b, fmt.Errorf("metric %s: want a histogram, have a %s", name, m.families[name].GetType())
		}
		for _, bucket := range one.GetHistogram().GetBucket() {
			counts[bucket.GetUpperBound()] += float64(bucket.GetCumulativeCount())
		}
	}
	for bound := range counts {
		b.Bounds = append(b.Bounds, bound)
	}
	slices.Sort(b.Bounds)
	for _, bound := range b.Bounds {
		b.Counts = append(b.Counts, counts[bound])
	}
	if n := len(b.Bounds); n > 0 && !math.IsInf(b.Bounds[n-1], 1) {
		return b, fmt.Errorf("metric %s: no bucket +Inf", name)
	}
	return b, nil
}
