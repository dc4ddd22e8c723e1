package playground

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"hongbao/internal/payment/simulator"
	"hongbao/internal/settings"
)

// The merchant's account with the simulated provider.
const (
	SimulatedMerchant       = "1900000001"
	SimulatedApp            = "wx0000000000000001"
	SimulatedMerchantSerial = "PLAYGROUND0000000001"
	SimulatedPlatformSerial = "PUB_KEY_ID_0000000000000000000001"
)

// secretNames are the secrets a playground makes on its first start.
var secretNames = [...]string{"draw.key", "ticket.key", "token.key", "operator.key",
	"db-admin.password", "db-app.password", "db-migrator.password", "db-audit.password", "db-arbiter.password"}

// eventSecretName is the secret that events are signed under.
const eventSecretName = "events.key"

// drainNotice is short: nothing balances in front of a playground.
const drainNotice = 200 * time.Millisecond

// shards is how many databases the books of a playground have.
const shards = 2

// writeSettings makes the keys that are missing and writes the settings file
// for the ports of this start.
func (p *Playground) writeSettings() error {
	if err := os.MkdirAll(p.path("keys"), 0o700); err != nil {
		return err
	}
	for _, name := range secretNames {
		if err := settings.MakePlaygroundSecret(p.path("keys", name)); err != nil {
			return err
		}
	}
	if err := settings.MakePlaygroundEventSecret(p.path("keys", eventSecretName)); err != nil {
		return err
	}
	payment, err := simulator.GenerateKeys(p.path("keys"))
	if err != nil {
		return err
	}
	if err := p.place(p.newSettings(payment)); err != nil {
		return err
	}
	if p.settings, err = p.cfg.load(p.path(SettingsName)); err != nil {
		return err
	}
	return p.agree()
}

// agree refuses edited settings that would have the parts look
// for each other where they are not.
func (p *Playground) agree() error {
	want, have := []string{Loopback(p.shape.APIPort), Loopback(p.shape.OperatorPort)}, []string{p.settings.Listen.Public, p.settings.Listen.Operator}
	for i := range p.shape.Sets {
		want = append(want, Loopback(p.shape.databasePort(i)))
	}
	for _, set := range p.settings.Sets {
		have = append(have, set.Primary)
	}
	for _, shard := range p.settings.Books {
		want, have = append(want, Loopback(p.shape.BooksPort)), append(have, shard.Primary)
	}
	if !slices.Equal(want, have) || p.settings.Environment != settings.Playground {
		return fmt.Errorf("%s: environment %s, listeners and databases at %v; the flags of this playground say %s at %v",
			p.path(SettingsName), p.settings.Environment, have, settings.Playground, want)
	}
	return nil
}

func (p *Playground) newSettings(payment simulator.Keys) *settings.Settings {
	key := func(name string) string { return filepath.Join("keys", name) }
	account := func(name string) settings.Account {
		return settings.Account{User: name, PasswordFile: key("db-" + name + ".password")}
	}
	s := &settings.Settings{
		Environment: settings.Playground,
		Listen:      settings.Listen{Public: Loopback(p.shape.APIPort), Operator: Loopback(p.shape.OperatorPort), DrainNotice: drainNotice},
		Accounts: settings.Accounts{Host: "127.0.0.1", Admin: account("admin"), App: account("app"),
			Migrator: account("migrator"), Audit: account("audit"), Arbiter: account("arbiter")},
		Keys: settings.Keys{DrawFile: key("draw.key"), TicketFile: key("ticket.key"), TicketNumber: 1,
			Tokens:    []settings.TokenKey{{KeyID: "playground", Algorithm: "HS256", File: key("token.key")}},
			Operators: []settings.TokenKey{{KeyID: "operators", Algorithm: "HS256", File: key("operator.key")}}},
		Events:  settings.Events{URL: "http://" + Loopback(p.shape.EventsPort) + "/events", SecretFile: key(eventSecretName), AllowPrivate: true},
		Limits:  settings.Limits{ShareMinFen: p.shape.ShareMin, Life: p.shape.Life, PayWithin: p.shape.PayWithin},
		Payment: paymentSettings(payment, "http://"+Loopback(p.shape.SimulatorPort), "http://"+Loopback(p.shape.APIPort)+"/v1/payment/notifications"),
	}
	s.Payment.Payouts = p.shape.Payouts
	for range shards {
		s.Books = append(s.Books, settings.Shard{Primary: Loopback(p.shape.BooksPort)})
	}
	for i := range p.shape.Sets {
		block := i
		s.Sets = append(s.Sets, settings.Set{Set: fmt.Sprintf("%03d", i), Primary: Loopback(p.shape.databasePort(i)),
			Minting: true, MachineBlock: &block, Memcached: []string{Loopback(p.shape.MemcachedPort)}})
	}
	return s
}

// paymentSettings are our merchant account with the simulator at baseURL.
func paymentSettings(keys simulator.Keys, baseURL, notifyURL string) settings.Payment {
	return settings.Payment{
		BaseURL: baseURL, NotifyURL: notifyURL,
		AppID: SimulatedApp, MerchantID: SimulatedMerchant, MerchantSerial: SimulatedMerchantSerial,
		MerchantKeyFile: keys.MerchantPrivate, APIv3KeyFile: keys.APIv3,
		PlatformKeys: []settings.PlatformKey{{Serial: SimulatedPlatformSerial, File: keys.PlatformPublic}},
	}
}

// load reads the settings as the playground's processes read them.
func (c *Config) load(file string) (*settings.Settings, error) {
	if c.Isolated {
		return settings.LoadFile(file)
	}
	return settings.Load(file)
}
