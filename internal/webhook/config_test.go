package webhook

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestNewRefusesNonsense(t *testing.T) {
	for field, changes := range map[string][]func(*Config){
		"URL": {
			func(c *Config) { c.URL = "" },
			func(c *Config) { c.URL = "im.example/events" },
			func(c *Config) { c.URL = "http://im.example/events" },
			func(c *Config) { c.URL, c.AllowPrivate = "ftp://im.example/events", true },
			func(c *Config) { c.URL = "https://user:hush@im.example/" },
			func(c *Config) { c.URL = "https://im.example/#top" },
			func(c *Config) { c.URL = "https:///events" },
			func(c *Config) { c.URL = "https://127.0.0.1/events" },
			func(c *Config) { c.URL = "https://[::1]/events" },
			func(c *Config) { c.URL = "https://[fe80::1%25eth0]/events" },
			func(c *Config) { c.URL, c.AllowPrivate = "https://169.254.169.254/latest", true },
			func(c *Config) { c.URL, c.AllowPrivate = "http://8.8.8.8/events", true },
			func(c *Config) { c.URL = "https://im.example/" + strings.Repeat("x", urlBytesMax) },
		},
		"Secrets": {
			func(c *Config) { c.Secrets = nil },
			func(c *Config) { c.Secrets = []Secret{secretOf('a'), secretOf('b'), secretOf('c')} },
			func(c *Config) { c.Secrets = []Secret{secretOf('a'), secretOf('a')} },
			func(c *Config) { c.Secrets = []Secret{secretOf('a')[len("whsec_"):]} },
			func(c *Config) { c.Secrets = []Secret{Secret("whsec_")} },
			func(c *Config) { c.Secrets = []Secret{Secret("whsec_c2hvcnQ=")} },
			func(c *Config) { c.Secrets = []Secret{Secret("whsec_not base64")} },
			func(c *Config) { c.Secrets = []Secret{Secret("whsec_" + strings.Repeat("AAAA", 22))} },
		},
		"Tickets": {func(c *Config) { c.Tickets = nil }},
		"Now":     {func(c *Config) { c.Now = nil }},
		"Timeout": {func(c *Config) { c.Timeout = -1 }, func(c *Config) { c.Timeout = timeoutMax + 1 }},
	} {
		for i, change := range changes {
			cfg := testConfig(t)
			change(&cfg)
			_, err := New(cfg)
			if err == nil || !strings.Contains(err.Error(), field+":") || strings.Contains(err.Error(), "hush") {
				t.Errorf("%s %d: %v, want an error that names the field and tells no password", field, i, err)
			}
		}
	}
}

func TestConfigTakesWhatItShould(t *testing.T) {
	for _, change := range []func(*Config){
		func(*Config) {},
		func(c *Config) { c.URL = "https://im.example:8443/hook?key=1" },
		func(c *Config) { c.URL = "https://8.8.8.8/" },
		func(c *Config) { c.URL, c.AllowPrivate = "http://127.0.0.1:8092/events", true },
		func(c *Config) { c.URL, c.AllowPrivate = "http://im.internal/events", true },
		func(c *Config) { c.Secrets = []Secret{secretOf('a'), secretOf('b')} },
		func(c *Config) { c.Timeout = timeoutMax },
	} {
		cfg := testConfig(t)
		change(&cfg)
		if _, err := New(cfg); err != nil {
			t.Error(err)
		}
	}
	if s := newSender(t, func(*Config) {}); s.cfg.Timeout != 10*time.Second {
		t.Errorf("timeout %v by default, want 10s", s.cfg.Timeout)
	}
}

func TestNothingPrintsASecret(t *testing.T) {
	cfg := testConfig(t)
	cfg.URL = "https://im.example/hush?key=hush"
	s := newSender(t, func(c *Config) { *c = cfg })
	var printed strings.Builder
	log := slog.New(slog.NewTextHandler(&printed, nil))
	for _, v := range []any{cfg, &cfg, s, cfg.Secrets, cfg.Secrets[0], map[string]Secret{"a": cfg.Secrets[0]}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
			fmt.Fprintf(&printed, verb+"\n", v)
		}
		log.Info("a", "v", v)
	}
	marshalled, err := json.Marshal(cfg.Secrets)
	if err != nil {
		t.Fatal(err)
	}
	printed.Write(marshalled)
	for _, hush := range []string{"hush", "YWFh", "59574668", "whsec_", "[119 104"} { // the secret: base64, in hex, in decimal
		if strings.Contains(printed.String(), hush) {
			t.Errorf("%q is printed: %s", hush, printed.String())
		}
	}
}

func TestSecretFileIsMadeOnceAndReadBack(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if _, err := LoadSecret(file); err == nil {
		t.Error("a file that is not there was read")
	}
	if err := MakeSecret(file); err != nil {
		t.Fatal(err)
	}
	first, err := LoadSecret(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := MakeSecret(file); err != nil {
		t.Fatal(err)
	}
	if again, err := LoadSecret(file); err != nil || string(again) != string(first) {
		t.Errorf("another secret the second time, %v", err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v, want 0600", info.Mode(), err)
	}
	for _, text := range []string{"", "whsec_", "hush", strings.Repeat("x", 2*secretFileBytesMax)} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadSecret(file); err == nil || text != "" && strings.Contains(err.Error(), "hush") {
			t.Errorf("%.10q: %v", text, err)
		}
	}
}
