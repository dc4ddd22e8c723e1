package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"hongbao/loadtest"
)

const (
	probeBytesMax = 64 << 20
	probeSlack    = 10 * time.Second // beyond the time a profile takes
)

// profile is a CPU profile of the next seconds of a hongbaod.
func profile(ctx context.Context, operator string, seconds int) ([]byte, error) {
	return probe(ctx, fmt.Sprintf("%s/debug/pprof/profile?seconds=%d", operator, seconds), time.Duration(seconds)*time.Second+probeSlack)
}

// memory makes a hongbaod collect its garbage and reads what is left. The second
// collection takes what pools held over the first.
func memory(ctx context.Context, operator string) (m loadtest.Memory, err error) {
	for range 2 {
		if _, err := probe(ctx, operator+"/debug/pprof/heap?gc=1", probeSlack); err != nil {
			return m, err
		}
	}
	metrics, err := probe(ctx, operator+"/metrics", probeSlack)
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

// probe reads an address of the operator's listener whole.
func probe(ctx context.Context, url string, max time.Duration) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, max)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, probeBytesMax))
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s: %s", url, res.Status, bytes.TrimSpace(raw))
	}
	return raw, err
}
