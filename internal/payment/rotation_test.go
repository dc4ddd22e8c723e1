package payment

import (
	"context"
	"crypto/rsa"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"hongbao/internal/payment/apiv3"
)

// TestMerchantKeysRotateBySerial: the provider knows our keys by their serials,
// so the old one and the next are good side by side, and a key under the other's
// serial is unknown.
func TestMerchantKeysRotateBySerial(t *testing.T) {
	next := platformKey() // any other key
	known := map[string]*rsa.PublicKey{"OLD": &merchantKey(t).PublicKey, "NEXT": &next.PublicKey}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		status, said := http.StatusOK, marshal(t, told(testPayout(), "ACCEPTED"))
		auth, err := apiv3.ParseAuthorization(r.Header.Get("Authorization"))
		if err != nil || auth.Verify(known[auth.Serial], noon(), r.Method, r.RequestURI, body) != nil {
			status, said = http.StatusUnauthorized, []byte(`{"code":"SIGN_ERROR"}`)
		}
		_ = apiv3.Stamp(w.Header(), platformKey(), testSerial, noon(), said)
		w.WriteHeader(status)
		_, _ = w.Write(said)
	}))
	defer server.Close()
	for _, row := range []struct {
		serial string
		key    *rsa.PrivateKey
		good   bool
	}{{"OLD", merchantKey(t), true}, {"NEXT", next, true}, {"OLD", next, false}, {"NEXT", merchantKey(t), false}} {
		c := newClient(t, func(cfg *Config) { cfg.BaseURL, cfg.MerchantSerial, cfg.MerchantKey = server.URL, row.serial, row.key })
		if s, err := c.Place(context.Background(), testPayout()); (err == nil) != row.good {
			t.Errorf("serial %s: %+v, %v, want good %v", row.serial, s, err, row.good)
		}
	}
}

// TestPlatformKeysRotateBySerial: while the provider rotates its keys, its
// answers come under either; afterwards the old one is unknown.
func TestPlatformKeysRotateBySerial(t *testing.T) {
	next := merchantKey(t) // any other key
	serial, key := testSerial, platformKey()
	var asked string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.Header.Get(apiv3.HeaderSerial)
		said := marshal(t, told(testPayout(), "ACCEPTED"))
		_ = apiv3.Stamp(w.Header(), key, serial, noon(), said)
		_, _ = w.Write(said)
	}))
	defer server.Close()
	both := newClient(t, func(cfg *Config) {
		cfg.BaseURL, cfg.PlatformKeys["NEXT"], cfg.PlatformSerial = server.URL, &next.PublicKey, "NEXT"
	})
	after := newClient(t, func(cfg *Config) {
		cfg.BaseURL, cfg.PlatformKeys = server.URL, map[string]*rsa.PublicKey{"NEXT": &next.PublicKey}
	})
	place := func(c *Client) error {
		_, err := c.Place(context.Background(), testPayout())
		return err
	}
	if err := place(both); err != nil || asked != "NEXT" {
		t.Errorf("under the old key, asked for %s: %v", asked, err)
	}
	if err := place(after); !isUnknown(err) {
		t.Errorf("under a key that is gone: %v, want an unknown outcome", err)
	}
	serial, key = "NEXT", next
	for name, c := range map[string]*Client{"both": both, "after": after} {
		if err := place(c); err != nil {
			t.Errorf("%s, under the next key: %v", name, err)
		}
	}
	serial = testSerial // the next key under the old one's name
	if err := place(both); !isUnknown(err) {
		t.Errorf("under another key's serial: %v, want an unknown outcome", err)
	}
}
