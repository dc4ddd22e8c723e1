package cluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// lockMax is how long a start waits for the last server of the same directory:
// one whose parent was killed is still shutting down.
const lockMax = StopMax

// lockDir takes the exclusive lock of dir, which the server inherits and so
// holds until it is really gone, no matter which process started it. InnoDB locks its files
// too, but would retry for a hundred seconds and say so only in its log.
// The caller closes the file, having given it to the server or not.
func lockDir(ctx context.Context, dir string) (*os.File, error) {
	ctx, cancel := context.WithTimeout(ctx, lockMax)
	defer cancel()
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return f, nil
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, fmt.Errorf("lock of %s: another server still runs there: %w", dir, err)
		case <-tick.C:
		}
	}
}
