package testbed

import (
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"hongbao/envelope"
	"hongbao/internal/fill"
	"hongbao/loadtest/measure"
	"hongbao/loadtest/past"
	"hongbao/orderset"
)

// Past is what the SETs are filled with. Every fill is another one.
func (bed *Testbed) Past(envelopes int) (past.Config, error) {
	cfg := past.Config{Seed: rand.Uint64(), Envelopes: envelopes, Now: time.Now()}
	topology, err := bed.settings.Topology()
	if err != nil {
		return cfg, err
	}
	var granted []int
	for _, spec := range topology.Specs() {
		cfg.Sets = append(cfg.Sets, spec.Number)
		granted = append(granted, spec.MachineBlock)
	}
	// Of a block that no SET grants, so that no body meets one that was or will be minted.
	block := orderset.MachineBlocks - 1
	for block >= 0 && slices.Contains(granted, block) {
		block--
	}
	if block < 0 {
		return cfg, errors.New("the SETs grant every block of machine numbers; free one")
	}
	cfg.Machine = block*orderset.MachineBlockSize + rand.IntN(orderset.MachineBlockSize)
	cfg.DrawKey, err = bed.settings.DrawKey()
	return cfg, err
}

// Fill writes a past into every SET at the same time.
func (bed *Testbed) Fill(ctx context.Context, filled *past.Past, wrote func(int)) ([]measure.Stock, error) {
	topology, err := bed.settings.Topology()
	if err != nil {
		return nil, err
	}
	migrator, err := bed.settings.Account("migrator", bed.settings.Accounts.Migrator)
	if err != nil {
		return nil, err
	}
	specs := topology.Specs()
	stocks := make([]measure.Stock, len(specs))
	all, ctx := errgroup.WithContext(ctx)
	for i, spec := range specs {
		all.Go(func() (err error) {
			stocks[i], err = fillSet(ctx, spec, migrator, filled.Of(i), wrote)
			return err
		})
	}
	return stocks, all.Wait()
}

func fillSet(ctx context.Context, spec orderset.SetSpec, migrator orderset.Account, rows iter.Seq[envelope.Snapshot], wrote func(int)) (s measure.Stock, err error) {
	s.Set = spec.Number.String()
	f, err := fill.Open(ctx, spec.Number, spec.Primary, migrator)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if s.Before, err = f.Bytes(ctx); err != nil {
		return s, err
	}
	counted := func(yield func(envelope.Snapshot) bool) {
		for snap := range rows {
			s.Envelopes++
			s.Shares += len(snap.Shares)
			if !yield(snap) {
				return
			}
		}
	}
	if err := f.Fill(ctx, counted, wrote); err != nil {
		return s, err
	}
	s.After, err = f.Bytes(ctx)
	return s, err
}
