package testbed

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"hongbao/internal/cluster"
	"hongbao/internal/playground"
	"hongbao/internal/settings"
)

// ownTries is how often ports are chosen anew that another program has taken in the
// meantime.
const ownTries = 3

// OwnConfig is an environment for one measurement.
type OwnConfig struct {
	Beside string // a settings file: the directory is made beside it, with as many SETs as it says
	// Program and Daemon are as in playground.Config.
	Program, Daemon string
	// HeldBack pauses everything that follows from opens for as long as the
	// environment lives: a measurement of minutes opens shares whose payouts would
	// take an hour.
	HeldBack bool
	// SamePayouts has payouts go by the product that the settings name, with the
	// least share that they allow. Otherwise both are a new playground's.
	SamePayouts bool
	Progress    playground.Progress
}

func (c *OwnConfig) validate() error {
	if c.Beside == "" || c.Program == "" || c.Daemon == "" || c.Progress == nil {
		return errors.New("beside, program, daemon and progress are required")
	}
	return nil
}

// OnOwn measures on a playground that is started for the measurement and thrown
// away after it, so that what was measured belongs to no environment in use: its
// payouts are neither made behind the next measurement's back nor lost to anyone.
// The directory is kept when do fails or has not passed.
func OnOwn(ctx context.Context, cfg OwnConfig, do func(*Testbed) (passed bool, err error)) error {
	if err := cfg.validate(); err != nil {
		return fmt.Errorf("testbed: %w", err)
	}
	shape, err := cfg.shape()
	if err != nil {
		return err
	}
	beside := filepath.Dir(cfg.Beside)
	if _, err := os.Stat(beside); err != nil {
		beside = "."
	}
	dir, err := os.MkdirTemp(beside, "load-")
	if err != nil {
		return err
	}
	if dir, err = filepath.Abs(dir); err != nil { // the settings take their paths from it
		return err
	}
	passed, err := cfg.measureIn(ctx, dir, shape, do)
	if err == nil && !passed {
		cfg.Progress.Say("what was measured is kept in %s", dir)
		return nil
	}
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("%w (kept in %s)", err, dir)
	}
	return errors.Join(err, os.RemoveAll(dir))
}

// shape is what the settings ask of the playground.
func (c *OwnConfig) shape() (playground.Shape, error) {
	shape := playground.Shape{Sets: playground.SetsDefault}
	conf, err := settings.Load(c.Beside)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return shape, nil
	case err != nil:
		return shape, err
	case conf.Environment == settings.Production:
		return shape, errProduction(c.Beside)
	}
	shape.Sets = min(len(conf.Sets), playground.SetsMax)
	if c.SamePayouts {
		shape.Payouts, shape.ShareMin = payoutsOf(conf), int64(conf.Bounds().ShareMin)
	}
	return shape, nil
}

func (c *OwnConfig) measureIn(ctx context.Context, dir string, shape playground.Shape, do func(*Testbed) (bool, error)) (passed bool, err error) {
	var p *playground.Playground
	err = c.Progress.Step("a playground for this measurement alone", func() error {
		p, err = c.start(ctx, dir, shape)
		return err
	})
	if err != nil {
		return false, err
	}
	supervised, stop := context.WithCancel(ctx)
	var supervising sync.WaitGroup
	supervising.Go(func() { p.Supervise(supervised) })
	defer func() {
		stop()
		supervising.Wait()
		err = errors.Join(err, p.Close())
	}()
	desc, err := p.Description()
	if err != nil {
		return false, err
	}
	bed := &Testbed{file: filepath.Join(dir, playground.SettingsName), dir: dir, daemon: c.Daemon, load: settings.LoadFile, settings: p.Settings(), desc: desc}
	if c.HeldBack {
		if _, err := bed.HoldBack(ctx); err != nil {
			return false, err
		}
		c.Progress.Say("payouts, books and events are held back, and thrown away with it")
	}
	return do(bed)
}

// start starts a playground on ports that are free, and returns once everything in
// it answers.
func (c *OwnConfig) start(ctx context.Context, dir string, shape playground.Shape) (p *playground.Playground, err error) {
	for range ownTries {
		var ports []int
		if ports, err = cluster.FreePorts(7); err != nil {
			return nil, err
		}
		for i, port := range []*int{&shape.APIPort, &shape.OperatorPort, &shape.SimulatorPort, &shape.MemcachedPort, &shape.EventsPort, &shape.BooksPort, &shape.DatabasePort} {
			*port = ports[i]
		}
		p, err = playground.Start(ctx, playground.Config{Dir: dir, Shape: shape, Program: c.Program, Daemon: c.Daemon, Isolated: true})
		if err == nil || ctx.Err() != nil {
			return p, err
		}
	}
	return p, err
}
