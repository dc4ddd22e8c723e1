package main

import (
	"context"

	"hongbao/internal/operator"
	"hongbao/loadtest/measure"
)

// profile is a CPU profile of the next seconds of a hongbaod.
func (g *ground) profile(ctx context.Context, base string, seconds int) ([]byte, error) {
	o, err := g.operator(base)
	if err != nil {
		return nil, err
	}
	return o.Profile(ctx, operator.ProfileInput{Profile: "profile", Seconds: operator.Seconds(min(seconds, operator.ProfileSecondsMax))})
}

// memory makes a hongbaod collect its garbage and reads what is left. The second
// collection takes what pools held over the first.
func (g *ground) memory(ctx context.Context, base string) (m measure.Memory, err error) {
	o, err := g.operator(base)
	if err != nil {
		return m, err
	}
	for range 2 {
		if _, err := o.Profile(ctx, operator.ProfileInput{Profile: "heap", GC: 1}); err != nil {
			return m, err
		}
	}
	page, err := o.Metrics(ctx)
	if err != nil {
		return m, err
	}
	metrics, err := measure.ParseMetrics(page)
	if err != nil {
		return m, err
	}
	rss, heap, warm := 0.0, 0.0, 0.0
	for name, into := range map[string]*float64{
		"process_resident_memory_bytes": &rss, "go_memstats_heap_alloc_bytes": &heap, "hongbao_set_memory_envelopes": &warm,
	} {
		if *into, err = metrics.Sum(name); err != nil {
			return m, err
		}
	}
	return measure.Memory{RSS: int64(rss), Heap: int64(heap), Warm: int(warm)}, nil
}
