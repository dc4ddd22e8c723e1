package playground

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"hongbao/internal/settings"
)

// Bounds of a playground.
const (
	SetsMax  = 8
	PortMin  = 1024
	PortMax  = 32767 // above are the ports of outgoing connections
	ReadyMax = 30 * time.Second
	StopMax  = 30 * time.Second
)

// The files of a playground's directory that others read.
const (
	SettingsName    = "hongbao.yaml"
	DescriptionName = "playground.json"
)

// Config is where a playground lives and what it is made of.
type Config struct {
	Dir        string // everything is under it
	Shape      Shape  // a zero field is as before, or else the default
	KeepConfig bool   // run with the settings file as it is, where it was edited since the last start
	// Program serves the verbs payment-simulator and event-receiver, Daemon serves
	// hongbaod's.
	Program, Daemon string
	// Isolated keeps the environment's HONGBAO_ settings from the playground and its
	// processes.
	Isolated bool
	Progress Progress // nil reports nothing
}

// Progress is reported to while a playground starts and while it is supervised. Its
// methods are called from several goroutines.
type Progress interface {
	Say(format string, args ...any)
	Step(what string, do func() error) error // runs do and returns its error
}

// Shape is what a playground is made of; it is remembered from start to start.
type Shape struct {
	Sets          int           `json:"sets"` // each on a mariadbd of its own
	APIPort       int           `json:"api_port"`
	OperatorPort  int           `json:"operator_port"`
	SimulatorPort int           `json:"simulator_port"`
	MemcachedPort int           `json:"memcached_port"`
	DatabasePort  int           `json:"database_port"` // of the first SET; the next one's is 10 higher
	BooksPort     int           `json:"books_port"`
	EventsPort    int           `json:"events_port"`
	Life          time.Duration `json:"life"`
	ShareMin      int64         `json:"share_min"` // fen
	PayWithin     time.Duration `json:"pay_within"`
	Payouts       string        `json:"payouts"`
}

// SetsDefault is how many SETs a new playground has.
const SetsDefault = 2

// Default is the shape of a new playground.
func Default() Shape {
	return Shape{
		Sets: SetsDefault, APIPort: 8080, OperatorPort: 8081, SimulatorPort: 8090, MemcachedPort: 11311, DatabasePort: 13000,
		BooksPort: 13900, EventsPort: 8091, Life: 24 * time.Hour, ShareMin: 1, PayWithin: 15 * time.Minute, Payouts: settings.PayoutBills,
	}
}

// Or takes from other what is zero in s.
func (s Shape) Or(other Shape) Shape {
	return Shape{
		Sets: cmp.Or(s.Sets, other.Sets), APIPort: cmp.Or(s.APIPort, other.APIPort),
		OperatorPort: cmp.Or(s.OperatorPort, other.OperatorPort), SimulatorPort: cmp.Or(s.SimulatorPort, other.SimulatorPort),
		MemcachedPort: cmp.Or(s.MemcachedPort, other.MemcachedPort), DatabasePort: cmp.Or(s.DatabasePort, other.DatabasePort),
		BooksPort: cmp.Or(s.BooksPort, other.BooksPort), EventsPort: cmp.Or(s.EventsPort, other.EventsPort),
		Life: cmp.Or(s.Life, other.Life), ShareMin: cmp.Or(s.ShareMin, other.ShareMin), PayWithin: cmp.Or(s.PayWithin, other.PayWithin), Payouts: cmp.Or(s.Payouts, other.Payouts),
	}
}

// Port is a port of a playground and the part that listens on it.
type Port struct {
	Of   string // as in "--api-port"
	Port int
}

// Ports are all that a playground listens on.
func (s Shape) Ports() []Port {
	ports := []Port{
		{"api-port", s.APIPort}, {"operator-port", s.OperatorPort},
		{"simulator-port", s.SimulatorPort}, {"memcached-port", s.MemcachedPort},
		{"books-port", s.BooksPort}, {"events-port", s.EventsPort},
	}
	for i := range s.Sets {
		ports = append(ports, Port{"database-port", s.databasePort(i)})
	}
	return ports
}

func (s Shape) databasePort(set int) int { return s.DatabasePort + 10*set }

func (s Shape) validate() error {
	if s.Sets < 1 || s.Sets > SetsMax {
		return fmt.Errorf("want 1 <= sets <= %d, have %d", SetsMax, s.Sets)
	}
	taken := map[int]string{}
	for _, p := range s.Ports() {
		if p.Port < PortMin || p.Port > PortMax {
			return fmt.Errorf("want %d <= %s <= %d, have %d", PortMin, p.Of, PortMax, p.Port)
		}
		if other, twice := taken[p.Port]; twice {
			return fmt.Errorf("want different ports, have %d as %s and as %s", p.Port, other, p.Of)
		}
		taken[p.Port] = p.Of
	}
	switch {
	case s.Life <= 0 || s.PayWithin <= 0:
		return fmt.Errorf("want 0 < life and 0 < time to pay, have %v and %v", s.Life, s.PayWithin)
	case s.ShareMin < 1:
		return fmt.Errorf("want 1 <= least share, have %d", s.ShareMin)
	case s.Payouts != settings.PayoutBills && s.Payouts != settings.PayoutBatches:
		return fmt.Errorf("want payouts by %s or %s, have %q", settings.PayoutBills, settings.PayoutBatches, s.Payouts)
	}
	return nil
}

func (c *Config) validate() error {
	if c.Dir == "" || c.Program == "" || c.Daemon == "" {
		return errors.New("dir, program and daemon are required")
	}
	return nil
}

// env is the environment of the playground's processes; nil is this process's own.
func (c *Config) env() []string {
	if !c.Isolated {
		return nil
	}
	return WithoutSettings(os.Environ())
}

// WithoutSettings is an environment that overrides no setting.
func WithoutSettings(env []string) (rest []string) {
	for _, one := range env {
		if !strings.HasPrefix(one, "HONGBAO_") {
			rest = append(rest, one)
		}
	}
	return rest
}

func (p *Playground) path(parts ...string) string {
	return filepath.Join(append([]string{p.cfg.Dir}, parts...)...)
}
