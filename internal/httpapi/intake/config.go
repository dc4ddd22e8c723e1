package intake

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Config is what a [Listener] works with; all of it is required.
type Config struct {
	ConnectionsMax           int // open connections
	ConnectionsPerAddressMax int // of them, those of one client address (of IPv6, a /64)
	ReadingMax               int // requests being read at once

	IdleMax       time.Duration // until a connection's first byte
	ReadHeaderMax time.Duration // from there to its last header

	// Refusals are whole answers, by the status that net/http would send. A status
	// that is not there is answered as net/http does.
	Refusals map[int][]byte

	Refused prometheus.Counter // connections closed at once
	Log     *slog.Logger
	Now     func() time.Time
}

func (cfg *Config) validate() error {
	switch {
	case cfg.ConnectionsMax < 1:
		return fmt.Errorf("intake: want connections max >= 1, have %d", cfg.ConnectionsMax)
	case cfg.ConnectionsPerAddressMax < 1 || cfg.ConnectionsPerAddressMax > cfg.ConnectionsMax:
		return fmt.Errorf("intake: want 1 <= connections per address max <= connections max, have %d and %d", cfg.ConnectionsPerAddressMax, cfg.ConnectionsMax)
	case cfg.ReadingMax < 1:
		return fmt.Errorf("intake: want reading max >= 1, have %d", cfg.ReadingMax)
	case cfg.IdleMax <= 0 || cfg.ReadHeaderMax <= 0:
		return fmt.Errorf("intake: want idle max > 0 and read header max > 0, have %v and %v", cfg.IdleMax, cfg.ReadHeaderMax)
	case cfg.Refusals == nil || cfg.Refused == nil || cfg.Log == nil || cfg.Now == nil:
		return errors.New("intake: refusals, the counter of refused connections, the log and the clock are required")
	}
	return nil
}
