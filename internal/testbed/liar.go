package testbed

import (
	"context"
	"fmt"
	"net/http"

	"hongbao/loadtest/soak"
)

// liar is the playground's simulator, by its tool.
type liar struct{ base string }

func (l liar) call(ctx context.Context, method string, in, out any) error {
	if err := call(ctx, method, l.base+"/simulator/lies", in, out); err != nil {
		return fmt.Errorf("lies of the simulator: %w", err)
	}
	return nil
}

func (l liar) Lie(ctx context.Context, about soak.Lies) error {
	return l.call(ctx, http.MethodPut, about, nil)
}

func (l liar) Told(ctx context.Context) (map[string]int64, error) {
	var status struct {
		Told map[string]int64 `json:"told"`
	}
	err := l.call(ctx, http.MethodGet, nil, &status)
	return status.Told, err
}

func (l liar) Honest(ctx context.Context) error { return l.call(ctx, http.MethodDelete, nil, nil) }

// Liar is the environment's simulated provider, by its tool for faults.
func (bed *Testbed) Liar() soak.Liar { return liar{bed.desc.PaymentSimulator} }
