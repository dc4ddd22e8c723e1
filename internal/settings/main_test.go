package settings_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"hongbao/internal/settings"
)

const secretText = "a secret of at least 32 bytes, for tests"

// merchantKey is one for all tests: RSA keys take long to make.
var merchantKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// deployment is a settings file with everything it names, in a directory of its own.
type deployment struct {
	*settings.Settings
	dir string
}

func newDeployment(t *testing.T) *deployment {
	t.Helper()
	first, second := 0, 1
	account := func(user string) settings.Account {
		return settings.Account{User: user, PasswordFile: user + ".password"}
	}
	d := &deployment{dir: t.TempDir(), Settings: &settings.Settings{
		Environment: settings.Production,
		Listen:      settings.Listen{Public: "0.0.0.0:8080", Operator: "127.0.0.1:8081"},
		Sets: []settings.Set{
			{Set: "000", Primary: "db-000.internal:3306", Minting: true, MachineBlock: &first, Memcached: []string{"mc-000:11211"}},
			{Set: "007", Primary: "db-007.internal:3306", Minting: true, MachineBlock: &second},
			{Set: "999", Primary: "db-999.internal:3306"},
		},
		Books:  []settings.Shard{{Primary: "books-0.internal:3306"}, {Primary: "books-1.internal:3306"}},
		Events: settings.Events{URL: "https://im.example/events", SecretFile: "events.key", PreviousSecretFile: "events-1.key"},
		Accounts: settings.Accounts{Host: "10.%", Admin: account("admin"), App: account("app"), Migrator: account("migrator"),
			Audit: account("audit"), Arbiter: account("arbiter")},
		Keys: settings.Keys{DrawFile: "draw.key", TicketFile: "ticket.key", TicketNumber: 2, PreviousTicketFile: "ticket-1.key", PreviousTicket: 1,
			Tokens: []settings.TokenKey{{KeyID: "im-2", Algorithm: "EdDSA", File: "im-2.pem"}, {KeyID: "im-1", Algorithm: "HS256", File: "im-1.key"}}},
		Payment: settings.Payment{BaseURL: "https://pay.example", NotifyURL: "https://hongbao.example/v1/payment/notifications", AppID: "wx1",
			MerchantID: "1900000001", MerchantSerial: "5F", MerchantKeyFile: "merchant.pem", APIv3KeyFile: "apiv3.key",
			PlatformKeys: []settings.PlatformKey{{Serial: "PUB_1", File: "platform.pem"}}},
		Limits: settings.Limits{CountMax: 200, ShareMinFen: 10, ShareMaxFen: 10000, Life: 12 * time.Hour, PayWithin: 10 * time.Minute},
	}}
	for _, user := range []string{"admin", "app", "migrator", "audit", "arbiter"} {
		d.write(t, user+".password", user+"'s password\n")
	}
	for _, name := range []string{"draw.key", "ticket.key", "ticket-1.key", "im-1.key"} {
		d.write(t, name, secretText+" "+name+"\n")
	}
	for _, name := range []string{"events.key", "events-1.key"} {
		d.write(t, name, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n")
	}
	d.write(t, "apiv3.key", strings.Repeat("k", 32))
	d.writeKeys(t)
	return d
}

// writeKeys makes the asymmetric keys: of the merchant, the provider and the IM backend.
func (d *deployment) writeKeys(t *testing.T) {
	t.Helper()
	merchant := merchantKey()
	private, err := x509.MarshalPKCS8PrivateKey(merchant)
	if err != nil {
		t.Fatal(err)
	}
	d.write(t, "merchant.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
	backend, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	d.writePublic(t, "platform.pem", &merchant.PublicKey)
	d.writePublic(t, "im-2.pem", backend)
}

func (d *deployment) writePublic(t *testing.T, name string, key any) {
	t.Helper()
	public, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	d.write(t, name, string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})))
}

func (d *deployment) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(d.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (d *deployment) file() string { return filepath.Join(d.dir, "hongbao.yaml") }

// load saves the settings and reads them again.
func (d *deployment) load(t *testing.T) (*settings.Settings, error) {
	t.Helper()
	if err := d.Save(d.file()); err != nil {
		t.Fatal(err)
	}
	return settings.Load(d.file())
}

func (d *deployment) mustLoad(t *testing.T) *settings.Settings {
	t.Helper()
	s, err := d.load(t)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// loadText reads the saved settings after a change to their text.
func (d *deployment) loadText(t *testing.T, change func(text string) string) error {
	t.Helper()
	if err := d.Save(d.file()); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(d.file())
	if err != nil {
		t.Fatal(err)
	}
	d.write(t, "hongbao.yaml", change(string(raw)))
	_, err = settings.Load(d.file())
	return err
}

func wantError(t *testing.T, what string, err error, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: got %v, want %q named", what, err, part)
		}
	}
}
