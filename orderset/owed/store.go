package owed

import (
	"errors"

	"hongbao/envelope"
	"hongbao/orderset/setdb"
)

// Config is what a store works with. DB is required.
type Config struct {
	DB      *setdb.DB
	Batches bool // payouts that come to be owed go into batches; what is owed already stays as it was made
	// Settled gets the envelopes that a transaction has settled. Nil: not wanted.
	Settled func([]envelope.ID)
}

// Store is all that is owed in one SET. It is safe for concurrent use.
type Store struct {
	cfg     Config
	db      *setdb.DB
	flows   flows
	touches chan struct{} // buffered 1: something can be spread
}

// New makes the store of a SET's database.
func New(cfg Config) (*Store, error) {
	if cfg.DB == nil {
		return nil, errors.New("owed: the database is required")
	}
	if cfg.Settled == nil {
		cfg.Settled = func([]envelope.ID) {}
	}
	return &Store{cfg: cfg, db: cfg.DB, touches: make(chan struct{}, 1)}, nil
}

// Batches reports whether payouts go into batches.
func (s *Store) Batches() bool { return s.cfg.Batches }

// Settled passes on which envelopes a committed transaction has settled.
func (s *Store) Settled(ids []envelope.ID) {
	if len(ids) > 0 {
		s.cfg.Settled(ids)
	}
}
