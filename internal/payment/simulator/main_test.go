package simulator

import (
	"bufio"
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"go.uber.org/goleak"

	"hongbao/envelope"
	"hongbao/internal/payment"
	"hongbao/internal/payment/apiv3"
)

// childEnv makes the test binary a simulator of its own, to be killed.
const childEnv = "SIMULATOR_TEST_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		if err := runChild(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(keyDir())
		os.Exit(code)
	}))
}

// runChild says its address on standard output and serves until it is stopped.
func runChild(dir string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	cfg, err := configIn(dir, "http://"+ln.Addr().String())
	if err != nil {
		return err
	}
	cfg.BillsAtOnce = true
	s, err := New(cfg)
	if err != nil {
		return err
	}
	fmt.Println(ln.Addr())
	return s.Run(ctx, ln)
}

const (
	testMerchant = "1900000001"
	testApp      = "wx8888888888888888"
	testPlatform = "PUB_KEY_ID_SIMULATOR"
	testSerial   = "MERCHANT1"
)

// configIn reads the keys in dir, made if they are not there.
func configIn(dir, publicURL string) (Config, error) {
	keys, err := GenerateKeys(dir)
	if err != nil {
		return Config{}, err
	}
	merchant, err1 := apiv3.LoadPublicKey(keys.MerchantPublic)
	platform, err2 := apiv3.LoadPrivateKey(keys.PlatformPrivate)
	apiv3, err3 := apiv3.LoadAPIv3Key(keys.APIv3)
	return Config{
		MerchantID: testMerchant, AppID: testApp, MerchantSerial: testSerial, MerchantKey: merchant,
		PlatformSerial: testPlatform, PlatformKey: platform, APIv3Key: apiv3,
		LedgerFile: filepath.Join(dir, "ledger.jsonl"), PublicURL: publicURL,
		Now: time.Now, Log: slog.New(slog.DiscardHandler),
	}, errors.Join(err1, err2, err3)
}

// keyDir has the keys of all tests of a run, because making them is slow.
var keyDir = sync.OnceValue(func() string {
	dir, err := os.MkdirTemp("", "simulator-keys-")
	if err == nil {
		_, err = GenerateKeys(dir)
	}
	if err != nil {
		panic(err)
	}
	return dir
})

func testConfig(t testing.TB) Config {
	t.Helper()
	cfg, err := configIn(keyDir(), "http://127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	cfg.LedgerFile = filepath.Join(t.TempDir(), "ledger.jsonl")
	return cfg
}

// clock is time.Now, moved.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time        { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) pass(by time.Duration) { c.ahead.Add(int64(by)) }

// merchant is our side: a client, and the server that is called back.
type merchant struct {
	t           testing.TB
	dir         string
	clock       clock
	client      *payment.Client
	hearing     atomic.Pointer[payment.Client] // the same one, for callbacks under way when it changes
	notified    chan envelope.Payment
	transferred chan envelope.TransferStatus
	refuse      atomic.Int32 // how many notifications to turn away first
	web         *http.Client // a payer's

	server *httptest.Server
	base   string // of the provider
}

func newMerchant(t testing.TB) *merchant {
	t.Helper()
	m := &merchant{t: t, dir: keyDir(), notified: make(chan envelope.Payment, 4096), transferred: make(chan envelope.TransferStatus, 64), web: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
	m.server = httptest.NewServer(http.HandlerFunc(m.callback))
	t.Cleanup(m.server.Close)
	t.Cleanup(m.web.CloseIdleConnections)
	return m
}

func (m *merchant) callback(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the provider was killed in the middle of it
	}
	n, err := m.hearing.Load().ParseNotice(r.Header, body)
	switch {
	case err != nil:
		m.t.Errorf("notification: %v", err)
		w.WriteHeader(http.StatusUnauthorized)
	case m.refuse.Add(-1) >= 0:
		w.WriteHeader(http.StatusServiceUnavailable)
	default:
		if n.Payment != nil {
			m.notified <- *n.Payment
		} else {
			m.transferred <- *n.Transfer
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

// use points the client at a provider.
func (m *merchant) use(base string) {
	m.t.Helper()
	keys, err := GenerateKeys(m.dir)
	if err != nil {
		m.t.Fatal(err)
	}
	private, err1 := apiv3.LoadPrivateKey(keys.MerchantPrivate)
	platform, err2 := apiv3.LoadPublicKey(keys.PlatformPublic)
	apiv3, err3 := apiv3.LoadAPIv3Key(keys.APIv3)
	if err := errors.Join(err1, err2, err3); err != nil {
		m.t.Fatal(err)
	}
	client, err := payment.New(payment.Config{
		BaseURL: base, MerchantID: testMerchant, AppID: testApp, MerchantSerial: testSerial, MerchantKey: private,
		PlatformKeys: map[string]*rsa.PublicKey{testPlatform: platform}, APIv3Key: apiv3,
		NotifyURL: m.server.URL + "/v1/payment/notifications", Now: m.clock.now,
		Description: `<script>alert("1")</script>`, // which the payer's page has to write out
	})
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(client.Close)
	m.client, m.base = client, base
	m.hearing.Store(client)
}

// start runs a simulator on cfg and a port of its own, and points the merchant
// at it. It runs until stop, or the end of the test.
func (m *merchant) start(cfg Config) (s *Simulator, stop func()) {
	m.t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		m.t.Fatal(err)
	}
	cfg.PublicURL = "http://" + ln.Addr().String()
	s, err = New(cfg)
	if err != nil {
		m.t.Fatal(err)
	}
	m.use(cfg.PublicURL)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, ln) }()
	stop = sync.OnceFunc(func() {
		m.web.CloseIdleConnections()
		m.client.Close()
		cancel()
		if err := <-ended; err != nil {
			m.t.Errorf("the simulator ended: %v", err)
		}
	})
	m.t.Cleanup(stop)
	return s, stop
}

// charge is one of 100.00 yuan with 15 minutes to pay.
func (m *merchant) charge(n int) envelope.Charge {
	return envelope.Charge{
		OrderNo: envelope.Body(int64(n+1) << 40).In(0), Amount: 10000,
		ExpiresAt: m.clock.now().Add(15 * time.Minute).Truncate(time.Second),
	}
}

func (m *merchant) place(c envelope.Charge) string {
	m.t.Helper()
	url, err := m.client.Prepay(context.Background(), c)
	if err != nil {
		m.t.Fatal(err)
	}
	return url
}

// pay presses the button as a program does.
func (m *merchant) pay(codeURL string) (receipt, int, error) {
	res, err := m.web.Post(codeURL, "", nil)
	if err != nil {
		return receipt{}, 0, err
	}
	defer res.Body.Close()
	var r receipt
	return r, res.StatusCode, json.UnmarshalRead(res.Body, &r)
}

// books is the ledger as outside checkers read it.
func (m *merchant) books() map[string]entry {
	m.t.Helper()
	res, err := m.web.Get(m.base + "/ledger")
	if err != nil {
		m.t.Fatal(err)
	}
	defer res.Body.Close()
	entries := map[string]entry{}
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		var e entry
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			m.t.Fatal(err)
		}
		entries[e.OrderNo] = e
	}
	return entries
}

// get returns the status, header and body of an address.
func (m *merchant) get(url string) (int, http.Header, string) {
	m.t.Helper()
	res, err := m.web.Get(url)
	if err != nil {
		m.t.Fatal(err)
	}
	defer res.Body.Close()
	var body strings.Builder
	if _, err := io.Copy(&body, res.Body); err != nil {
		m.t.Fatal(err)
	}
	return res.StatusCode, res.Header, body.String()
}
