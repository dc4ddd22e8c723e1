// Package settings is the one YAML file that says what a deployment is: its
// SETs, accounts, keys, listeners and limits. hongbaod serves by it, hongbaoctl
// operates by it and writes it for a playground.
//
// Guaranteed: unknown keys are refused; every refusal names the key; secrets are
// file names, never values; secrets made for a playground are refused by every
// other environment. Environment variables (HONGBAO_…, see the env tags) override
// the file. Not guaranteed: that what the file points at is there or is safe;
// start-up asks the databases themselves.
package settings

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"time"

	"github.com/caarlos0/env/v11"
	"go.yaml.in/yaml/v3"

	"hongbao/envelope"
	"hongbao/internal/durable"
	"hongbao/internal/httpapi/bearer"
	"hongbao/orderset"
)

// fileBytesMax bounds a settings file: a thousand SETs fit many times.
const fileBytesMax = 1 << 20

// The environments. Playground secrets work in playgrounds only; drills run
// where the database itself says drill.
const (
	Playground = "playground"
	Drill      = "drill"
	Production = "production"
)

// Settings is the file. Relative file names in it are relative to the file.
type Settings struct {
	Environment string    `yaml:"environment" env:"HONGBAO_ENVIRONMENT"`
	Listen      Listen    `yaml:"listen"`
	Sets        []Set     `yaml:"sets"`
	RetiredSets []string  `yaml:"retired_sets,omitempty"` // numbers of SETs that were listed and are gone for good
	Books       []Shard   `yaml:"books"`                  // in the order of their numbers, which never changes
	Databases   Databases `yaml:"databases,omitempty"`
	Accounts    Accounts  `yaml:"accounts"`
	Keys        Keys      `yaml:"keys"`
	Payment     Payment   `yaml:"payment"`
	Events      Events    `yaml:"events,omitempty"`
	Limits      Limits    `yaml:"limits,omitempty"`
	Log         Log       `yaml:"log,omitempty"`
	dir         string    // of the file
}

// Set is one SET.
type Set struct {
	Set          string   `yaml:"set"`     // three digits, quoted
	Primary      string   `yaml:"primary"` // host:port
	Minting      bool     `yaml:"minting"`
	MachineBlock *int     `yaml:"machine_block,omitempty"` // 0–63; absent: grants no machine numbers
	Memcached    []string `yaml:"memcached,omitempty"`     // beside this SET's order servers, host:port
}

// Shard is one database of users' books; its number is its place in the list.
type Shard struct {
	Primary string `yaml:"primary"` // host:port
}

// Events is where the IM backend is notified, by signed webhooks.
// Without a URL no events are sent.
type Events struct {
	URL                string `yaml:"url,omitempty" env:"HONGBAO_EVENTS_URL"`
	SecretFile         string `yaml:"secret_file,omitempty"`          // whsec_…
	PreviousSecretFile string `yaml:"previous_secret_file,omitempty"` // while the secret is rotated
	AllowPrivate       bool   `yaml:"allow_private,omitempty"`        // the backend may have a private address
}

// Account is a database account.
type Account struct {
	User         string `yaml:"user"`
	PasswordFile string `yaml:"password_file"`
}

// Accounts of the databases. Admin is used by "hongbaoctl schema apply" only;
// hongbaod reads App and Migrator.
type Accounts struct {
	Host     string  `yaml:"host,omitempty"` // where the accounts may come from; default %
	Admin    Account `yaml:"admin,omitempty"`
	App      Account `yaml:"app"`
	Migrator Account `yaml:"migrator"`
	Audit    Account `yaml:"audit"`
	Arbiter  Account `yaml:"arbiter"`
}

// Keys are the service's own secrets.
type Keys struct {
	DrawFile           string     `yaml:"draw_file"`
	TicketFile         string     `yaml:"ticket_file"`
	TicketNumber       int        `yaml:"ticket_number"` // 0–255, changes with the file
	PreviousTicketFile string     `yaml:"previous_ticket_file,omitempty"`
	PreviousTicket     int        `yaml:"previous_ticket_number,omitempty"`
	Tokens             []TokenKey `yaml:"tokens"`
	// Operators sign the tokens of people who move held money (scope operate).
	// They are keys of their own: no IM backend can make such a token. Without
	// any, held money can be looked at and not moved.
	Operators []TokenKey `yaml:"operators,omitempty"`
	// Audience is what aud of every token must name, once it is set. Until then a
	// token that names an audience is for another service and is refused.
	Audience string `yaml:"audience,omitempty"`
	// TokenLifeMax bounds exp - iat of a token: default 168h.
	TokenLifeMax time.Duration `yaml:"token_life_max,omitempty"`
}

// TokenKey is a registered key of an issuer of tokens.
type TokenKey struct {
	KeyID     string `yaml:"kid"`
	Algorithm string `yaml:"algorithm"` // HS256 or EdDSA
	File      string `yaml:"file"`
	// Person is the one whose tokens an operators' key signs: with a key each, no one
	// can decide as two people. Required in production.
	Person string `yaml:"person,omitempty"`
}

// Payment is the provider and our merchant account with it.
type Payment struct {
	BaseURL         string        `yaml:"base_url" env:"HONGBAO_PAYMENT_BASE_URL"`
	NotifyURL       string        `yaml:"notify_url" env:"HONGBAO_PAYMENT_NOTIFY_URL"`
	AppID           string        `yaml:"app_id"`
	MerchantID      string        `yaml:"merchant_id"`
	MerchantSerial  string        `yaml:"merchant_serial"`
	MerchantKeyFile string        `yaml:"merchant_key_file"`
	APIv3KeyFile    string        `yaml:"apiv3_key_file"`
	PlatformKeys    []PlatformKey `yaml:"platform_keys"`
	// ChargeDescription is what every charge is called, in the payer's wallet and in
	// the provider's bills; default 红包.
	ChargeDescription string           `yaml:"charge_description,omitempty"`
	TransferScene     string           `yaml:"transfer_scene,omitempty"`  // transfer_scene_id that payouts are made under; default 1000
	TransferScenes    map[string]Scene `yaml:"transfer_scenes,omitempty"` // by transfer_scene_id; 1000 may be left out
	Payouts           string           `yaml:"payouts,omitempty"`         // bills, the default, or batches: which product pays out
	BillAccount       string           `yaml:"bill_account,omitempty"`    // BASIC, the default, or OPERATION, where payouts leave from it

	// ReturnAfterDays is how long a payout by bill that its payee did not confirm in
	// time waits to be asked for again, before it goes to the envelope's sender; 0 is
	// for ever, absent 7.
	ReturnAfterDays *int `yaml:"return_after_days,omitempty"`
}

// The provider's products for payouts, as payment.payouts names them. What has
// been made for one is carried out by it, whatever the setting says since.
const (
	PayoutBills   = "bills"   // each on its own, confirmed by its payee (商家转账)
	PayoutBatches = "batches" // hundreds in a request, straight into the payees' wallets (商家转账到零钱)
)

// InBatches reports whether new payouts are made in batches.
func (p *Payment) InBatches() bool { return p.Payouts == PayoutBatches }

// returnAfterDaysMax leaves days in which the envelope is shown still, to the sender
// too, which confirms what comes back.
const (
	returnAfterDaysDefault = 7
	returnAfterDaysMax     = 14
)

// ReturnAfter is how long an unconfirmed payout waits for its payee; 0 is for ever.
func (p *Payment) ReturnAfter() time.Duration {
	days := returnAfterDaysDefault
	if p.ReturnAfterDays != nil {
		days = *p.ReturnAfterDays
	}
	return time.Duration(days) * 24 * time.Hour
}

// PlatformKey is a public key of the provider, by its serial.
type PlatformKey struct {
	Serial string `yaml:"serial"`
	File   string `yaml:"file"`
}

// Limits override the defaults of the design; zero keeps the default.
type Limits struct {
	CountMax    int           `yaml:"count_max,omitempty"`
	ShareMinFen int64         `yaml:"share_min_fen,omitempty"`
	ShareMaxFen int64         `yaml:"share_max_fen,omitempty"`
	Life        time.Duration `yaml:"life,omitempty"`
	PayWithin   time.Duration `yaml:"pay_within,omitempty"`
}

// Load reads the file, then the environment, and checks both. The error names
// every mistake, one a line.
func Load(file string) (*Settings, error) {
	s, err := Read(file)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// LoadFile is Load without the environment: for a file whose program shares its
// environment with what the file is not for.
func LoadFile(file string) (*Settings, error) {
	s, err := read(file, func(*Settings) error { return nil })
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Read is Load for programs that go on looking for mistakes: it returns what it
// could read beside the error, nil when that is nothing.
func Read(file string) (*Settings, error) {
	return read(file, func(s *Settings) error { return env.Parse(s) })
}

func read(file string, override func(*Settings) error) (*Settings, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, fileBytesMax+1))
	if err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	if len(raw) > fileBytesMax {
		return nil, fmt.Errorf("settings %s: larger than %d bytes", file, fileBytesMax)
	}
	s := &Settings{dir: filepath.Dir(file)}
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	dec.KnownFields(true)
	var mistakes []error
	note := func(errs ...error) {
		for _, err := range errs {
			mistakes = append(mistakes, fmt.Errorf("settings %s: %w", file, err))
		}
	}
	numbers := numberMistakes(raw, reflect.TypeFor[Settings]())
	for _, number := range numbers {
		note(number)
	}
	err = dec.Decode(s)
	if keys, ok := errors.AsType[*yaml.TypeError](err); ok {
		for _, key := range keys.Errors { // the rest of the file was read
			if !slices.ContainsFunc(numbers, func(m numberMistake) bool { return m.covers(key) }) {
				note(errors.New(key))
			}
		}
	} else if err != nil {
		return nil, fmt.Errorf("settings %s: %w", file, err)
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		note(errors.New("there is more after the end of the settings (---)"))
	}
	if err := override(s); err != nil {
		mistakes = append(mistakes, fmt.Errorf("settings from the environment: %w", err))
	}
	note(s.mistakes()...)
	return s, errors.Join(mistakes...)
}

// Text is the file as Save would write it.
func (s *Settings) Text() ([]byte, error) {
	raw, err := yaml.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	return raw, nil
}

// Save writes the file for people to read, over an old one at once or not at all.
func (s *Settings) Save(file string) error {
	raw, err := s.Text()
	if err != nil {
		return err
	}
	if err := durable.Replace(file, raw); err != nil {
		return fmt.Errorf("settings: %w", err)
	}
	return nil
}

// mistakes are all that is wrong with the settings by themselves.
func (s *Settings) mistakes() (found []error) {
	wrong := func(format string, args ...any) { found = append(found, fmt.Errorf(format, args...)) }
	switch s.Environment {
	case Playground, Drill, Production:
	default:
		wrong("environment: must be %s, %s or %s", Playground, Drill, Production)
	}
	for _, r := range []struct{ key, value string }{
		{"listen.public", s.Listen.Public}, {"listen.operator", s.Listen.Operator},
		{"accounts.app.user", s.Accounts.App.User}, {"accounts.migrator.user", s.Accounts.Migrator.User},
		{"keys.draw_file", s.Keys.DrawFile}, {"keys.ticket_file", s.Keys.TicketFile},
		{"payment.base_url", s.Payment.BaseURL}, {"payment.notify_url", s.Payment.NotifyURL},
	} {
		if r.value == "" {
			wrong("%s: is required", r.key)
		}
	}
	found = append(found, s.listenMistakes()...)
	if err := (bearer.Key{Audience: s.Keys.Audience, LifeMax: s.Keys.TokenLifeMax}).CheckRules(); err != nil {
		wrong("keys.%w", err)
	}
	for _, n := range []struct {
		key   string
		value int
	}{{"keys.ticket_number", s.Keys.TicketNumber}, {"keys.previous_ticket_number", s.Keys.PreviousTicket}} {
		if n.value < 0 || n.value > 255 {
			wrong("%s: want 0 to 255, have %d", n.key, n.value)
		}
	}
	switch s.Payment.Payouts {
	case "", PayoutBills, PayoutBatches:
	default:
		wrong("payment.payouts: must be %s or %s, have %q", PayoutBills, PayoutBatches, s.Payment.Payouts)
	}
	found = append(found, s.Payment.termMistakes()...)
	found = append(found, s.personMistakes()...)
	if len(s.Keys.Tokens) == 0 {
		wrong("keys.tokens: at least one key is required, or nobody can call the API")
	}
	if _, err := s.Topology(); err != nil {
		found = append(found, err)
	}
	found = append(found, s.bookMistakes()...)
	if err := s.Databases.validate(); err != nil {
		found = append(found, err)
	}
	found = append(found, s.runningMistakes()...)
	if err := s.Bounds().Validate(); err != nil {
		wrong("limits: %w", err)
	}
	return found
}

// shardsMax bounds the books' databases.
const shardsMax = 100

func (s *Settings) bookMistakes() (found []error) {
	if len(s.Books) == 0 || len(s.Books) > shardsMax {
		found = append(found, fmt.Errorf("books: want 1 <= databases <= %d, have %d", shardsMax, len(s.Books)))
	}
	for i, b := range s.Books {
		if host, port, err := net.SplitHostPort(b.Primary); err != nil || host == "" || port == "" {
			found = append(found, fmt.Errorf("books[%d].primary: want host:port, have %q", i, b.Primary))
		}
	}
	return found
}

// Topology is the SETs of the file.
func (s *Settings) Topology() (orderset.Topology, error) {
	specs := make([]orderset.SetSpec, 0, len(s.Sets))
	for i, set := range s.Sets {
		n, err := envelope.ParseSetNumber(set.Set)
		if err != nil {
			return orderset.Topology{}, fmt.Errorf("sets[%d].set: %w", i, err)
		}
		spec := orderset.SetSpec{Number: n, Primary: set.Primary, Minting: set.Minting, MachineBlock: -1, Memcached: set.Memcached}
		if set.MachineBlock != nil {
			spec.MachineBlock = *set.MachineBlock
		}
		specs = append(specs, spec)
	}
	topology, err := orderset.NewTopology(specs)
	if err != nil {
		return topology, err
	}
	retired := make([]envelope.SetNumber, 0, len(s.RetiredSets))
	for i, text := range s.RetiredSets {
		n, err := envelope.ParseSetNumber(text)
		if err != nil {
			return orderset.Topology{}, fmt.Errorf("retired_sets[%d]: %w", i, err)
		}
		retired = append(retired, n)
	}
	return topology.Retire(retired...)
}

// payableFen is what the provider's products for payouts are reported to ask for
// at least. It does not say so itself, so less is a warning and no mistake.
const payableFen = 10

// Warnings are what may be meant and is likely not, each naming its key.
func (s *Settings) Warnings() (warnings []string) {
	if least := s.Bounds().ShareMin; least < payableFen {
		warnings = append(warnings, fmt.Sprintf("limits.share_min_fen: is %d: the provider is reported to pay out no less than %d fen, by bills or in batches; payouts of smaller shares would be held", least, payableFen))
	}
	return warnings
}

// Bounds are the limits of envelopes: the defaults, with what the file overrides.
func (s *Settings) Bounds() envelope.Limits {
	l := envelope.DefaultLimits()
	if s.Limits.CountMax != 0 {
		l.CountMax = s.Limits.CountMax
	}
	if s.Limits.ShareMinFen != 0 {
		l.ShareMin = envelope.Fen(s.Limits.ShareMinFen)
	}
	if s.Limits.ShareMaxFen != 0 {
		l.ShareMax = envelope.Fen(s.Limits.ShareMaxFen)
	}
	if s.Limits.Life != 0 {
		l.Life = s.Limits.Life
	}
	if s.Limits.PayWithin != 0 {
		l.PayWithin = s.Limits.PayWithin
	}
	return l
}
