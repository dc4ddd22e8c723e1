package testbed

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"slices"
	"time"

	"hongbao/internal/operator"
	"hongbao/loadtest/measure"
)

// profile is a CPU profile of the next seconds of a hongbaod.
func (bed *Testbed) profile(ctx context.Context, base string, seconds int) ([]byte, error) {
	o, err := bed.operator(base)
	if err != nil {
		return nil, err
	}
	return o.Profile(ctx, operator.ProfileInput{Profile: "profile", Seconds: operator.Seconds(min(seconds, operator.ProfileSecondsMax))})
}

// memory makes a hongbaod collect its garbage and reads what is left. The second
// collection takes what pools held over the first.
func (bed *Testbed) memory(ctx context.Context, base string) (m measure.Memory, err error) {
	o, err := bed.operator(base)
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

// Delays reads the histograms of the playground's hongbaod.
func (bed *Testbed) Delays(ctx context.Context) (d measure.Delays, err error) {
	o, err := bed.operator(bed.desc.Operator)
	if err != nil {
		return d, err
	}
	page, err := o.Metrics(ctx)
	if err != nil {
		return d, err
	}
	metrics, err := measure.ParseMetrics(page)
	if err != nil {
		return d, err
	}
	if d.FirstCall, err = metrics.Histogram("hongbao_relay_first_call_seconds", "", ""); err != nil {
		return d, err
	}
	if d.Call, err = metrics.Histogram("hongbao_payment_call_seconds", "", ""); err != nil {
		return d, err
	}
	d.Callback, err = metrics.Histogram("hongbao_http_request_seconds", "route", "/v1/payment/notifications")
	return d, err
}

// ProviderCPU is what the playground's simulator has used so far.
func (bed *Testbed) ProviderCPU() (time.Duration, error) {
	pid := bed.desc.PID("paysim")
	if pid == 0 {
		return 0, errors.New("no payment simulator runs on this machine")
	}
	return measure.ProcessCPU(pid)
}

// SignatureCost is the time of one RSA-2048 signature, the median of some.
func SignatureCost() (time.Duration, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return 0, err
	}
	digest := sha256.Sum256([]byte("hongbao"))
	times := make([]time.Duration, 51)
	for i := range times {
		start := time.Now()
		if _, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:]); err != nil {
			return 0, err
		}
		times[i] = time.Since(start)
	}
	slices.Sort(times)
	return times[len(times)/2], nil
}
