package payment

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"hongbao/envelope"
	"hongbao/internal/payment/apiv3"
)

// BenchmarkPlace is one payout over a local socket, and beside it what of that
// is RSA: our signature, and the check of the provider's. The provider's answer
// is signed beforehand, so that its cost is not in the figure.
func BenchmarkPlace(b *testing.B) {
	answer := marshal(b, told(testPayout(), "ACCEPTED"))
	stamp := stamped(b, answer)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		for name, values := range stamp {
			w.Header()[name] = values
		}
		_, _ = w.Write(answer)
	}))
	defer server.Close()
	c := newClient(b, func(cfg *Config) { cfg.BaseURL = server.URL })
	body := []byte(`{"appid":"wx8888888888888888"}`)
	b.Run("call", func(b *testing.B) {
		for b.Loop() {
			if _, err := c.Place(context.Background(), testPayout()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := c.Place(context.Background(), testPayout()); err != nil {
					b.Error(err)
				}
			}
		})
	})
	b.Run("sign", func(b *testing.B) {
		for b.Loop() {
			if _, err := apiv3.Authorize(c.cfg.MerchantKey, testMerchant, "S", noon(), http.MethodPost, payoutPath, body); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("verify", func(b *testing.B) {
		for b.Loop() {
			if err := c.verifier.Verify(stamp, answer); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkPlaceBatch is as many payouts as a batch takes, in one call.
func BenchmarkPlaceBatch(b *testing.B) {
	d := desk{batch: testBatch(envelope.PayoutBatchMax), status: "ACCEPTED"}
	answer := []byte(d.placed(b).body)
	stamp := stamped(b, answer)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		for name, values := range stamp {
			w.Header()[name] = values
		}
		_, _ = w.Write(answer)
	}))
	defer server.Close()
	c := newClient(b, func(cfg *Config) { cfg.BaseURL = server.URL })
	for b.Loop() {
		if _, err := c.PlaceBatch(context.Background(), d.batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*envelope.PayoutBatchMax), "µs/payout")
}
