package payment

import (
	"bytes"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"hongbao/internal/payment/apiv3"
)

func TestNewNamesWhatIsWrong(t *testing.T) {
	short := &rsa.PublicKey{N: merchantKey(t).Primes[0], E: 65537}
	for _, row := range []struct {
		names  string
		change func(*Config)
	}{
		{"BaseURL", func(c *Config) { c.BaseURL = "" }},
		{"BaseURL", func(c *Config) { c.BaseURL = "http://api.mch.weixin.qq.com" }},
		{"BaseURL", func(c *Config) { c.BaseURL = "https://host/path" }},
		{"BaseURL", func(c *Config) { c.BaseURL = "https://u:p@host" }},
		{"BaseURL", func(c *Config) { c.BaseURL = "ftp://127.0.0.1" }},
		{"MerchantID", func(c *Config) { c.MerchantID = "" }},
		{"MerchantID", func(c *Config) { c.MerchantID = `1",x="` }},
		{"AppID", func(c *Config) { c.AppID = strings.Repeat("x", identifierBytesMax+1) }},
		{"MerchantSerial", func(c *Config) { c.MerchantSerial = "a b" }},
		{"MerchantKey", func(c *Config) { c.MerchantKey = nil }},
		{"PlatformKeys", func(c *Config) { c.PlatformKeys = nil }},
		{"PlatformKeys", func(c *Config) { c.PlatformKeys = map[string]*rsa.PublicKey{"S": nil} }},
		{"PlatformKeys", func(c *Config) { c.PlatformKeys = map[string]*rsa.PublicKey{"S": short} }},
		{"PlatformSerial", func(c *Config) { c.PlatformKeys["T"] = c.PlatformKeys[testSerial] }},
		{"PlatformSerial", func(c *Config) { c.PlatformSerial = "T" }},
		{"APIv3Key", func(c *Config) { c.APIv3Key = c.APIv3Key[1:] }},
		{"NotifyURL", func(c *Config) { c.NotifyURL = "/notify" }},
		{"NotifyURL", func(c *Config) { c.NotifyURL = "https://host/notify?x=1" }},
		{"Now", func(c *Config) { c.Now = nil }},
		{"Timeout", func(c *Config) { c.Timeout = -1 }},
		{"BillAccount", func(c *Config) { c.BillAccount = "FEES" }},
		{"Payouts.SceneID", func(c *Config) { c.Payouts.SceneID = "a b" }},
		{"Payouts.Remark", func(c *Config) { c.Payouts.Remark = strings.Repeat("红", remarkRunesMax+1) }},
		{"Payouts.Remark", func(c *Config) { c.Payouts.Remark = "\xff" }},
		{"Payouts.Perception", func(c *Config) { c.Payouts.Perception = strings.Repeat("红", remarkRunesMax+1) }},
		{"Payouts.Report", func(c *Config) { c.Payouts.Report = make([]SceneReport, reportMax+1) }},
		{"Payouts.Report.Type", func(c *Config) { c.Payouts.Report = []SceneReport{{"", "x"}} }},
		{"Payouts.Report.Content", func(c *Config) {
			c.Payouts.Report = []SceneReport{{"x", strings.Repeat("红", reportContentRunesMax+1)}}
		}},
		{"Timeout", func(c *Config) { c.Timeout = timeoutMax + time.Nanosecond }},
	} {
		cfg := testConfig(t)
		row.change(&cfg)
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), row.names) {
			t.Errorf("%v, want an error that names %s", err, row.names)
		}
	}
	for _, url := range []string{"https://api.mch.weixin.qq.com", "http://127.0.0.1:8090", "http://[::1]:8090", "http://localhost:8090"} {
		cfg := testConfig(t)
		cfg.BaseURL = url
		if _, err := New(cfg); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestSecretsAreNeverPrinted(t *testing.T) {
	cfg := testConfig(t)
	client := newClient(t, nil)
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("start", "config", cfg, "key", cfg.APIv3Key, "client", client)
	slog.New(slog.NewTextHandler(&log, nil)).Info("start", "config", cfg, "key", cfg.APIv3Key)
	asJSON, err := json.Marshal(struct{ Key apiv3.Secret }{cfg.APIv3Key})
	if err != nil {
		t.Fatal(err)
	}
	printed := log.String() + string(asJSON) + cfg.APIv3Key.String()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
		printed += fmt.Sprintf(verb, cfg) + fmt.Sprintf(verb, &cfg) + fmt.Sprintf(verb, cfg.APIv3Key) + fmt.Sprintf(verb, client)
	}
	for name, secret := range map[string]string{
		"the APIv3 key":         testKey3,
		"the APIv3 key, in hex": fmt.Sprintf("%x", testKey3),
		"the APIv3 key, bytes":  strings.Trim(fmt.Sprint([]byte(testKey3)), "[]"),
		"the merchant key":      cfg.MerchantKey.D.String(),
	} {
		if strings.Contains(printed, secret) {
			t.Errorf("%s is printed", name)
		}
	}
}

// FS10: the provider refuses a payout that reports nothing.
func TestASceneHasItsReportOrIsRefused(t *testing.T) {
	for _, scene := range []string{"", "1000"} {
		if p := (Payouts{SceneID: scene, Report: []SceneReport{}}).withDefaults(); p.SceneID != "1000" || len(p.Report) != 2 || p.Perception == "" || p.check() != nil {
			t.Errorf("scene %q: %+v", scene, p)
		}
	}
	if err := (Payouts{SceneID: "1005"}).Validate(); err == nil || !strings.Contains(err.Error(), "Payouts.Report") {
		t.Errorf("scene 1005 without a report: %v", err)
	}
	if err := (Payouts{SceneID: "1005", Report: []SceneReport{{"岗位类型", "外卖员"}}}).Validate(); err != nil {
		t.Error(err)
	}
}

// FS12
func TestADescriptionIsPlainText(t *testing.T) {
	for _, good := range []string{"红包", "Red envelope No. 1", strings.Repeat("x", descriptionBytesMax)} {
		if err := CheckDescription(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", strings.Repeat("x", descriptionBytesMax+1), "🧧", "a,b", "a`b", "a\nb", "\xff", "a\u202eb"} {
		if err := CheckDescription(bad); err == nil {
			t.Errorf("%q: accepted", bad)
		}
	}
}
