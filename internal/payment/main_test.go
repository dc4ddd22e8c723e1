package payment

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"hongbao/envelope"
	"hongbao/internal/payment/apiv3"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testMerchant = "1900000001"
	testApp      = "wx8888888888888888"
	testSerial   = "PUB_KEY_ID_0119000000012025"
	testKey3     = "0123456789abcdefghijklmnopqrstuv"
)

// noon is the clock of the tests.
func noon() time.Time { return time.Date(2026, 1, 2, 4, 0, 0, 0, time.UTC) }

// orderNo is an order ID that parses.
func orderNo() envelope.ID { return envelope.Body(1<<40 + 7).In(3) }

// merchantKey is the key of the golden vectors; platformKey is made once a run.
func merchantKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	key, err := apiv3.LoadPrivateKey("apiv3/testdata/golden.key.pem")
	if err != nil {
		t.Fatal(err)
	}
	return key
}

var platformKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, apiv3.RSABitsMin)
	if err != nil {
		panic(err)
	}
	return key
})

func testConfig(t testing.TB) Config {
	return Config{
		BaseURL:        "http://127.0.0.1:1",
		MerchantID:     testMerchant,
		AppID:          testApp,
		MerchantSerial: "4A1E9C",
		MerchantKey:    merchantKey(t),
		PlatformKeys:   map[string]*rsa.PublicKey{testSerial: &platformKey().PublicKey},
		APIv3Key:       apiv3.Secret(testKey3),
		NotifyURL:      "http://127.0.0.1:2/v1/payment/notifications",
		Now:            noon,
	}
}

func newClient(t testing.TB, change func(*Config)) *Client {
	t.Helper()
	cfg := testConfig(t)
	if change != nil {
		change(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// reply is one scripted answer, signed unless tampered with.
type reply struct {
	status int
	body   string
	tamper func(http.Header)
}

// providerSaying starts a provider that gives the replies in turn, the last one
// again and again, and returns a client of it and the count of requests.
func providerSaying(t *testing.T, replies ...reply) (*Client, func() int) {
	t.Helper()
	var mu sync.Mutex
	var requests int
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		r := replies[min(requests, len(replies)-1)]
		requests++
		mu.Unlock()
		if err := apiv3.Stamp(w.Header(), platformKey(), testSerial, noon(), []byte(r.body)); err != nil {
			t.Error(err)
		}
		if r.tamper != nil {
			r.tamper(w.Header())
		}
		w.WriteHeader(r.status)
		_, _ = w.Write([]byte(r.body))
	}))
	t.Cleanup(server.Close)
	c := newClient(t, func(cfg *Config) { cfg.BaseURL = server.URL })
	return c, func() int { mu.Lock(); defer mu.Unlock(); return requests }
}

func testCharge() envelope.Charge {
	return envelope.Charge{OrderNo: orderNo(), Amount: 10000, ExpiresAt: noon().Add(15 * time.Minute)}
}

func prepay(t *testing.T, c *Client) (string, error) {
	t.Helper()
	return c.Prepay(context.Background(), testCharge())
}
