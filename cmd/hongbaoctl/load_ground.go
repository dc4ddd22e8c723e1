package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"hongbao/internal/cluster"
	"hongbao/internal/settings"
)

const (
	groundReadyMax = 3 * readyMax
	groundStopMax  = 2 * stopMax
	// groundTries is how often ports are chosen anew that another program has taken
	// in the meantime.
	groundTries = 3
)

// onOwnGround measures opens on a playground that is started for the measurement and
// thrown away after it. What follows from opens is held back there for as long as
// it lives: a measurement of minutes opens shares whose payouts would take an hour,
// and they belong to no envelope in use. They must not be made behind the next measurement's back,
// and in a playground in use they must not be thrown away.
//
// It lies beside the settings file, on the same disk, and has as many SETs as these
// say. It is kept when do fails or has not passed, to be looked at.
func onOwnGround(ctx context.Context, c *cli, do func(*ground) (passed bool, err error)) error {
	sets := setsDefault
	conf, err := settings.Load(c.Config)
	switch {
	case err == nil && conf.Environment == settings.Production:
		return errNotHere(c.Config)
	case err == nil:
		sets = min(len(conf.Sets), setsMax)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	beside := filepath.Dir(c.Config)
	if !exists(beside) {
		beside = "."
	}
	dir, err := os.MkdirTemp(beside, "load-")
	if err != nil {
		return fmt.Errorf("load: %w", err)
	}
	passed, err := measureIn(ctx, c, dir, sets, do)
	if err == nil && !passed {
		newNarrator(c.JSON).say("what was measured is kept in %s", dir)
		return nil
	}
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("%w (kept in %s)", err, dir)
	}
	return errors.Join(err, os.RemoveAll(dir))
}

func errNotHere(file string) error {
	return fmt.Errorf("load: %s says %s: a crowd of strangers is for playgrounds and drills", file, settings.Production)
}

func measureIn(ctx context.Context, c *cli, dir string, sets int, do func(*ground) (bool, error)) (passed bool, err error) {
	var proc *cluster.Process
	say := newNarrator(c.JSON)
	err = say.step("a playground for this measurement alone", func() error {
		proc, err = startGround(ctx, dir, sets)
		return err
	})
	if err != nil {
		return false, err
	}
	defer func() {
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), groundStopMax)
		defer cancel()
		err = errors.Join(err, proc.Stop(stopping))
	}()
	g, err := findGround(filepath.Join(dir, configName))
	if err != nil {
		return false, err
	}
	if _, err := g.holdBack(ctx); err != nil {
		return false, err
	}
	say.say("payouts, books and events are held back, and thrown away with it")
	return do(g)
}

// startGround starts a playground in dir, on ports that are free, and returns once
// everything in it answers.
func startGround(ctx context.Context, dir string, sets int) (proc *cluster.Process, err error) {
	for range groundTries {
		if proc, err = tryGround(ctx, dir, sets); err == nil || ctx.Err() != nil {
			break
		}
	}
	return proc, err
}

func tryGround(ctx context.Context, dir string, sets int) (*cluster.Process, error) {
	names := []string{"api", "operator", "simulator", "memcached", "events", "books", "database"}
	ports, err := cluster.FreePorts(len(names))
	if err != nil {
		return nil, err
	}
	args := []string{"playground", "up", "--no-tour", "--dir", dir, "--sets", strconv.Itoa(sets)}
	for i, name := range names {
		args = append(args, "--"+name+"-port", strconv.Itoa(ports[i]))
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	log := filepath.Join(dir, "playground.log")
	proc, err := cluster.Start(cluster.Command{Name: "playground", Path: self, Env: withoutOurs(os.Environ()), Args: args, LogFile: log})
	if err != nil {
		return nil, err
	}
	if err := awaitGround(ctx, dir, proc); err != nil {
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), groundStopMax)
		defer cancel()
		return nil, errors.Join(fmt.Errorf("%w; its log is %s", err, log), proc.Stop(stopping))
	}
	return proc, nil
}

// awaitGround waits for the report, which is written when everything answers.
func awaitGround(ctx context.Context, dir string, proc *cluster.Process) error {
	ctx, cancel := context.WithTimeout(ctx, groundReadyMax)
	defer cancel()
	tick := time.NewTicker(readyEvery)
	defer tick.Stop()
	for {
		if r, err := readReport(filepath.Join(dir, reportName)); err == nil {
			if pid, err := r.supervisor(); err == nil && pid == proc.PID() {
				return nil
			}
		}
		select {
		case <-proc.Done():
			return errors.Join(errors.New("it ended before it was ready"), proc.Err())
		case <-ctx.Done():
			return fmt.Errorf("not ready within %v", groundReadyMax)
		case <-tick.C:
		}
	}
}
