package main

import (
	"context"
	"os"

	"hongbao/internal/operator"
)

type profileCmd struct {
	Profile string           `arg:"" help:"profile (CPU), trace, heap, allocs, goroutine, block, mutex or threadcreate." enum:"profile,trace,heap,allocs,goroutine,block,mutex,threadcreate"`
	Seconds operator.Seconds `help:"How long it is taken over, 1 to 60. Without it: 30 for profile, 1 for trace, at once for the others."`
	Out     string           `help:"The file to write." short:"o" default:"hongbaod.pprof" type:"path"`
}

func (p profileCmd) Run(ctx context.Context, c *cli) error {
	o, err := newOperator(c)
	if err != nil {
		return err
	}
	raw, err := o.Profile(ctx, operator.ProfileInput{Profile: p.Profile, Seconds: p.Seconds})
	if err != nil {
		return c.advice(err, "")
	}
	if err := os.WriteFile(p.Out, raw, 0o644); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(map[string]any{"file": p.Out, "bytes": len(raw)})
	}
	newNarrator(false).say("%s: %d bytes; read it with: go tool pprof %s", p.Out, len(raw), p.Out)
	return nil
}
