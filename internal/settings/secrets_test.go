package settings_test

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hongbao/internal/httpapi/bearer"
	"hongbao/internal/settings"
)

// readers read every secret that the settings name, by its key.
var readers = map[string]struct {
	file string
	read func(*settings.Settings) error
}{
	"accounts.app.password_file":      {"app.password", func(s *settings.Settings) error { _, err := s.Account("app", s.Accounts.App); return err }},
	"accounts.migrator.password_file": {"migrator.password", func(s *settings.Settings) error { _, err := s.Account("migrator", s.Accounts.Migrator); return err }},
	"keys.draw_file":                  {"draw.key", func(s *settings.Settings) error { _, err := s.DrawKey(); return err }},
	"keys.ticket_file":                {"ticket.key", func(s *settings.Settings) error { _, err := s.Tickets(); return err }},
	"keys.previous_ticket_file":       {"ticket-1.key", func(s *settings.Settings) error { _, err := s.Tickets(); return err }},
	"keys.tokens[0].file":             {"im-2.pem", func(s *settings.Settings) error { _, err := s.TokenKeys(); return err }},
	"keys.tokens[1].file":             {"im-1.key", func(s *settings.Settings) error { _, err := s.TokenKeys(); return err }},
	"payment.merchant_key_file":       {"merchant.pem", func(s *settings.Settings) error { _, err := s.PaymentConfig(time.Now); return err }},
	"payment.apiv3_key_file":          {"apiv3.key", func(s *settings.Settings) error { _, err := s.PaymentConfig(time.Now); return err }},
	"payment.platform_keys[0].file":   {"platform.pem", func(s *settings.Settings) error { _, err := s.PaymentConfig(time.Now); return err }},
}

func TestMissingSecretIsNamedWithItsFile(t *testing.T) {
	for key, secret := range readers {
		d := newDeployment(t)
		s := d.mustLoad(t)
		if err := secret.read(s); err != nil {
			t.Errorf("%s: %v", key, err)
		}
		d.write(t, secret.file, "\n")
		wantError(t, key+" is empty", secret.read(s), key, secret.file)
		if err := os.Remove(filepath.Join(d.dir, secret.file)); err != nil {
			t.Fatal(err)
		}
		wantError(t, key+" is missing", secret.read(s), key, secret.file)
	}
}

func TestPlaygroundSecretIsRefusedElsewhere(t *testing.T) {
	for key, secret := range readers {
		if strings.HasPrefix(key, "payment.") || strings.HasSuffix(secret.file, ".pem") {
			continue // made by the provider and the IM backend
		}
		for _, environment := range []string{settings.Playground, settings.Drill, settings.Production} {
			d := newDeployment(t)
			d.Environment = environment
			if err := os.Remove(filepath.Join(d.dir, secret.file)); err != nil {
				t.Fatal(err)
			}
			if err := settings.MakePlaygroundSecret(filepath.Join(d.dir, secret.file)); err != nil {
				t.Fatal(err)
			}
			err := secret.read(d.mustLoad(t))
			if environment == settings.Playground {
				if err != nil {
					t.Errorf("%s in a playground: %v", key, err)
				}
				continue
			}
			wantError(t, key+" in "+environment, err, key, "playground's secret", environment)
		}
	}
}

func TestPlaygroundSecretIsMadeOnce(t *testing.T) {
	dir := t.TempDir()
	made := func(name string) []byte {
		file := filepath.Join(dir, name)
		if err := settings.MakePlaygroundSecret(file); err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v", name, info.Mode(), err)
		}
		return raw
	}
	first := made("a")
	if again := made("a"); !bytes.Equal(first, again) {
		t.Errorf("made again: %q, then %q", first, again)
	}
	if other := made("b"); bytes.Equal(first, other) {
		t.Errorf("two secrets are both %q", other)
	}
	if len(bytes.TrimSpace(first)) < 32 {
		t.Errorf("%q is short", first)
	}
	if err := settings.MakePlaygroundSecret(filepath.Join(dir, "absent", "c")); err == nil {
		t.Error("made a secret in a directory that is not there")
	}
}

func TestASecretIsItsFileWithoutTheLineEnd(t *testing.T) {
	d := newDeployment(t)
	s := d.mustLoad(t)
	for text, want := range map[string]string{
		"secret": "secret", "secret\n": "secret", "secret\r\n": "secret", " secret \n": " secret ", "sec\nret\n": "sec\nret", "\nsecret": "\nsecret",
	} {
		d.write(t, "x", text)
		if got, err := s.Secret("x", "x"); err != nil || string(got) != want {
			t.Errorf("%q: got %q, %v, want %q", text, got, err, want)
		}
	}
	if got, err := s.Secret("x", filepath.Join(d.dir, "x")); err != nil || len(got) == 0 {
		t.Errorf("an absolute name: %q, %v", got, err)
	}
	d.write(t, "x", strings.Repeat("x", 16<<10+1))
	_, err := s.Secret("some.key", "x")
	wantError(t, "too large", err, "some.key: x is larger than 16384 bytes")
	_, err = s.Secret("some.key", "")
	wantError(t, "no name", err, "some.key: is required")
}

func TestAShortKeyIsRefused(t *testing.T) {
	d := newDeployment(t)
	s := d.mustLoad(t)
	d.write(t, "draw.key", "short")
	d.write(t, "ticket.key", "short")
	if _, err := s.DrawKey(); err == nil {
		t.Error("a draw key of five bytes was taken")
	}
	if _, err := s.Tickets(); err == nil {
		t.Error("a ticket key of five bytes was taken")
	}
}

func TestTicketsOfTheKeyBeforeAreStillValid(t *testing.T) {
	d := newDeployment(t)
	d.Keys.PreviousTicketFile = ""
	before := d.mustLoad(t)
	before.Keys.TicketFile, before.Keys.TicketNumber = "ticket-1.key", 1
	old, err := before.Tickets()
	if err != nil {
		t.Fatal(err)
	}
	d.Keys.PreviousTicketFile = "ticket-1.key"
	now, err := d.mustLoad(t).Tickets()
	if err != nil {
		t.Fatal(err)
	}
	const id = "02505712887272570880008"
	if !now.Valid(id, old.Mint(id)) || !now.Valid(id, now.Mint(id)) || old.Valid(id, now.Mint(id)) {
		t.Error("the new tickets must know the old ones, and not the other way round")
	}
}

func TestTokenKeysAreReadByTheirAlgorithm(t *testing.T) {
	d := newDeployment(t)
	s := d.mustLoad(t)
	keys, err := s.TokenKeys()
	if err != nil {
		t.Fatal(err)
	}
	if len(keys) != 2 || keys[0].ID != "im-2" || keys[0].Secret != nil || keys[0].Public == nil || keys[1].ID != "im-1" || keys[1].Public != nil || len(keys[1].Secret) < 32 {
		t.Errorf("got %d keys, want im-2 with a public key and im-1 with a secret", len(keys))
	}
	if _, err := bearer.NewAuthenticator(bearer.Config{Keys: keys, Now: time.Now}); err != nil {
		t.Errorf("the keys are no keys: %v", err)
	}
	merchant, err := os.ReadFile(filepath.Join(d.dir, "platform.pem"))
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{"an RSA key": string(merchant), "no PEM": secretText, "an empty block": "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n"} {
		d.write(t, "im-2.pem", text)
		_, err := s.TokenKeys()
		wantError(t, what, err, "keys.tokens[0].file")
	}
}

func TestTokenIsMintedWithTheFirstSharedKey(t *testing.T) {
	d := newDeployment(t)
	s := d.mustLoad(t)
	token, err := s.MintToken("ann", "", time.Hour, time.Now())
	if err != nil || strings.Count(token, ".") != 2 {
		t.Errorf("got %q, %v, want a JWT", token, err)
	}
	s.Keys.Tokens = s.Keys.Tokens[:1]
	_, err = s.MintToken("ann", "", time.Hour, time.Now())
	wantError(t, "with a public key alone", err, "keys.tokens: no HS256 key")
	d.write(t, "im-2.pem", "x")
	_, err = s.MintToken("ann", "", time.Hour, time.Now())
	wantError(t, "with a broken key", err, "keys.tokens[0].file")
}

func TestThePaymentAccountIsRead(t *testing.T) {
	cfg, err := newDeployment(t).mustLoad(t).PaymentConfig(time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.MerchantID != "1900000001" || cfg.MerchantKey == nil || cfg.PlatformKeys["PUB_1"] == nil || len(cfg.APIv3Key) != 32 || cfg.Now == nil {
		t.Errorf("got %+v", cfg)
	}
}

func TestPlaygroundEventSecretIsRefused(t *testing.T) {
	d := newDeployment(t)
	secrets, err := d.mustLoad(t).EventSecrets()
	if err != nil || len(secrets) != 2 || !strings.HasPrefix(secrets[0], "whsec_") {
		t.Errorf("%d secrets, %v; want the current and the previous one", len(secrets), err)
	}
	d.write(t, "events.key", "whsec_???\n")
	if _, err := d.mustLoad(t).EventSecrets(); err == nil || !strings.Contains(err.Error(), "events.secret_file") {
		t.Errorf("no base64: %v", err)
	}
	made := filepath.Join(d.dir, "made.key")
	if err := settings.MakePlaygroundEventSecret(made); err != nil {
		t.Fatal(err)
	}
	d.Events.SecretFile = "made.key"
	if _, err := d.mustLoad(t).EventSecrets(); err == nil || !strings.Contains(err.Error(), "playground") {
		t.Errorf("a playground's secret in production: %v", err)
	}
	d.Environment = settings.Playground
	if _, err := d.mustLoad(t).EventSecrets(); err != nil {
		t.Errorf("in a playground: %v", err)
	}
}

func TestOperateTokensUseTheOperatorsKey(t *testing.T) {
	d := newDeployment(t)
	if _, err := d.mustLoad(t).MintToken("ann", "operate", time.Hour, time.Now()); err == nil || !strings.Contains(err.Error(), "keys.operators") {
		t.Errorf("without an operators' key: %v", err)
	}
	d.Keys.Operators = []settings.TokenKey{{KeyID: "ops", Algorithm: "HS256", File: "im-1.key", Person: "ann"}}
	token, err := d.mustLoad(t).MintToken("ann", "operate", time.Hour, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	header, err := base64.RawURLEncoding.DecodeString(strings.SplitN(token, ".", 2)[0])
	if err != nil || !strings.Contains(string(header), `"kid":"ops"`) {
		t.Errorf("signed under %s, %v", header, err)
	}
}
