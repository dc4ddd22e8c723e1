package playground

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"hongbao/internal/cluster"
	"hongbao/internal/settings"
)

// Playground is the running parts of one local deployment. Its methods may be
// called from any goroutine.
type Playground struct {
	cfg      Config
	shape    Shape
	last     up   // how it was started before
	first    bool // nothing was there
	settings *settings.Settings
	unlock   func()

	mu        sync.Mutex // guards the parts, which Supervise restarts
	sets      []*cluster.MariaDB
	books     *cluster.MariaDB
	memcached *cluster.Memcached
	simulator *cluster.Process
	receiver  *cluster.Process // of events
	daemon    *cluster.Process
}

// PortError is a port that cannot be listened on.
type PortError struct {
	Of  string // as in Ports
	Err error
}

func (e *PortError) Error() string { return e.Err.Error() }

// Unwrap is the reason.
func (e *PortError) Unwrap() error { return e.Err }

// Start starts a playground, or resumes the one whose data is in the directory. On
// an error it has stopped whatever it started.
func Start(ctx context.Context, cfg Config) (*Playground, error) {
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("playground: %w", err)
	}
	var err error
	if cfg.Dir, err = filepath.Abs(cfg.Dir); err != nil { // the settings file names others from it
		return nil, err
	}
	if err := os.MkdirAll(cfg.Dir, 0o755); err != nil {
		return nil, err
	}
	unlock, err := lock(cfg.Dir)
	if err != nil {
		return nil, err
	}
	p := &Playground{cfg: cfg, unlock: unlock}
	p.first = !exists(p.path(DescriptionName))
	if err := p.resume(); err != nil {
		unlock()
		return nil, err
	}
	if err := p.start(ctx); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// start brings everything up in the order of need. On an error the caller stops
// what did start.
func (p *Playground) start(ctx context.Context) error {
	for _, port := range p.shape.Ports() {
		if err := cluster.CheckPort(port.Port); err != nil {
			return &PortError{port.Of, err}
		}
	}
	p.say("playground in %s", p.cfg.Dir)
	steps := []struct {
		what string
		do   func() error
	}{
		{"settings and keys", p.writeSettings},
		{fmt.Sprintf("%d mariadbd (one primary a SET, one for users' books)", p.shape.Sets+1), func() error { return p.startDatabases(ctx) }},
		{"memcached", func() error { return p.startMemcached(ctx) }},
		{"databases, accounts, day tables", func() error { return p.applySchema(ctx) }},
		{"payment simulator", func() error { return p.startSimulator(ctx) }},
		{"receiver of events", func() error { return p.startReceiver(ctx) }},
		{"hongbaod", func() error { return p.startDaemon(ctx) }},
		{DescriptionName, p.describe},
	}
	for _, s := range steps {
		if err := p.step(s.what, s.do); err != nil {
			return err
		}
	}
	return nil
}

// First reports whether the directory had no playground before.
func (p *Playground) First() bool { return p.first }

// Settings are what the parts run with.
func (p *Playground) Settings() *settings.Settings { return p.settings }

// Close stops every process that this value started, and leaves the directory to
// the next playground. The data stays.
func (p *Playground) Close() error {
	defer p.unlock()
	return p.stop()
}

func (p *Playground) say(format string, args ...any) {
	if p.cfg.Progress != nil {
		p.cfg.Progress.Say(format, args...)
	}
}

func (p *Playground) step(what string, do func() error) error {
	if p.cfg.Progress != nil {
		return p.cfg.Progress.Step(what, do)
	}
	if err := do(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
