package playground

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

const lockName = "lock"

// ErrRunning says that the directory's playground runs already.
var ErrRunning = errors.New("a playground is already running")

// ErrNone says that there is no playground in a directory, nor has one been.
var ErrNone = errors.New("there is no playground")

// lock makes this process the only playground of the directory.
func lock(dir string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("%w in %s", ErrRunning, dir)
	}
	return func() { f.Close() }, nil
}

// Stop ends the "playground up" that runs in dir and waits, for StopMax, until it
// has ended. It reports whether one was running.
func Stop(ctx context.Context, dir string) (running bool, err error) {
	if !exists(filepath.Join(dir, lockName)) {
		return false, fmt.Errorf("%w in %s, nor has one been there", ErrNone, dir)
	}
	unlock, err := lock(dir)
	if err == nil {
		unlock()
		return false, nil
	}
	if !errors.Is(err, ErrRunning) {
		return false, fmt.Errorf("playground: %w", err)
	}
	d, err := ReadDescription(dir)
	if errors.Is(err, os.ErrNotExist) {
		return true, fmt.Errorf("playground: %w; it is still starting: try again", err)
	}
	if err != nil {
		return true, fmt.Errorf("playground: %w", err)
	}
	pid, err := d.Supervisor()
	if err != nil {
		return true, err
	}
	if err := unix.Kill(pid, unix.SIGTERM); err != nil {
		return true, fmt.Errorf("playground: stop process %d: %w", pid, err)
	}
	return true, awaitUnlocked(ctx, dir, pid)
}

func awaitUnlocked(ctx context.Context, dir string, pid int) error {
	ctx, cancel := context.WithTimeout(ctx, StopMax)
	defer cancel()
	tick := time.NewTicker(readyEvery)
	defer tick.Stop()
	for {
		if unlock, err := lock(dir); err == nil {
			unlock()
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("playground: process %d has not stopped within %v", pid, StopMax)
		case <-tick.C:
		}
	}
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}
