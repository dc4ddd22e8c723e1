package keyring

import (
	"context"
	"errors"

	"hongbao/internal/books"
	"hongbao/internal/settings"
	"hongbao/orderset"
)

// Examine asks every database that can be asked with the settings as they are.
func (k *Keyring) Examine(ctx context.Context, conf *settings.Settings) error {
	if k.App.Password == "" || k.Migrator.Password == "" {
		return nil // which has been said
	}
	var mistakes []error
	if topology, err := conf.Topology(); err == nil {
		for _, spec := range topology.Specs() {
			mistakes = append(mistakes, orderset.Examine(ctx, spec, k.App, k.Migrator))
		}
		mistakes = append(mistakes, orderset.ExamineKnown(ctx, topology, k.App))
	}
	if b, err := k.OpenBooks(conf); err == nil {
		mistakes = append(mistakes, b.Check(ctx), b.Close())
	}
	return errors.Join(mistakes...)
}

// OpenBooks opens users' books.
func (k *Keyring) OpenBooks(conf *settings.Settings) (*books.Books, error) {
	cfg := books.Config{App: books.Account(k.App)}
	for _, b := range conf.Books {
		cfg.Shards = append(cfg.Shards, books.Shard{Addr: b.Primary})
	}
	return books.Open(cfg)
}
