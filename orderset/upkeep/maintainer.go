package upkeep

import (
	"context"
	"database/sql"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hongbao/envelope"
	"hongbao/internal/mariadb"
	"hongbao/orderset/setdb"
	"hongbao/schema"
)

// maintainerConns is how many connections a maintainer has.
const maintainerConns = 2

// Maintainer makes day tables in one SET and deletes what is carried out. It has an
// account and a pool of its own: no request ever runs under it.
type Maintainer struct {
	db      *setdb.DB
	horizon atomic.Int64 // the last day whose tables it made or found; 0: none yet
}

// Open connects under the migrator's account.
func Open(number envelope.SetNumber, addr string, migrator mariadb.Account) (*Maintainer, error) {
	db, err := setdb.OpenPool(number, addr, migrator, maintainerConns)
	if err != nil {
		return nil, err
	}
	return &Maintainer{db: db}, nil
}

// Number of the SET.
func (m *Maintainer) Number() envelope.SetNumber { return m.db.Number() }

// Promote makes another server the primary of the SET; see [setdb.DB.Promote].
func (m *Maintainer) Promote(ctx context.Context, p setdb.Primary) error { return m.db.Promote(ctx, p) }

// Close closes its connections.
func (m *Maintainer) Close() error { return m.db.Close() }

// MakeDay creates the tables of a business day in one SET. Making a day that exists
// is a result.
func (m *Maintainer) MakeDay(ctx context.Context, day envelope.Day) error {
	err := m.db.Apart(ctx, func(ctx context.Context, c *sql.Conn) error {
		return schema.MakeDayTablesOn(ctx, c, int(m.Number()), day.OfMonth())
	})
	if err != nil {
		return fmt.Errorf("SET %v: tables of %v: %w", m.Number(), day, err)
	}
	m.horizon.Store(max(m.horizon.Load(), int64(day)))
	return nil
}

// Register adds the maintainer's metrics to reg, whose labels name the SET.
func (m *Maintainer) Register(reg prometheus.Registerer) error {
	return reg.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "hongbao_set_day_tables_left_seconds",
		Help: "For how long there are day tables to send into, as far as this process has seen to them; below zero there are none.",
	}, func() float64 {
		if m.horizon.Load() == 0 {
			return -1
		}
		return time.Until(envelope.Day(m.horizon.Load()).Add(1).Start()).Seconds()
	}))
}
