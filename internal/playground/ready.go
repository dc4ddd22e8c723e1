package playground

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"hongbao/internal/cluster"
)

const readyEvery = 50 * time.Millisecond

// AwaitReady polls url until it answers 200, the process ends or ReadyMax is over.
func AwaitReady(ctx context.Context, proc *cluster.Process, url string) error {
	ctx, cancel := context.WithTimeout(ctx, ReadyMax)
	defer cancel()
	tick := time.NewTicker(readyEvery)
	defer tick.Stop()
	for {
		last := Ready(ctx, url)
		if last == nil {
			return nil
		}
		select {
		case <-proc.Done():
			return errors.Join(errors.New("ended before it was ready"), proc.Err())
		case <-ctx.Done():
			return fmt.Errorf("not ready within %v: %w", ReadyMax, last)
		case <-tick.C:
		}
	}
}

// Ready asks url once, and is nil if the answer is 200.
func Ready(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, res.Status)
	}
	return nil
}

func ended(proc *cluster.Process) bool {
	if proc == nil {
		return true
	}
	select {
	case <-proc.Done():
		return true
	default:
		return false
	}
}
