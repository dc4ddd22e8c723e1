package orderserver

import (
	"errors"
	"fmt"
	"log/slog"

	"hongbao/envelope"
	"hongbao/orderset"
)

// Mode is how opens reach the database. Only ModeGroup is for serving; the others
// are what it is measured against.
type Mode string

const (
	ModeGroup Mode = "group" // lanes: a batch of opens in one transaction
	ModeFIFO  Mode = "fifo"  // serial per envelope, one transaction per open
	ModePlain Mode = "plain" // one transaction per open, the row lock alone
)

const (
	// recordsPerSet is how many envelopes a SET remembers: some 100 shares each
	// make about 80 MB.
	recordsPerSet = 8192
	// GroupLanes serve the ten table digits of a SET. Two beat one a digit:
	// batches are five times as large, and one gathers while the other commits.
	GroupLanes = 2
	// groupBatchMax lets a backlog shrink by the thousand: in a storm a batch costs
	// hardly more than its round trips.
	groupBatchMax = 1024
	// fifoLanes approximate one queue an envelope in mode fifo.
	fifoLanes = 64
)

// Memory is how many envelopes a SET remembers in this mode. What is measured
// against group locks and reads at every open.
func (m Mode) Memory() int {
	if m == ModeGroup {
		return recordsPerSet
	}
	return 0
}

// Config is what a server works with. All of it is required unless said otherwise.
type Config struct {
	Set       *orderset.Set
	Mode      Mode
	Owner     string           // names this process in the lists of leases
	Memcached []string         // host:port of where leases are; none: this is the SET's only order server
	DrawKey   envelope.DrawKey // seals the leases
	Log       *slog.Logger
}

func (c *Config) validate() error {
	switch {
	case c.Set == nil || c.Log == nil:
		return errors.New("order server: set and log are required")
	case c.Mode != ModeGroup && c.Mode != ModeFIFO && c.Mode != ModePlain:
		return fmt.Errorf("order server: want mode %s, %s or %s, have %q", ModeGroup, ModeFIFO, ModePlain, c.Mode)
	case c.DrawKey.IsZero():
		return errors.New("order server: want a draw key that NewDrawKey made")
	}
	return nil
}
