package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"hongbao/internal/durable"
	"hongbao/internal/payment/simulator"
	"hongbao/internal/settings"
	"hongbao/schema"
)

const supervisorName = "playground"

// description is playground.json: what a script needs to find everything. Files are
// relative to the file itself.
type description struct {
	API              string        `json:"api"`
	Operator         string        `json:"operator"`
	PaymentSimulator string        `json:"payment_simulator"`
	Memcached        []string      `json:"memcached"`
	TokenKeyFile     string        `json:"token_key_file"` // HS256 secret: the file's text without the line end
	TokenKeyID       string        `json:"token_kid"`
	TokenAlgorithm   string        `json:"token_algorithm"`
	Config           string        `json:"config"`
	Events           string        `json:"events"` // the receiver that stands in for the IM backend
	Sets             []reportSet   `json:"sets"`
	Books            []reportBooks `json:"books"` // in the order of their numbers
	Processes        []processInfo `json:"processes"`
}

type reportSet struct {
	Set   string       `json:"set"`
	Nodes []reportNode `json:"nodes"`
}

type reportNode struct {
	Addr     string `json:"addr"`
	PID      int    `json:"pid"`
	Role     string `json:"role"`
	AuditDSN string `json:"audit_dsn"` // SELECT only
}

type reportBooks struct {
	Addr     string `json:"addr"`
	AuditDSN string `json:"audit_dsn"`
}

type processInfo struct {
	Name string `json:"name"`
	PID  int    `json:"pid"`
}

// writeReport writes playground.json, whole or not at all. It is written again
// whenever a process is replaced.
func (p *playground) writeReport() error {
	r, err := p.report()
	if err != nil {
		return err
	}
	raw, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return durable.Replace(p.path(reportName), append(raw, '\n'))
}

func (p *playground) report() (*description, error) {
	audit, err := p.settings.Account("audit", p.settings.Accounts.Audit)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	token := p.settings.Keys.Tokens[0]
	r := &description{
		API:              "http://" + p.settings.Listen.Public,
		Operator:         "http://" + p.settings.Listen.Operator,
		PaymentSimulator: p.settings.Payment.BaseURL,
		Memcached:        []string{loopback(p.cmd.MemcachedPort)},
		TokenKeyFile:     token.File, TokenKeyID: token.KeyID, TokenAlgorithm: token.Algorithm,
		Config: configName, Events: "http://" + loopback(p.cmd.EventsPort),
		Processes: []processInfo{
			{supervisorName, os.Getpid()}, {"hongbaod", p.daemon.PID()},
			{"paysim", p.simulator.PID()}, {"events", p.receiver.PID()}, {"memcached", p.memcached.PID()}, {"books", p.books.PID()},
		},
	}
	auditDSN := func(addr, database string) string {
		return p.settings.Databases.DSN(audit.User, audit.Password, addr, database)
	}
	for i, b := range p.settings.Books {
		r.Books = append(r.Books, reportBooks{Addr: b.Primary, AuditDSN: auditDSN(b.Primary, schema.BooksDatabaseName(i))})
	}
	for i, db := range p.sets {
		r.Sets = append(r.Sets, reportSet{Set: fmt.Sprintf("%03d", i), Nodes: []reportNode{
			{Addr: db.Addr(), PID: db.PID(), Role: "primary", AuditDSN: auditDSN(db.Addr(), schema.DatabaseName(i))},
		}})
	}
	return r, nil
}

// secretNames are the secrets a playground makes on its first start.
var secretNames = [...]string{"draw.key", "ticket.key", "token.key", "operator.key",
	"db-admin.password", "db-app.password", "db-migrator.password", "db-audit.password", "db-arbiter.password"}

// eventSecretName is the secret that events are signed under.
const eventSecretName = "events.key"

// playgroundNotice is short: nothing balances in front of a playground.
const playgroundNotice = 200 * time.Millisecond

// playgroundShards is how many databases the books of a playground have.
const playgroundShards = 2

// writeSettings makes the keys that are missing and writes the settings file
// for the ports of this start.
func (p *playground) writeSettings() error {
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
	if p.settings, err = settings.Load(p.path(configName)); err != nil {
		return err
	}
	return p.agree()
}

// agree refuses settings of somebody else's making that would have the parts look
// for each other where they are not.
func (p *playground) agree() error {
	want, have := []string{loopback(p.cmd.APIPort), loopback(p.cmd.OperatorPort)}, []string{p.settings.Listen.Public, p.settings.Listen.Operator}
	for i := range p.cmd.Sets {
		want = append(want, loopback(p.cmd.databasePort(i)))
	}
	for _, set := range p.settings.Sets {
		have = append(have, set.Primary)
	}
	for _, shard := range p.settings.Books {
		want, have = append(want, loopback(p.cmd.BooksPort)), append(have, shard.Primary)
	}
	if !slices.Equal(want, have) || p.settings.Environment != settings.Playground {
		return fmt.Errorf("%s: environment %s, listeners and databases at %v; the flags of this playground say %s at %v",
			p.path(configName), p.settings.Environment, have, settings.Playground, want)
	}
	return nil
}

func (p *playground) newSettings(payment simulator.Keys) *settings.Settings {
	key := func(name string) string { return filepath.Join("keys", name) }
	account := func(name string) settings.Account {
		return settings.Account{User: name, PasswordFile: key("db-" + name + ".password")}
	}
	s := &settings.Settings{
		Environment: settings.Playground,
		Listen:      settings.Listen{Public: loopback(p.cmd.APIPort), Operator: loopback(p.cmd.OperatorPort), DrainNotice: playgroundNotice},
		Accounts: settings.Accounts{Host: "127.0.0.1", Admin: account("admin"), App: account("app"),
			Migrator: account("migrator"), Audit: account("audit"), Arbiter: account("arbiter")},
		Keys: settings.Keys{DrawFile: key("draw.key"), TicketFile: key("ticket.key"), TicketNumber: 1,
			Tokens:    []settings.TokenKey{{KeyID: "playground", Algorithm: "HS256", File: key("token.key")}},
			Operators: []settings.TokenKey{{KeyID: "operators", Algorithm: "HS256", File: key("operator.key")}}},
		Events:  settings.Events{URL: "http://" + loopback(p.cmd.EventsPort) + "/events", SecretFile: key(eventSecretName), AllowPrivate: true},
		Limits:  settings.Limits{ShareMinFen: p.cmd.ShareMin, Life: p.cmd.Life, PayWithin: p.cmd.PayWithin},
		Payment: paymentSettings(payment, "http://"+loopback(p.cmd.SimulatorPort), "http://"+loopback(p.cmd.APIPort)+"/v1/payment/notifications"),
	}
	s.Payment.Payouts = p.cmd.Payouts
	for range playgroundShards {
		s.Books = append(s.Books, settings.Shard{Primary: loopback(p.cmd.BooksPort)})
	}
	for i := range p.cmd.Sets {
		block := i
		s.Sets = append(s.Sets, settings.Set{Set: fmt.Sprintf("%03d", i), Primary: loopback(p.cmd.databasePort(i)),
			Minting: true, MachineBlock: &block, Memcached: []string{loopback(p.cmd.MemcachedPort)}})
	}
	return s
}
