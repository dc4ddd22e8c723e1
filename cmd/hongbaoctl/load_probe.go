package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"hongbao/internal/operator"
	"hongbao/loadtest"
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
func (g *ground) memory(ctx context.Context, base string) (m loadtest.Memory, err error) {
	o, err := g.operator(base)
	if err != nil {
		return m, err
	}
	for range 2 {
		if _, err := o.Profile(ctx, operator.ProfileInput{Profile: "heap", GC: 1}); err != nil {
			return m, err
		}
	}
	metrics, err := o.Metrics(ctx)
	if err != nil {
		return m, err
	}
	rss, heap, warm := 0.0, 0.0, 0.0
	for name, into := range map[string]*float64{
		"process_resident_memory_bytes": &rss, "go_memstats_heap_alloc_bytes": &heap, "hongbao_set_memory_envelopes": &warm,
	} {
		if *into, err = metric(metrics, name); err != nil {
			return m, err
		}
	}
	return loadtest.Memory{RSS: int64(rss), Heap: int64(heap), Warm: int(warm)}, nil
}

// metric is the sum of a metric over its labels.
func metric(metrics []byte, name string) (sum float64, err error) {
	found := false
	for line := range strings.Lines(string(metrics)) {
		rest, ours := strings.CutPrefix(line, name)
		if !ours || rest[0] != ' ' && rest[0] != '{' {
			continue
		}
		value, err := strconv.ParseFloat(strings.TrimSpace(rest[strings.LastIndexByte(rest, ' '):]), 64)
		if err != nil {
			return 0, fmt.Errorf("metric %s: %w", name, err)
		}
		sum, found = sum+value, true
	}
	if !found {
		return 0, fmt.Errorf("metric %s: hongbaod has none of that name", name)
	}
	return sum, nil
}
