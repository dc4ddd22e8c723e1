package playground

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"hongbao/internal/durable"
	"hongbao/schema"
)

// supervisorName is the process that supervises the others.
const supervisorName = "playground"

// Description is playground.json: what a script needs to find everything. Files are
// relative to the file itself.
type Description struct {
	API              string    `json:"api"`
	Operator         string    `json:"operator"`
	PaymentSimulator string    `json:"payment_simulator"`
	Memcached        []string  `json:"memcached"`
	TokenKeyFile     string    `json:"token_key_file"` // HS256 secret: the file's text without the line end
	TokenKeyID       string    `json:"token_kid"`
	TokenAlgorithm   string    `json:"token_algorithm"`
	Config           string    `json:"config"`
	Events           string    `json:"events"` // the receiver that stands in for the IM backend
	Sets             []Set     `json:"sets"`
	Books            []Shard   `json:"books"` // in the order of their numbers
	Processes        []Process `json:"processes"`
}

type Set struct {
	Set   string `json:"set"`
	Nodes []Node `json:"nodes"`
}

type Node struct {
	Addr     string `json:"addr"`
	PID      int    `json:"pid"`
	Role     string `json:"role"`
	AuditDSN string `json:"audit_dsn"` // SELECT only
}

type Shard struct {
	Addr     string `json:"addr"`
	AuditDSN string `json:"audit_dsn"`
}

type Process struct {
	Name string `json:"name"`
	PID  int    `json:"pid"`
}

// describe writes playground.json, whole or not at all. It is written again
// whenever a process is replaced.
func (p *Playground) describe() error {
	r, err := p.Description()
	if err != nil {
		return err
	}
	raw, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return durable.Replace(p.path(DescriptionName), append(raw, '\n'))
}

// Description is the playground as it runs now.
func (p *Playground) Description() (*Description, error) {
	audit, err := p.settings.Account("audit", p.settings.Accounts.Audit)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	token := p.settings.Keys.Tokens[0]
	r := &Description{
		API:              "http://" + p.settings.Listen.Public,
		Operator:         "http://" + p.settings.Listen.Operator,
		PaymentSimulator: p.settings.Payment.BaseURL,
		Memcached:        []string{Loopback(p.shape.MemcachedPort)},
		TokenKeyFile:     token.File, TokenKeyID: token.KeyID, TokenAlgorithm: token.Algorithm,
		Config: SettingsName, Events: "http://" + Loopback(p.shape.EventsPort),
		Processes: []Process{
			{supervisorName, os.Getpid()}, {"hongbaod", p.daemon.PID()},
			{"paysim", p.simulator.PID()}, {"events", p.receiver.PID()}, {"memcached", p.memcached.PID()}, {"books", p.books.PID()},
		},
	}
	auditDSN := func(addr, database string) string {
		return p.settings.Databases.DSN(audit.User, audit.Password, addr, database)
	}
	for i, b := range p.settings.Books {
		r.Books = append(r.Books, Shard{Addr: b.Primary, AuditDSN: auditDSN(b.Primary, schema.BooksDatabaseName(i))})
	}
	for i, db := range p.sets {
		r.Sets = append(r.Sets, Set{Set: fmt.Sprintf("%03d", i), Nodes: []Node{
			{Addr: db.Addr(), PID: db.PID(), Role: "primary", AuditDSN: auditDSN(db.Addr(), schema.DatabaseName(i))},
		}})
	}
	return r, nil
}

// ReadDescription reads playground.json of a directory.
func ReadDescription(dir string) (*Description, error) {
	raw, err := os.ReadFile(filepath.Join(dir, DescriptionName))
	if err != nil {
		return nil, err
	}
	d := new(Description)
	if err := json.Unmarshal(raw, d); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, DescriptionName), err)
	}
	return d, nil
}

// PID is the process of that name, 0 without one or when it runs on another machine.
func (d *Description) PID(name string) int {
	for _, p := range d.Processes {
		if p.Name == name {
			return p.PID
		}
	}
	return 0
}

// Supervisor is the pid of the running "playground up", checked to be one: a stale
// file must not have another program stopped.
func (d *Description) Supervisor() (int, error) {
	pid := d.PID(supervisorName)
	if pid == 0 {
		return 0, fmt.Errorf("playground: %s names no %s", DescriptionName, supervisorName)
	}
	cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil || !strings.Contains(string(cmdline), "playground\x00up") {
		return 0, fmt.Errorf("playground: process %d is not a playground any more", pid)
	}
	return pid, nil
}
