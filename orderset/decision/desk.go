package decision

import (
	"hongbao/envelope"
	"hongbao/orderset/owed"
	"hongbao/orderset/setdb"
)

const (
	listMax  = 1000    // rows in one list for people
	countMax = 100_000 // rows that a count goes through: as bad as more
)

// Desk is where people decide in one SET. It is safe for concurrent use.
type Desk struct {
	db   *setdb.DB
	owed *owed.Store
}

// New makes the desk of a SET's database and of what is owed there.
func New(db *setdb.DB, store *owed.Store) *Desk { return &Desk{db: db, owed: store} }

// Number of the SET.
func (s *Desk) Number() envelope.SetNumber { return s.db.Number() }
